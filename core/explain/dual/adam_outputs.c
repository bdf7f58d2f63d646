/* Outputs of the last layer: their coefficients, and how they weigh a query. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/dual/adam_private.h"
#include "core/explain/dual/sweep.h"
#include "core/explain/layer_scan.h"
#include "core/scan/resident.h"

#define PART_ROWS 512 /* keys that are read at a time */
#define TASKS_MAX 64
#define GAP                                                                                        \
    1024 /* floats, 4 KB, between two queries: nearer, they cost a third of the pass's speed */

enum kl_status kl_adam_create(struct kl_adam **out, struct kl_error *err)
{
    enum kl_status status = kl_alloc(out, 1, sizeof **out, "Adam's coefficients", err);

    if (status)
        return status;
    (*out)->room = KL_ADAM_ROOM;
    pthread_mutex_init(&(*out)->sweeping, NULL);
    pthread_mutex_init(&(*out)->summing, NULL);
    pthread_mutex_init(&(*out)->making, NULL);
    pthread_mutex_init(&(*out)->list, NULL);
    pthread_mutex_init(&(*out)->queue, NULL);
    pthread_mutex_init(&(*out)->telling, NULL);
    pthread_cond_init(&(*out)->is_free, NULL);
    return KL_OK;
}

static void free_output(struct kl_adam_output *output)
{
    free(output->coefficients);
    free(output);
}

void kl_adam_free(struct kl_adam *adam)
{
    if (!adam)
        return;
    while (adam->outputs) {
        struct kl_adam_output *next = adam->outputs->next;

        free_output(adam->outputs);
        adam->outputs = next;
    }
    free(adam->sums.by_class);
    free(adam->sums.by_bin);
    free(adam->sums.all);
    free(adam->sums.left);
    pthread_mutex_destroy(&adam->sweeping);
    pthread_mutex_destroy(&adam->summing);
    pthread_mutex_destroy(&adam->making);
    pthread_mutex_destroy(&adam->list);
    pthread_mutex_destroy(&adam->queue);
    pthread_mutex_destroy(&adam->telling);
    pthread_cond_destroy(&adam->is_free);
    free(adam);
}

void kl_adam_say(struct kl_adam *adam, struct kl_adam_progress progress)
{
    pthread_mutex_lock(&adam->telling);
    adam->progress = progress;
    pthread_mutex_unlock(&adam->telling);
}

void kl_adam_tell(struct kl_adam *adam, struct kl_adam_progress *progress)
{
    pthread_mutex_lock(&adam->telling);
    *progress = adam->progress;
    pthread_mutex_unlock(&adam->telling);
}

/* What a sweep fills: outputs first .. first + n - 1. */
struct filling {
    uint32_t first;
    struct kl_adam_output **outputs;
};

static void fill(void *self, const struct kl_sweep_rows *rows, uint32_t step,
                 const float *coefficients, const float *gradient)
{
    const struct filling *filling = self;

    (void)gradient;
    for (uint32_t r = 0; r < rows->n; r++)
        memcpy(filling->outputs[rows->first + r - filling->first]->coefficients +
                   (size_t)(step - 1) * rows->width,
               coefficients + (size_t)r * rows->width, rows->width * sizeof(float));
}

static struct kl_adam_output **place_of(struct kl_adam *adam, uint32_t output)
{
    struct kl_adam_output **place = &adam->outputs;

    while (*place && (*place)->output != output)
        place = &(*place)->next;
    return place;
}

/* Gives back what nobody uses and was used longest ago, until there is room. */
static void make_room(struct kl_adam *adam, size_t wanted, size_t each)
{
    while (adam->n_bytes + wanted > adam->room) {
        struct kl_adam_output **oldest = NULL, *gone;

        for (struct kl_adam_output **place = &adam->outputs; *place; place = &(*place)->next)
            if ((*place)->n_users == 0)
                oldest = place;
        if (!oldest)
            return;
        gone = *oldest;
        *oldest = gone->next;
        free_output(gone);
        adam->n_bytes -= each;
    }
}

/* making is held. All outputs, if there is room for them, because one sweep makes them all. */
static enum kl_status make_outputs(struct kl_pool *pool, const struct kl_history *history,
                                   uint32_t output, struct kl_error *err)
{
    struct kl_adam *adam = history->adam;
    uint32_t last = history->final->shape.n_layers - 1;
    uint32_t n_outputs = history->final->shape.outputs[last];
    size_t width = history->final->shape.inputs[last] + 1;
    size_t each = history->n_steps * width * sizeof(float);
    int all = !adam->outputs && n_outputs * each <= adam->room;
    struct filling filling = {.first = all ? 0 : output};
    struct kl_sweep sweep = {.pool = pool,
                             .history = history,
                             .layer = last,
                             .first = filling.first,
                             .n = all ? n_outputs : 1,
                             .self = &filling,
                             .step = fill};
    enum kl_status status =
        kl_alloc(&filling.outputs, sweep.n, sizeof *filling.outputs, "Adam's coefficients", err);

    for (uint32_t i = 0; !status && i < sweep.n; i++) {
        status = kl_alloc(&filling.outputs[i], 1, sizeof **filling.outputs, "coefficients", err);
        if (status)
            break;
        filling.outputs[i]->output = sweep.first + i;
        status = kl_alloc_scanned(&filling.outputs[i]->coefficients, history->n_steps * width,
                                  sizeof(float), "Adam's coefficients", err);
    }
    if (!status)
        status = kl_sweep(&sweep, err);
    pthread_mutex_lock(&adam->list);
    if (!status)
        make_room(adam, sweep.n * each, each);
    for (uint32_t i = 0; filling.outputs && i < sweep.n; i++) {
        if (status && filling.outputs[i]) {
            free_output(filling.outputs[i]);
        } else if (!status) {
            filling.outputs[i]->next = adam->outputs;
            adam->outputs = filling.outputs[i];
            adam->n_bytes += each;
        }
    }
    pthread_mutex_unlock(&adam->list);
    free(filling.outputs);
    return status;
}

/* One output's coefficients if they are there, to be given back with leave; or NULL. */
static struct kl_adam_output *use_made(struct kl_adam *adam, uint32_t output)
{
    struct kl_adam_output **place, *found;

    pthread_mutex_lock(&adam->list);
    place = place_of(adam, output);
    found = *place;
    if (found) { /* it is the one used last */
        *place = found->next;
        found->next = adam->outputs;
        adam->outputs = found;
        found->n_users++;
    }
    pthread_mutex_unlock(&adam->list);
    return found;
}

static enum kl_status use(struct kl_pool *pool, const struct kl_history *history, uint32_t output,
                          struct kl_adam_output **out, struct kl_error *err)
{
    struct kl_adam *adam = history->adam;
    enum kl_status status = KL_OK;

    *out = use_made(adam, output);
    if (*out)
        return KL_OK;
    pthread_mutex_lock(&adam->making);
    while (!status && !(*out = use_made(adam, output)))
        status = make_outputs(pool, history, output, err);
    pthread_mutex_unlock(&adam->making);
    return status;
}

static void leave(struct kl_adam *adam, struct kl_adam_output *output)
{
    pthread_mutex_lock(&adam->list);
    output->n_users--;
    pthread_mutex_unlock(&adam->list);
}

/* A pass over the keys with every step's own query. */
struct job {
    const struct kl_history *history;
    const struct kl_block_source *keys;
    int are_samples; /* rows are images, by sample */
    unsigned n_tasks;
    const float *x, *coefficients;
    float *attention, *weighted; /* (n_patterns); attention may be NULL */
};

/* Queries of a step: x, and C_s * x; of images by data set, with their standardisation. */
struct queries {
    float *plain, *weighted; /* (n_datasets, width) */
    float plain_offset[KL_DATASETS_MAX], weighted_offset[KL_DATASETS_MAX];
};

/* folded = row * x, with the row's bias; row NULL: x. own (width) is used of images alone: what is
 * written lies between the keys in the processor's cache, and costs their speed. */
static void set_query(const struct job *job, const float *row, float *own, float *folded,
                      float *offsets)
{
    const struct kl_collection *data = job->history->data;
    uint32_t width = job->keys->width;
    float *query = job->are_samples ? own : folded, offset = row ? row[width] : 0;

    for (uint32_t i = 0; i < width; i++)
        query[i] = row ? row[i] * job->x[i] : job->x[i];
    offsets[0] = offset;
    for (uint32_t d = 0; job->are_samples && d < data->n_datasets; d++)
        offsets[d] =
            offset + kl_fold_standardisation(data->datasets[d], query, folded + (size_t)d * width);
}

/* Rows of a block, of data set d. */
static void weigh_rows(const struct job *job, const struct queries *queries,
                       const struct kl_block *block, uint64_t first, uint32_t d)
{
    float scale = ldexpf(1, -block->exponent);
    size_t width = job->keys->width;
    struct kl_dots dots = {
        .n = job->attention ? 2 : 1,
        .queries = {queries->weighted + d * width, queries->plain + d * width},
        .out = {job->weighted + first, job->attention ? job->attention + first : NULL}};

    kl_dot(block->dtype, block->numbers, block->count, width, &dots);
    for (size_t q = 0; q < dots.n; q++) {
        float offset = q ? queries->plain_offset[d] : queries->weighted_offset[d];
        float *out = dots.out[q];

        for (uint32_t i = 0; i < block->count; i++)
            out[i] = out[i] * scale + offset;
    }
}

static enum kl_status weigh_step(const struct job *job, const struct queries *queries,
                                 unsigned worker, uint64_t t, uint64_t end, struct kl_error *err)
{
    const struct kl_history *history = job->history;
    struct kl_block block;

    while (t < end) {
        uint64_t row = job->are_samples ? history->samples[t] : t;
        uint32_t number = kl_block_of(job->keys, row), n = 1, d = 0;
        const struct kl_extent *extent = &job->keys->extents[number];
        uint64_t left = extent->first + extent->count - row;

        if (job->are_samples) {
            d = kl_collection_place(history->data, (uint32_t)row).dataset;
        } else {
            left = left < end - t ? left : end - t;
            n = left < PART_ROWS ? (uint32_t)left : PART_ROWS;
        }
        if (job->keys->read(job->keys->self, worker, number, (uint32_t)(row - extent->first), n,
                            &block, err))
            return err->status;
        weigh_rows(job, queries, &block, t, d);
        t += n;
    }
    return KL_OK;
}

/* A range of steps. */
static enum kl_status weigh_steps(void *argument, unsigned worker, unsigned task,
                                  struct kl_error *err)
{
    const struct job *job = argument;
    const struct kl_history *history = job->history;
    size_t width = job->keys->width, n = history->data->n_datasets * width;
    uint64_t first = (uint64_t)history->n_steps * task / job->n_tasks;
    uint64_t end = (uint64_t)history->n_steps * (task + 1) / job->n_tasks;
    struct queries queries = {0};
    float *own = NULL;
    enum kl_status status =
        kl_alloc_scanned(&queries.plain, 2 * n + GAP, sizeof(float), "a query", err);

    if (!status)
        status = kl_alloc(&own, width, sizeof(float), "a query", err);
    if (!status) {
        queries.weighted = queries.plain + n + GAP;
        set_query(job, NULL, own, queries.plain, queries.plain_offset);
    }
    for (uint64_t s = first; !status && s < end; s++) {
        set_query(job, job->coefficients + s * (width + 1), own, queries.weighted,
                  queries.weighted_offset);
        status = weigh_step(job, &queries, worker, history->starts[s], history->starts[s + 1], err);
    }
    free(queries.plain);
    free(own);
    return status;
}

enum kl_status kl_adam_weigh(struct kl_pool *pool, const struct kl_history *history,
                             uint32_t output, const float *x, float *attention, float *weighted,
                             struct kl_error *err)
{
    uint32_t last = history->final->shape.n_layers - 1;
    struct job job = {.history = history,
                      .keys = history->keys[last],
                      .are_samples = kl_shape_reads_samples(&history->final->shape, last),
                      .n_tasks = history->n_steps < TASKS_MAX ? history->n_steps : TASKS_MAX,
                      .x = x,
                      .attention = attention,
                      .weighted = weighted};
    struct kl_resident *images = NULL;
    struct kl_adam_output *own = NULL;
    enum kl_status status = use(pool, history, output, &own, err);

    if (status)
        return status;
    job.coefficients = own->coefficients;
    if (job.are_samples) {
        status = kl_resident_create(history->keys[last], pool, &images, err);
        if (!status)
            job.keys = &images->source;
    }
    if (!status)
        status = kl_pool_run(pool, weigh_steps, &job, job.n_tasks, err);
    leave(history->adam, own);
    kl_resident_free(images);
    return status;
}
