#include "server/jobs/jobs.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "db/results.h"

struct kl_job {
    struct kl_job *next; /* the one asked for before it */
    struct kl_jobs *jobs;
    struct kl_run *run;
    struct kl_errand errand;
    char *question;
    enum kl_job_state state;
    uint32_t done, total;
    double began; /* milliseconds */
    int is_cancelled;
    char *answer, *note;
};

static void free_job(struct kl_job *job)
{
    kl_errand_clear(&job->errand);
    free(job->question);
    free(job->answer);
    free(job->note);
    free(job);
}

void kl_jobs_init(struct kl_jobs *jobs, struct kl_pool *pool)
{
    memset(jobs, 0, sizeof *jobs);
    jobs->pool = pool;
    pthread_mutex_init(&jobs->lock, NULL);
    pthread_cond_init(&jobs->asked, NULL);
}

void kl_jobs_clear(struct kl_jobs *jobs)
{
    pthread_mutex_lock(&jobs->lock);
    jobs->is_stopping = 1;
    pthread_cond_signal(&jobs->asked);
    pthread_mutex_unlock(&jobs->lock);
    if (jobs->has_worker)
        pthread_join(jobs->worker, NULL);
    while (jobs->first) {
        struct kl_job *job = jobs->first;

        jobs->first = job->next;
        free_job(job);
    }
    pthread_mutex_destroy(&jobs->lock);
    pthread_cond_destroy(&jobs->asked);
}

static int is_open(const struct kl_job *job)
{
    return job->state == KL_JOB_WAITING || job->state == KL_JOB_RUNNING;
}

/* With the lock held, as the next three. */
static struct kl_job *find(const struct kl_jobs *jobs, const struct kl_run *run,
                           const struct kl_errand *errand, const char *question)
{
    struct kl_job *job = jobs->first;

    while (job && (job->run != run || job->errand.kind != errand->kind ||
                   strcmp(job->question, question) != 0))
        job = job->next;
    return job;
}

static struct kl_job *oldest_waiting(const struct kl_jobs *jobs)
{
    struct kl_job *oldest = NULL;

    for (struct kl_job *job = jobs->first; job; job = job->next)
        if (job->state == KL_JOB_WAITING)
            oldest = job;
    return oldest;
}

static void take_out(struct kl_jobs *jobs, struct kl_job *job)
{
    struct kl_job **link = &jobs->first;

    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    free_job(job);
}

/* Lets go of the oldest finished ones that are too many. */
static void trim(struct kl_jobs *jobs)
{
    struct kl_job *next;
    unsigned n = 0;

    for (struct kl_job *job = jobs->first; job; job = next) {
        next = job->next;
        if (!is_open(job) && ++n > KL_JOBS_FINISHED_MAX)
            take_out(jobs, job);
    }
}

static int told(void *self, uint32_t done, uint32_t total)
{
    struct kl_job *job = self;
    int ends;

    pthread_mutex_lock(&job->jobs->lock);
    job->done = done;
    job->total = total;
    ends = job->is_cancelled || job->jobs->is_stopping;
    pthread_mutex_unlock(&job->jobs->lock);
    return ends;
}

/* A copy, or NULL where memory ran out too. */
static char *copy_of(const char *text)
{
    struct kl_error err;
    char *copy = NULL;

    (void)kl_copy_text(&copy, text, &err);
    return copy;
}

/* Does a job, without the lock: only this thread changes its answer and note before it is done. */
static enum kl_job_state work_on(struct kl_jobs *jobs, struct kl_job *job)
{
    struct kl_errand_result result;
    const struct kl_work work = {told, job};
    enum kl_job_state state = KL_JOB_DONE;
    struct kl_error err;
    enum kl_status status = kl_errand_do(&job->errand, job->run, jobs->pool, &work, &result, &err);

    if (!status) {
        job->answer = kl_errand_json(&job->errand, job->run, &result, KL_MISSED_KEPT);
        if (!job->answer)
            status = kl_fail(&err, KL_ERR_MEMORY, "not enough memory for the answer");
    }
    if (status) {
        state = status == KL_ERR_INTERRUPTED ? KL_JOB_CANCELLED : KL_JOB_FAILED;
        job->note = copy_of(err.message);
    } else if (kl_errand_keep(&job->errand, job->run, &result, &err)) {
        job->note = copy_of(err.message);
    }
    kl_errand_result_clear(&result);
    return state;
}

static void *work_on_all(void *self)
{
    struct kl_jobs *jobs = self;

    pthread_mutex_lock(&jobs->lock);
    while (!jobs->is_stopping) {
        struct kl_job *job = oldest_waiting(jobs);
        enum kl_job_state state;

        if (!job) {
            pthread_cond_wait(&jobs->asked, &jobs->lock);
            continue;
        }
        job->state = KL_JOB_RUNNING;
        job->began = kl_now_ms();
        pthread_mutex_unlock(&jobs->lock);
        state = work_on(jobs, job);
        pthread_mutex_lock(&jobs->lock);
        job->state = state;
        trim(jobs);
    }
    pthread_mutex_unlock(&jobs->lock);
    return NULL;
}

static enum kl_status question_of(const struct kl_errand *errand, const struct kl_run *run,
                                  char **question, struct kl_error *err)
{
    *question = kl_errand_question(errand, run);
    return *question ? KL_OK : kl_fail(err, KL_ERR_MEMORY, "not enough memory for a question");
}

/* With the lock held. */
static void view_job(const struct kl_job *job, struct kl_job_view *view)
{
    view->state = job->state;
    view->done = job->done;
    view->total = job->total;
    if (job->state == KL_JOB_RUNNING)
        view->seconds = (kl_now_ms() - job->began) / 1e3;
    for (const struct kl_job *other = job->next; other && is_open(job); other = other->next)
        view->before += (uint32_t)is_open(other);
    if (!is_open(job)) {
        view->answer = job->answer ? copy_of(job->answer) : NULL;
        view->note = job->note ? copy_of(job->note) : NULL;
    }
}

enum kl_status kl_jobs_look(struct kl_jobs *jobs, struct kl_run *run,
                            const struct kl_errand *errand, struct kl_job_view *view,
                            struct kl_error *err)
{
    const struct kl_job *job;
    char *question = NULL;
    enum kl_status status;

    memset(view, 0, sizeof *view);
    status = question_of(errand, run, &question, err);
    if (status)
        return status;
    pthread_mutex_lock(&jobs->lock);
    job = find(jobs, run, errand, question);
    if (job)
        view_job(job, view);
    pthread_mutex_unlock(&jobs->lock);
    if (view->state == KL_JOB_NONE || view->state == KL_JOB_CANCELLED) {
        char *answer = NULL;

        status = kl_results_find(run, kl_errand_name(errand->kind), question, &answer, err);
        if (answer) {
            view->state = KL_JOB_DONE;
            view->answer = answer;
        }
    }
    free(question);
    return status;
}

static enum kl_status create(struct kl_jobs *jobs, struct kl_run *run,
                             const struct kl_errand *errand, const char *question,
                             struct kl_job **out, struct kl_error *err)
{
    struct kl_job *job = NULL;
    enum kl_status status = kl_alloc(&job, 1, sizeof *job, "a job", err);

    if (status)
        return status;
    job->jobs = jobs;
    job->run = run;
    job->state = KL_JOB_WAITING;
    status = kl_copy_text(&job->question, question, err);
    if (!status)
        status = kl_errand_copy(errand, &job->errand, err);
    if (status)
        free_job(job);
    else
        *out = job;
    return status;
}

/* Makes one that waits, with the lock held. */
static enum kl_status add(struct kl_jobs *jobs, struct kl_run *run, const struct kl_errand *errand,
                          const char *question, struct kl_error *err)
{
    struct kl_job *job = NULL;
    unsigned n_waiting = 0;
    enum kl_status status;

    for (const struct kl_job *other = jobs->first; other; other = other->next)
        n_waiting += other->state == KL_JOB_WAITING;
    if (n_waiting == KL_JOBS_WAITING_MAX)
        return kl_fail(err, KL_ERR_BUSY, "%u trainings wait already: try again when some are done",
                       n_waiting);
    status = create(jobs, run, errand, question, &job, err);
    if (!status && !jobs->has_worker && pthread_create(&jobs->worker, NULL, work_on_all, jobs)) {
        free_job(job);
        status = kl_fail(err, KL_ERR_MEMORY, "there is no room for another thread");
    }
    if (status)
        return status;
    jobs->has_worker = 1;
    job->next = jobs->first;
    jobs->first = job;
    pthread_cond_signal(&jobs->asked);
    return KL_OK;
}

enum kl_status kl_jobs_begin(struct kl_jobs *jobs, struct kl_run *run,
                             const struct kl_errand *errand, struct kl_error *err)
{
    struct kl_job *job;
    char *question = NULL, *answer = NULL;
    enum kl_status status = question_of(errand, run, &question, err);

    if (!status)
        status = kl_results_find(run, kl_errand_name(errand->kind), question, &answer, err);
    pthread_mutex_lock(&jobs->lock);
    job = status || answer ? NULL : find(jobs, run, errand, question);
    if (job && job->state == KL_JOB_RUNNING)
        job->is_cancelled = 0; /* if it has not ended yet, it goes on */
    if (job && (job->state == KL_JOB_FAILED || job->state == KL_JOB_CANCELLED)) {
        take_out(jobs, job); /* and once more */
        job = NULL;
    }
    if (!status && !answer && !job)
        status = add(jobs, run, errand, question, err);
    pthread_mutex_unlock(&jobs->lock);
    free(question);
    free(answer);
    return status;
}

enum kl_status kl_jobs_cancel(struct kl_jobs *jobs, struct kl_run *run,
                              const struct kl_errand *errand, struct kl_error *err)
{
    struct kl_job *job;
    char *question = NULL;
    enum kl_status status = question_of(errand, run, &question, err);

    if (status)
        return status;
    pthread_mutex_lock(&jobs->lock);
    job = find(jobs, run, errand, question);
    if (job && job->state == KL_JOB_WAITING)
        job->state = KL_JOB_CANCELLED;
    if (job && job->state == KL_JOB_RUNNING)
        job->is_cancelled = 1;
    pthread_mutex_unlock(&jobs->lock);
    free(question);
    return KL_OK;
}
