/* The runs that are served. Those in training are followed: opened anew when there is a later
 * checkpoint, as long as somebody asks about them, and for good when they are finished. Thread-safe
 * unless said otherwise. */
#ifndef KL_SERVER_SERVED_SERVED_H
#define KL_SERVER_SERVED_SERVED_H

#include "core/base/pool.h"
#include "db/run.h"

#define KL_SERVED_MAX 64 /* runs, of which some may be followed */

struct kl_served;

/* Told that a run is going to be closed: nobody uses it any more, and what was kept of it goes. */
typedef void (*kl_served_forget)(void *self, const struct kl_run *run);

/* For a pool's workers, and the processes that hold the runs with this one, which outlive it;
 * memory_bytes: how much of the runs is kept in memory, of
 * which those that are in training need none until they are finished; damaged (may be NULL) hears,
 * from any thread, of what is damaged, when a run is opened or when that is found.
 * The caller ends *served with kl_served_free. Errors: KL_ERR_MEMORY. */
enum kl_status kl_served_create(struct kl_pool *pool, struct kl_peers *peers, uint64_t memory_bytes,
                                kl_run_damaged damaged, struct kl_served **served,
                                struct kl_error *err);
void kl_served_free(struct kl_served *served);

/* Those that hold the runs with this process. */
struct kl_peers *kl_served_peers(const struct kl_served *served);

/* Opens the finished run at path, whose other shards may be among n_others files, and adds it.
 * *same: one that is served already and is the same: then nothing is added. Errors: KL_ERR_USAGE
 * (too many), and those of kl_run_open. */
enum kl_status kl_served_open(struct kl_served *served, const char *path, char *const *others,
                              size_t n_others, const struct kl_run **same, struct kl_error *err);

/* Adds a run that is the caller's and outlives it. Errors: KL_ERR_USAGE, KL_ERR_MEMORY. */
enum kl_status kl_served_add(struct kl_served *served, struct kl_run *run, struct kl_error *err);

/* Adds the run that is written to draft (db/follow.h), as of now; waits for a first checkpoint for
 * some seconds. Errors: likewise, and those of kl_follow_open. */
enum kl_status kl_served_follow(struct kl_served *served, const char *draft, struct kl_error *err);

/* Begins to look for later checkpoints, and ends it. forget is called from any thread. Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_served_watch(struct kl_served *served, kl_served_forget forget, void *self,
                               struct kl_error *err);
void kl_served_unwatch(struct kl_served *served);

/* The run of that id: its fingerprint, or else the one that it had before it was upgraded, or while
 * it was in training, so that links of before stay good. It stays as it is until it is given back.
 * NULL: there is none. */
struct kl_run *kl_served_take(struct kl_served *served, const char *id, size_t length);
void kl_served_give(struct kl_served *served, const struct kl_run *run);

/* Bytes of the runs that are kept in memory now, and how many there may be. */
void kl_served_memory(struct kl_served *served, uint64_t *copied, uint64_t *most);

/* Takes all: runs has room for KL_SERVED_MAX; returns how many. */
size_t kl_served_take_all(struct kl_served *served, struct kl_run **runs);

#endif
