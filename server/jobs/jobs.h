/* Errands (api/errands/errand.h) done in the background, one at a time, in the order in which they
 * were asked for: each trains, and a machine has room for one training beside its answers. What
 * came of one is kept beside its run, and here, for as long as there is room. */
#ifndef KL_SERVER_JOBS_JOBS_H
#define KL_SERVER_JOBS_JOBS_H

#include <pthread.h>

#include "api/errands/errand.h"

#define KL_JOBS_WAITING_MAX 8   /* more would not be done before people forget them */
#define KL_JOBS_FINISHED_MAX 32 /* each some tens of kilobytes */

enum kl_job_state {
    KL_JOB_NONE, /* nobody asked for it */
    KL_JOB_WAITING,
    KL_JOB_RUNNING,
    KL_JOB_DONE,
    KL_JOB_FAILED,
    KL_JOB_CANCELLED
};

struct kl_job;

struct kl_jobs {
    pthread_mutex_t lock;
    pthread_cond_t asked;
    pthread_t worker;
    struct kl_pool *pool;
    struct kl_job *first; /* the one asked for last */
    int has_worker, is_stopping;
};

/* How a job was when it was looked at. */
struct kl_job_view {
    enum kl_job_state state;
    uint32_t done, total, before; /* pieces; how many jobs come before it */
    double seconds;               /* since it began */
    char *answer;                 /* of a done one: JSON, the caller's to free */
    char *note; /* of a done one: why it could not be kept; of a failed one: why; or NULL */
};

void kl_jobs_init(struct kl_jobs *jobs, struct kl_pool *pool);
/* Ends what is under way and waits for its end. */
void kl_jobs_clear(struct kl_jobs *jobs);

/* Looks at the job of an errand of a run, or else for an answer that is kept beside the run.
 * Thread-safe, as are the others; the caller frees what *view has. Errors: those of
 * kl_results_find; KL_ERR_MEMORY. */
enum kl_status kl_jobs_look(struct kl_jobs *jobs, struct kl_run *run,
                            const struct kl_errand *errand, struct kl_job_view *view,
                            struct kl_error *err);

/* Begins it, unless it is under way, or its answer known. Errors: likewise; KL_ERR_BUSY: too many
 * wait. */
enum kl_status kl_jobs_begin(struct kl_jobs *jobs, struct kl_run *run,
                             const struct kl_errand *errand, struct kl_error *err);

/* Ends it, if it is under way; as much as is done is lost. Errors: KL_ERR_MEMORY. */
enum kl_status kl_jobs_cancel(struct kl_jobs *jobs, struct kl_run *run,
                              const struct kl_errand *errand, struct kl_error *err);

#endif
