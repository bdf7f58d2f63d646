#define _GNU_SOURCE /* sched_getaffinity */
#include "core/base/pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/memory.h"

#define WORKERS_MAX 256
#define PART_MIN 4096 /* less than that is not worth a task */
/* Time of workers that a job has before it is another one's turn. */
#define TURN_MS 0.5
/* How long a thread looks for what will come soon before it sleeps: what one task of a training
 * leaves for the next comes in some 20 us, and to sleep and be woken takes longer. */
#define LOOKS_US 50

struct worker {
    struct kl_pool *pool;
    unsigned number;
    pthread_t thread;
    int is_busy;
    uint64_t n_begun; /* tasks */
};

/* What one caller waits for. */
struct job {
    kl_pool_task task;
    void *argument;
    unsigned next_task, n_tasks, n_running;
    double turn_ms;        /* of its turn, until now */
    atomic_int is_done;    /* for who looks without the lock */
    struct kl_error error; /* the first */
    pthread_cond_t done;
    struct job *next;
};

struct kl_pool {
    pthread_mutex_t lock;       /* of everything below, and of the jobs */
    pthread_cond_t work, ended; /* ended: a task, while somebody waits for that */
    unsigned n_workers, n_settling;
    int stopping;
    struct job *first, **end; /* jobs with tasks to begin, in the order of their turns */
    atomic_int has_first;     /* for who looks without the lock */
    struct worker workers[WORKERS_MAX];
    pthread_mutex_t share_lock; /* of the requests */
    pthread_cond_t shared;      /* a request has ended */
    struct kl_shared *wanted;   /* requests with pieces to begin, in the order they came */
};

/* The worker that this thread is, or NULL. */
static _Thread_local struct worker *this_worker;

/* Looks at a flag for a while, in vain or not. */
static void look(const atomic_int *flag)
{
    double end = kl_now_ms() + LOOKS_US / 1e3;

    while (!atomic_load_explicit(flag, memory_order_relaxed) && kl_now_ms() < end) {
#ifdef __x86_64__
        __builtin_ia32_pause(); /* the other half of the core goes first */
#endif
    }
}

static void put_job(struct kl_pool *pool, struct job *job)
{
    *pool->end = job;
    pool->end = &job->next;
    atomic_store_explicit(&pool->has_first, 1, memory_order_relaxed);
}

/* Takes a job out, no more of whose tasks are to begin. */
static void drop_job(struct kl_pool *pool, const struct job *job)
{
    struct job **link = &pool->first;

    while (*link != job)
        link = &(*link)->next;
    *link = job->next;
    if (!*link)
        pool->end = link;
    atomic_store_explicit(&pool->has_first, pool->first != NULL, memory_order_relaxed);
}

/* Counts what a job took; when its turn is over, the next one comes first. */
static void count_turn(struct kl_pool *pool, struct job *job, double ms)
{
    job->turn_ms += ms;
    if (job->turn_ms < TURN_MS || job != pool->first || !job->next)
        return;
    job->turn_ms = 0;
    pool->first = job->next;
    job->next = NULL;
    *pool->end = job;
    pool->end = &job->next;
}

/* Does the job's next task. Holds the lock, but for the task itself. */
static void do_task(struct worker *worker, struct job *job)
{
    struct kl_pool *pool = worker->pool;
    unsigned task = job->next_task++;
    struct kl_error error = {0};
    enum kl_status status;
    double started, ms;

    job->n_running++;
    if (job->next_task == job->n_tasks)
        drop_job(pool, job);
    pthread_mutex_unlock(&pool->lock);
    started = kl_now_ms();
    status = job->task(job->argument, worker->number, task, &error);
    ms = kl_now_ms() - started;
    pthread_mutex_lock(&pool->lock);
    job->n_running--;
    count_turn(pool, job, ms);
    if (status && !job->error.status) {
        job->error = error;
        if (job->next_task < job->n_tasks) {
            job->next_task = job->n_tasks;
            drop_job(pool, job);
        }
    }
    if (job->next_task == job->n_tasks && job->n_running == 0) {
        atomic_store_explicit(&job->is_done, 1, memory_order_relaxed);
        pthread_cond_signal(&job->done);
    }
}

/* Waits for work. Holds the lock, but while it looks and sleeps. */
static void wait_for_work(struct kl_pool *pool)
{
    pthread_mutex_unlock(&pool->lock);
    look(&pool->has_first);
    pthread_mutex_lock(&pool->lock);
    while (!pool->first && !pool->stopping)
        pthread_cond_wait(&pool->work, &pool->lock);
}

static void *run_worker(void *argument)
{
    struct worker *worker = argument;
    struct kl_pool *pool = worker->pool;

    this_worker = worker;
    pthread_mutex_lock(&pool->lock);
    while (!pool->stopping) {
        if (!pool->first) {
            wait_for_work(pool);
            continue;
        }
        worker->is_busy = 1;
        worker->n_begun++;
        do_task(worker, pool->first);
        worker->is_busy = 0;
        if (pool->n_settling)
            pthread_cond_broadcast(&pool->ended);
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

unsigned kl_pool_processors(void)
{
    cpu_set_t set;

    if (sched_getaffinity(0, sizeof set, &set))
        return 1;
    return (unsigned)CPU_COUNT(&set);
}

enum kl_status kl_pool_create(unsigned n_workers, struct kl_pool **out, struct kl_error *err)
{
    struct kl_pool *pool = NULL;
    enum kl_status status = kl_alloc(&pool, 1, sizeof *pool, "the worker pool", err);

    if (status)
        return status;
    if (n_workers == 0)
        n_workers = kl_pool_processors();
    if (n_workers > WORKERS_MAX)
        n_workers = WORKERS_MAX;
    pool->end = &pool->first;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->ended, NULL);
    pthread_mutex_init(&pool->share_lock, NULL);
    pthread_cond_init(&pool->shared, NULL);
    for (unsigned i = 0; i < n_workers; i++) {
        pool->workers[i] = (struct worker){.pool = pool, .number = i};
        if (pthread_create(&pool->workers[i].thread, NULL, run_worker, &pool->workers[i])) {
            kl_pool_free(pool);
            return kl_fail(err, KL_ERR_MEMORY,
                           "cannot start a worker thread: the system has no room for more threads");
        }
        pool->n_workers++;
    }
    *out = pool;
    return KL_OK;
}

void kl_pool_free(struct kl_pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->stopping = 1;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_workers; i++)
        pthread_join(pool->workers[i].thread, NULL);
    pthread_cond_destroy(&pool->shared);
    pthread_mutex_destroy(&pool->share_lock);
    pthread_cond_destroy(&pool->work);
    pthread_cond_destroy(&pool->ended);
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

unsigned kl_pool_n_workers(const struct kl_pool *pool)
{
    return pool->n_workers;
}

void kl_pool_settle(struct kl_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->n_settling++;
    for (unsigned i = 0; i < pool->n_workers; i++) {
        const struct worker *worker = &pool->workers[i];
        uint64_t n_begun = worker->n_begun;

        while (worker->is_busy && worker->n_begun == n_begun)
            pthread_cond_wait(&pool->ended, &pool->lock);
    }
    pool->n_settling--;
    pthread_mutex_unlock(&pool->lock);
}

static enum kl_status run_alone(kl_pool_task task, void *argument, unsigned n_tasks,
                                struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (unsigned i = 0; !status && i < n_tasks; i++)
        status = task(argument, 0, i, err);
    return status;
}

enum kl_status kl_pool_run(struct kl_pool *pool, kl_pool_task task, void *argument,
                           unsigned n_tasks, struct kl_error *err)
{
    struct job job = {.task = task, .argument = argument, .n_tasks = n_tasks};
    struct worker *worker = this_worker && this_worker->pool == pool ? this_worker : NULL;

    if (!pool)
        return run_alone(task, argument, n_tasks, err);
    if (n_tasks == 0)
        return KL_OK;
    pthread_cond_init(&job.done, NULL);
    pthread_mutex_lock(&pool->lock);
    put_job(pool, &job);
    for (unsigned i = worker ? 1 : 0; i < n_tasks && i < pool->n_workers; i++)
        pthread_cond_signal(&pool->work);
    while (worker && job.next_task < n_tasks)
        do_task(worker, &job);
    if (worker && job.n_running) { /* it has a processor, which nobody else can use meanwhile */
        pthread_mutex_unlock(&pool->lock);
        look(&job.is_done);
        pthread_mutex_lock(&pool->lock);
    }
    while (job.next_task < n_tasks || job.n_running)
        pthread_cond_wait(&job.done, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_destroy(&job.done);
    if (job.error.status)
        *err = job.error;
    return job.error.status;
}

unsigned kl_pool_n_parts(uint64_t n, unsigned most)
{
    uint64_t parts = n / PART_MIN;

    parts = parts > KL_PARTS_MAX ? KL_PARTS_MAX : parts;
    parts = parts > most ? most : parts;
    return parts ? (unsigned)parts : 1;
}

struct split {
    kl_pool_part do_part;
    void *job;
    uint64_t n;
    unsigned n_parts;
};

static enum kl_status do_part(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct split *split = argument;
    struct kl_part part = {task, worker, split->n * task / split->n_parts,
                           split->n * (task + 1) / split->n_parts};

    return split->do_part(split->job, &part, err);
}

enum kl_status kl_pool_split(struct kl_pool *pool, uint64_t n, unsigned most, kl_pool_part part,
                             void *job, struct kl_error *err)
{
    struct split split = {part, job, n, kl_pool_n_parts(n, most)};

    return kl_pool_run(pool, do_part, &split, split.n_parts, err);
}

/* Joins others of its key at the piece where the first of them is. */
static void join(struct kl_pool *pool, struct kl_shared *request)
{
    struct kl_shared **link = &pool->wanted;
    int is_alone = 1;

    request->piece = 0;
    request->next = NULL;
    for (; *link; link = &(*link)->next) {
        if (is_alone && (*link)->key == request->key) {
            request->piece = (*link)->piece;
            is_alone = 0;
        }
    }
    *link = request;
}

/* Takes the request's next piece, for it and for all others of its key that are there; returns how
 * many. */
static unsigned take_piece(struct kl_pool *pool, struct kl_shared *request,
                           struct kl_shared **together)
{
    struct kl_shared **link = &pool->wanted;
    unsigned n = 1, piece = request->piece;

    together[0] = request;
    while (*link) {
        struct kl_shared *one = *link;
        int is_taken = one == request ||
                       (one->key == request->key && one->piece == piece && n < KL_SHARED_MAX);

        if (is_taken) {
            if (one != request)
                together[n++] = one;
            one->piece = (piece + 1) % one->n_pieces;
            one->n_left--;
            one->n_running++;
        }
        if (is_taken && one->n_left == 0)
            *link = one->next;
        else
            link = &one->next;
    }
    return n;
}

/* Takes a request out, no more pieces of which are to begin. */
static void drop_pieces(struct kl_pool *pool, struct kl_shared *request)
{
    struct kl_shared **link = &pool->wanted;

    while (*link && *link != request)
        link = &(*link)->next;
    if (*link)
        *link = request->next;
    request->n_left = 0;
}

/* As many tasks as there are pieces. What others' tasks have done leaves some with nothing to do:
 * the first that sees no piece left fails, without a message, which drops the rest. */
static enum kl_status do_piece(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    struct kl_shared *request = argument, *together[KL_SHARED_MAX];
    struct kl_pool *pool = request->pool;
    struct kl_error error = {0};
    unsigned n, piece;
    int is_end = 0, is_left;

    (void)task;
    (void)err;
    pthread_mutex_lock(&pool->share_lock);
    if (request->n_left == 0) {
        pthread_mutex_unlock(&pool->share_lock);
        return KL_ERR_INTERRUPTED;
    }
    piece = request->piece;
    n = take_piece(pool, request, together);
    pthread_mutex_unlock(&pool->share_lock);
    (void)request->together(together, n, worker, piece, &error);
    pthread_mutex_lock(&pool->share_lock);
    for (unsigned i = 0; i < n; i++) {
        struct kl_shared *one = together[i];

        if (error.status && !one->error.status) {
            one->error = error;
            drop_pieces(pool, one);
        }
        one->n_running--;
        is_end |= one->n_left == 0 && one->n_running == 0;
    }
    if (is_end)
        pthread_cond_broadcast(&pool->shared);
    is_left = request->n_left > 0;
    pthread_mutex_unlock(&pool->share_lock);
    return is_left ? KL_OK : KL_ERR_INTERRUPTED;
}

enum kl_status kl_pool_share(struct kl_pool *pool, struct kl_shared *request, unsigned n_pieces,
                             kl_pool_together together, struct kl_error *err)
{
    if (n_pieces == 0)
        return KL_OK;
    request->together = together;
    request->pool = pool;
    request->n_pieces = request->n_left = n_pieces;
    request->n_running = 0;
    request->error.status = KL_OK;
    pthread_mutex_lock(&pool->share_lock);
    join(pool, request);
    pthread_mutex_unlock(&pool->share_lock);
    (void)kl_pool_run(pool, do_piece, request, n_pieces, err);
    pthread_mutex_lock(&pool->share_lock);
    while (request->n_running) /* of others' tasks */
        pthread_cond_wait(&pool->shared, &pool->share_lock);
    pthread_mutex_unlock(&pool->share_lock);
    if (request->error.status)
        *err = request->error;
    return request->error.status;
}
