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
 * tasks not yet begun are dropped. Thread-safe: the tasks of jobs begin in the order in which the
 * jobs came. A task may run others in its turn: its worker does them, with whoever is free, and
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

/* Work that several callers want at the same time and that is done for all of them at once: the
 * caller's request begins with a struct kl_shared. Does n requests of one key together: */
struct kl_shared;
typedef enum kl_status (*kl_pool_together)(struct kl_pool *pool, struct kl_shared *const *requests,
                                           unsigned n, struct kl_error *err);

struct kl_shared {
    const void *key; /* requests of the same key, done by the same function, may be joined */
    struct kl_shared *next;
    kl_pool_together together;
    int is_done;
    struct kl_error error; /* of what was done; status KL_OK if it went well */
};

/* Waits until no shared work is under way, and then does the request with all others of its key
 * that wait, at most KL_SHARED_MAX: by one of the callers, for all of them. When several were done
 * together last, it waits for as many to come again first, for as long as that work took at most.
 * The caller sets the request's key. Thread-safe. */
#define KL_SHARED_MAX 16
enum kl_status kl_pool_share(struct kl_pool *pool, struct kl_shared *request,
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
