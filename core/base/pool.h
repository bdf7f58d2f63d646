/* A pool of worker threads that own all scanning, and training. */
#ifndef KL_CORE_BASE_POOL_H
#define KL_CORE_BASE_POOL_H

#include <stdint.h>

#include "core/base/error.h"

struct kl_pool;

/* Does task number task (from 0) as worker number worker (from 0, below kl_pool_n_workers). */
typedef enum kl_status (*kl_pool_task)(void *job, unsigned worker, unsigned task,
                                       struct kl_error *err);

/* How many processors this process may use. Thread-safe. */
unsigned kl_pool_processors(void);

/* Starts n_workers threads (0: one per processor that this process may use). The caller owns *pool
 * and ends it with kl_pool_free, when no kl_pool_run is under way. Errors: KL_ERR_MEMORY. */
enum kl_status kl_pool_create(unsigned n_workers, struct kl_pool **pool, struct kl_error *err);
void kl_pool_free(struct kl_pool *pool);

unsigned kl_pool_n_workers(const struct kl_pool *pool);

/* Runs tasks 0 .. n_tasks-1 over all workers and waits for the end; where pool is NULL, the
 * caller's thread does them one after the other, as worker 0. The first failure is reported and the
 * tasks not yet begun are dropped. Thread-safe: the tasks of one job begin in their order, and jobs
 * that are there at the same time take turns of half a millisecond, so that none waits for all of
 * another. A task may run others in its turn: its worker does them, with whoever is free, and
 * nothing else until they have ended. But it must not wait in any other way for what another thread
 * gives the pool: it might hold the only worker. */
enum kl_status kl_pool_run(struct kl_pool *pool, kl_pool_task task, void *job, unsigned n_tasks,
                           struct kl_error *err);

/* Waits until every task that is under way now has ended, so that nobody holds what tasks begun
 * before could see: for a whole training, if one is. Not from within a task. Thread-safe. */
void kl_pool_settle(struct kl_pool *pool);

/* Splits numbers 0 .. n-1 into parts, does each as a task and waits for the end. How many parts
 * there are depends on n and most alone, so that sums by part, added up in order, are the same with
 * any number of workers. */
#define KL_PARTS_MAX 64
struct kl_part {
    unsigned number; /* from 0 */
    unsigned worker; /* whose task it is */
    uint64_t first, end;
};
typedef enum kl_status (*kl_pool_part)(void *job, const struct kl_part *part, struct kl_error *err);
unsigned kl_pool_n_parts(uint64_t n, unsigned most); /* 1 .. KL_PARTS_MAX, at most most */
enum kl_status kl_pool_split(struct kl_pool *pool, uint64_t n, unsigned most, kl_pool_part do_part,
                             void *job, struct kl_error *err);

/* A pass over numbered pieces of something, which several callers want at the same time and which
 * is made for all of them at once: the caller's request begins with a struct kl_shared. Does one
 * piece for n requests of one key, as a task of the pool, and waits for nobody: */
struct kl_shared;
typedef enum kl_status (*kl_pool_together)(struct kl_shared *const *requests, unsigned n,
                                           unsigned worker, unsigned piece, struct kl_error *err);

struct kl_shared {
    const void *key; /* requests of the same key have the same pieces, and the same function */
    /* The pool's: */
    struct kl_shared *next;
    kl_pool_together together;
    struct kl_pool *pool;
    unsigned n_pieces, piece;   /* the next one */
    unsigned n_left, n_running; /* pieces that are not begun, and not ended */
    struct kl_error error;      /* the first */
};

/* Does pieces 0 .. n_pieces-1 for a request, each once, in any order, and waits for the end. A
 * request that comes while others of its key are under way joins them at the piece where they are,
 * and has what it missed afterwards: so each piece is done for as many as want it, at most
 * KL_SHARED_MAX, and nobody waits for another's pass. The pool is not NULL. The caller sets the
 * key. Thread-safe, and from within a task, as kl_pool_run. Errors: the first of together's. */
#define KL_SHARED_MAX 16
enum kl_status kl_pool_share(struct kl_pool *pool, struct kl_shared *request, unsigned n_pieces,
                             kl_pool_together together, struct kl_error *err);

/* How far something is that takes long, and whether it is still wanted: told, or NULL, hears how
 * many of how many pieces are done; returning nonzero ends the work, which then fails with
 * KL_ERR_INTERRUPTED. */
struct kl_work {
    int (*told)(void *self, uint32_t done, uint32_t total);
    void *self;
};

static inline int kl_work_tell(const struct kl_work *work, uint32_t done, uint32_t total)
{
    return work && work->told ? work->told(work->self, done, total) : 0;
}

#endif
