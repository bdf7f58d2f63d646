#include "core/training/background.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

#define SLOTS_MAX 8
#define SLOTS_BYTES ((size_t)256 << 20) /* of all, unless two need more */

enum job_kind { JOB_STEP, JOB_EVALUATION, JOB_SNAPSHOT, JOB_CHECKPOINT };

struct job {
    enum job_kind kind;
    struct kl_step_record record; /* points into what follows */
    uint32_t *samples, *indices;
    float *keys[KL_LAYERS_MAX], *errors[KL_LAYERS_MAX], *left_out;
    struct kl_evaluation evaluation;
    uint32_t step, dataset;
};

struct kl_background {
    struct kl_pool *pool; /* or NULL */
    struct kl_recorder inner;
    pthread_t thread;
    pthread_mutex_t lock; /* of everything below but the jobs that a side owns */
    pthread_cond_t changed;
    struct kl_layout layout;
    struct job jobs[SLOTS_MAX];
    unsigned n_slots;
    /* Slots that are free, the one used last on top: it is still in the processor's cache. */
    unsigned n_free, free[SLOTS_MAX];
    unsigned taken;                                /* the giver's, until give */
    unsigned n_waiting, first, waiting[SLOTS_MAX]; /* slots given, from first on, round and round */
    int stopping, is_running;
    int has_checkpoint, has_snapshot; /* whether the copies below wait: at most one of each */
    struct kl_training_state checkpoint;
    struct kl_network *snapshot;
    struct kl_error error; /* the first of inner's */
};

struct step {
    const struct kl_recorder *inner;
    const struct kl_step_record *record;
};

static enum kl_status record_step(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct step *step = job;

    (void)worker;
    (void)task;
    return step->inner->step(step->inner->self, step->record, err);
}

/* What waits for the disk does so in this thread: it takes no worker from the training. */
static enum kl_status do_job(struct kl_background *background, const struct job *job,
                             struct kl_error *err)
{
    const struct kl_recorder *inner = &background->inner;

    switch (job->kind) {
    case JOB_STEP:
        return kl_pool_run(background->pool, record_step, &(struct step){inner, &job->record}, 1,
                           err);
    case JOB_EVALUATION:
        return inner->evaluation(inner->self, job->step, job->dataset, &job->evaluation, err);
    case JOB_SNAPSHOT:
        return inner->snapshot(inner->self, job->step, background->snapshot, err);
    case JOB_CHECKPOINT:
        return inner->checkpoint(inner->self, &background->checkpoint, err);
    }
    return KL_OK;
}

static void *work(void *argument)
{
    struct kl_background *background = argument;

    pthread_mutex_lock(&background->lock);
    for (;;) {
        struct kl_error error = {0};
        struct job *job;

        while (!background->n_waiting && !background->stopping)
            pthread_cond_wait(&background->changed, &background->lock);
        if (!background->n_waiting)
            break;
        job = &background->jobs[background->waiting[background->first]];
        if (!background->error.status) { /* after a failure the rest is dropped */
            pthread_mutex_unlock(&background->lock);
            do_job(background, job, &error);
            pthread_mutex_lock(&background->lock);
            if (error.status)
                background->error = error;
        }
        if (job->kind == JOB_CHECKPOINT)
            background->has_checkpoint = 0;
        if (job->kind == JOB_SNAPSHOT)
            background->has_snapshot = 0;
        background->free[background->n_free++] = background->waiting[background->first];
        background->first = (background->first + 1) % background->n_slots;
        background->n_waiting--;
        pthread_cond_signal(&background->changed);
    }
    pthread_mutex_unlock(&background->lock);
    return NULL;
}

/* Waits for a free slot, which is then the giver's until give. Errors: inner's. */
static enum kl_status take_slot(struct kl_background *background, struct job **job,
                                struct kl_error *err)
{
    enum kl_status status;

    pthread_mutex_lock(&background->lock);
    while (background->n_free == 0)
        pthread_cond_wait(&background->changed, &background->lock);
    status = background->error.status;
    if (status)
        *err = background->error;
    else
        background->taken = background->free[--background->n_free];
    *job = &background->jobs[background->taken];
    pthread_mutex_unlock(&background->lock);
    return status;
}

static void give(struct kl_background *background)
{
    pthread_mutex_lock(&background->lock);
    background->waiting[(background->first + background->n_waiting) % background->n_slots] =
        background->taken;
    background->n_waiting++;
    pthread_cond_signal(&background->changed);
    pthread_mutex_unlock(&background->lock);
}

/* A record's numbers for the job: taken over for the job's own buffer, or copied into it. */
static const float *hand_over(const float *numbers, float **at, float **own, size_t n)
{
    if (at) {
        float *taken = *at;

        *at = *own;
        *own = taken;
    } else {
        memcpy(*own, numbers, n * sizeof(float));
    }
    return *own;
}

/* Points the job's record at room of its own and fills it. */
static void take_record(const struct kl_layout *layout, const struct kl_step_record *record,
                        struct job *job)
{
    size_t n = record->count;

    job->record = *record;
    job->record.samples = memcpy(job->samples, record->samples, n * sizeof(uint32_t));
    for (uint32_t l = 0; l < layout->n_layers; l++) {
        if (layout->keys[l])
            job->record.result.keys[l] =
                hand_over(record->result.keys[l], record->result.keys_at[l], &job->keys[l],
                          n * layout->keys[l]);
        if (layout->errors[l])
            job->record.result.errors[l] =
                hand_over(record->result.errors[l], record->result.errors_at[l], &job->errors[l],
                          n * layout->errors[l]);
    }
    if (layout->entries) {
        job->record.result.indices =
            memcpy(job->indices, record->result.indices, n * layout->entries * sizeof(uint32_t));
        job->record.result.left_out =
            memcpy(job->left_out, record->result.left_out, n * sizeof(float));
    }
}

static enum kl_status give_step(void *self, const struct kl_step_record *record,
                                struct kl_error *err)
{
    struct kl_background *background = self;
    struct job *job;
    enum kl_status status = take_slot(background, &job, err);

    if (status)
        return status;
    job->kind = JOB_STEP;
    take_record(&background->layout, record, job);
    give(background);
    return KL_OK;
}

static enum kl_status give_evaluation(void *self, uint32_t step, uint32_t dataset,
                                      const struct kl_evaluation *evaluation, struct kl_error *err)
{
    struct job *job;
    enum kl_status status = take_slot(self, &job, err);

    if (status)
        return status;
    job->kind = JOB_EVALUATION;
    job->step = step;
    job->dataset = dataset;
    job->evaluation = *evaluation;
    give(self);
    return KL_OK;
}

/* Waits until the copy that flag guards is free, then for a slot. */
static enum kl_status take_copy(struct kl_background *background, int *flag, struct job **job,
                                struct kl_error *err)
{
    enum kl_status status;

    pthread_mutex_lock(&background->lock);
    while (*flag)
        pthread_cond_wait(&background->changed, &background->lock);
    pthread_mutex_unlock(&background->lock);
    status = take_slot(background, job, err);
    if (status)
        return status;
    pthread_mutex_lock(&background->lock);
    *flag = 1;
    pthread_mutex_unlock(&background->lock);
    return KL_OK;
}

static enum kl_status give_snapshot(void *self, uint32_t step, const struct kl_network *network,
                                    struct kl_error *err)
{
    struct kl_background *background = self;
    struct job *job;
    enum kl_status status = take_copy(background, &background->has_snapshot, &job, err);

    if (status)
        return status;
    memcpy(background->snapshot->parameters, network->parameters,
           network->n_parameters * sizeof(float));
    job->kind = JOB_SNAPSHOT;
    job->step = step;
    give(background);
    return KL_OK;
}

static enum kl_status give_checkpoint(void *self, const struct kl_training_state *state,
                                      struct kl_error *err)
{
    struct kl_background *background = self;
    struct kl_training_state *copy = &background->checkpoint;
    size_t n_bytes = state->network->n_parameters * sizeof(float);
    struct job *job;
    enum kl_status status = take_copy(background, &background->has_checkpoint, &job, err);

    if (status)
        return status;
    memcpy(copy->network->parameters, state->network->parameters, n_bytes);
    for (uint32_t i = 0; i < KL_MOMENTS_MAX && copy->moments[i]; i++)
        memcpy(copy->moments[i]->parameters, state->moments[i]->parameters, n_bytes);
    if (copy->carried)
        memcpy(copy->carried, state->carried, copy->n_carried * sizeof(float));
    copy->steps_done = state->steps_done;
    job->kind = JOB_CHECKPOINT;
    give(background);
    return KL_OK;
}

static enum kl_status finish(void *self, const struct kl_training_state *state,
                             const struct kl_prediction *predictions, struct kl_error *err)
{
    struct kl_background *background = self;
    enum kl_status status;

    pthread_mutex_lock(&background->lock);
    while (background->n_waiting)
        pthread_cond_wait(&background->changed, &background->lock);
    status = background->error.status;
    if (status)
        *err = background->error;
    pthread_mutex_unlock(&background->lock);
    return status ? status
                  : background->inner.finish(background->inner.self, state, predictions, err);
}

static enum kl_status allocate_job(const struct kl_layout *layout, size_t n, struct job *job,
                                   struct kl_error *err)
{
    enum kl_status status = kl_alloc(&job->samples, n, sizeof(uint32_t), "a record", err);

    for (uint32_t l = 0; !status && l < layout->n_layers; l++) {
        status = kl_alloc(&job->keys[l], n * layout->keys[l], sizeof(float), "a record", err);
        if (!status)
            status =
                kl_alloc(&job->errors[l], n * layout->errors[l], sizeof(float), "a record", err);
    }
    if (!status)
        status = kl_alloc(&job->indices, n * layout->entries, sizeof(uint32_t), "a record", err);
    return status ? status : kl_alloc(&job->left_out, n, sizeof(float), "a record", err);
}

static void free_job(struct job *job)
{
    free(job->samples);
    free(job->indices);
    free(job->left_out);
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        free(job->keys[l]);
        free(job->errors[l]);
    }
}

static enum kl_status allocate(struct kl_background *background, const struct kl_training *training,
                               struct kl_error *err)
{
    size_t n_patterns = kl_training_patterns(training), numbers = 0, fits;
    enum kl_status status = kl_training_state_create(training, &background->checkpoint, err);

    if (!status)
        status = kl_network_create(&training->shape, &background->snapshot, err);
    kl_training_layout(training, &background->layout);
    for (uint32_t l = 0; l < background->layout.n_layers; l++)
        numbers += background->layout.keys[l] + background->layout.errors[l];
    fits = SLOTS_BYTES / (n_patterns * numbers * sizeof(float) + 1);
    background->n_slots = fits < 2 ? 2 : fits > SLOTS_MAX ? SLOTS_MAX : (unsigned)fits;
    for (unsigned i = 0; !status && i < background->n_slots; i++) {
        background->free[background->n_free++] = i;
        status = allocate_job(&background->layout, n_patterns, &background->jobs[i], err);
    }
    return status;
}

enum kl_status kl_background_start(struct kl_pool *pool, const struct kl_recorder *inner,
                                   const struct kl_training *training, struct kl_background **out,
                                   struct kl_error *err)
{
    struct kl_background *background = NULL;
    struct kl_error ignored;
    enum kl_status status = kl_alloc(&background, 1, sizeof *background, "recording", err);

    if (status)
        return status;
    if (pool && kl_pool_n_workers(pool) > 1) /* the only one may be the giver's */
        background->pool = pool;
    background->inner = *inner;
    pthread_mutex_init(&background->lock, NULL);
    pthread_cond_init(&background->changed, NULL);
    status = allocate(background, training, err);
    if (!status && pthread_create(&background->thread, NULL, work, background))
        status = kl_fail(err, KL_ERR_MEMORY,
                         "cannot start the recording thread: the system has no room for more");
    if (status) {
        (void)kl_background_stop(background, &ignored);
        return status;
    }
    background->is_running = 1;
    *out = background;
    return KL_OK;
}

struct kl_recorder kl_background_recorder(struct kl_background *background)
{
    return (struct kl_recorder){background,    give_step,       give_evaluation,
                                give_snapshot, give_checkpoint, finish};
}

enum kl_status kl_background_stop(struct kl_background *background, struct kl_error *err)
{
    enum kl_status status;

    if (!background)
        return KL_OK;
    if (background->is_running) {
        pthread_mutex_lock(&background->lock);
        background->stopping = 1;
        pthread_cond_signal(&background->changed);
        pthread_mutex_unlock(&background->lock);
        pthread_join(background->thread, NULL);
    }
    status = background->error.status;
    if (status)
        *err = background->error;
    for (unsigned i = 0; i < background->n_slots; i++)
        free_job(&background->jobs[i]);
    kl_training_state_clear(&background->checkpoint);
    kl_network_free(background->snapshot);
    pthread_cond_destroy(&background->changed);
    pthread_mutex_destroy(&background->lock);
    free(background);
    return status;
}
