/* A pool of worker threads that own all scanning. */
#ifndef KL_CORE_POOL_H
#define KL_CORE_POOL_H

#include "core/error.h"

struct kl_pool;

/* Does task number task (from 0) as worker number worker (from 0, below kl_pool_n_workers). */
typedef enum kl_status (*kl_pool_task)(void *job, unsigned worker, unsigned task,
                                       struct kl_error *err);

/* Starts n_workers threads (0: one per processor that this process may use). The caller owns *pool
 * and ends it with kl_pool_free, when no kl_pool_run is under way. Errors: KL_ERR_MEMORY. */
enum kl_status kl_pool_create(unsigned n_workers, struct kl_pool **pool, struct kl_error *err);
void kl_pool_free(struct kl_pool *pool);

unsigned kl_pool_n_workers(const struct kl_pool *pool);

/* Runs tasks 0 .. n_tasks-1 over all workers and waits for the end. The first failure is reported
 * and the tasks not yet begun are dropped. Thread-safe: jobs run one after the other. */
enum kl_status kl_pool_run(struct kl_pool *pool, kl_pool_task task, void *job, unsigned n_tasks,
                           struct kl_error *err);

#endif
