#include "core/explain/dual/sweep.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/dual/adam_private.h"
#include "core/explain/places/places.h"
#include "core/models/adam_dual.h"
#include "core/scan/resident.h"
#include "core/scan/scan.h"

#define ROOM ((size_t)512 << 20)        /* bytes of what is kept of some outputs */
#define SLICE_NUMBERS ((size_t)1 << 22) /* of keys, or error signals, at a time */

/* What a task keeps of its outputs: matrices (n, width). */
struct part {
    struct kl_sweep_rows rows;
    float *squares, *mean, *weights; /* v, m and W as the sweep goes forward; of W and m without
                                        weight decay NULL, */
    float *p, *q;                    /* and as it comes back */
    float *kept;          /* (n_segments, n_kept, n, width) at each segment's beginning */
    float *denominators;  /* (steps of a segment, n, width); where C_s is made, too */
    float *gradients;     /* likewise, if steps are wanted; otherwise one step's */
    float *keys, *errors; /* (slice * places, inputs), (slice * places, outputs) */
};

/* How much is done; the first task counts for all. */
struct telling {
    uint64_t done, all; /* steps that were gone forward, and twice those that were come back */
};

struct job {
    const struct kl_sweep *sweep;
    const struct kl_block_source *keys;
    int is_penalised; /* weight decay is part of the gradient */
    uint32_t segment_steps, n_segments, n_kept, places, slice; /* showings at a time */
    uint32_t segment;                                          /* the current one */
    struct part *parts;
    unsigned n_parts;
    uint32_t first, n; /* the outputs that the parts have together */
    float *shared; /* of several processes: the segment's gradients, (steps, n, width); or NULL */
    float *column; /* (n_patterns) of one output alone: its error signals; or NULL */
    struct telling *telling;
    double share; /* P of decoupled weight decay after the current segment */
};

static size_t numbers_of(const struct part *part)
{
    return (size_t)part->rows.n * part->rows.width;
}

static const struct kl_step_rule *rule_of(const struct job *job, uint32_t step)
{
    return &job->sweep->history->layers[job->sweep->layer].rules[step - 1];
}

/* What AdamW leaves of the weights in one step. */
static double kept_share(const struct job *job, uint32_t step)
{
    const struct kl_step_rule *rule = rule_of(job, step);

    return job->is_penalised ? 1 : 1 - rule->learning_rate * rule->weight_decay;
}

static uint32_t first_step(const struct job *job)
{
    return job->segment * job->segment_steps + 1;
}

static uint32_t last_step(const struct job *job)
{
    uint32_t last = (job->segment + 1) * job->segment_steps, n = job->sweep->history->n_steps;

    return last < n ? last : n;
}

/* Reads the next showings of a step, as many as fit a slice: returns how many. */
static enum kl_status read_slice(const struct job *job, struct part *part, unsigned worker,
                                 uint32_t step, uint32_t done, struct kl_sweep_patterns *patterns,
                                 struct kl_error *err)
{
    const struct kl_history *history = job->sweep->history;
    uint32_t left = kl_history_count(history, step) - done;
    uint32_t n = left < job->slice ? left : job->slice;
    enum kl_status status;

    *patterns = (struct kl_sweep_patterns){
        .first = kl_history_start(history, step) + done,
        .at = kl_history_start(history, step) + done - kl_history_start(history, first_step(job)),
        .n_showings = n,
        .n = n * job->places,
        .step = step,
        .keys = part->keys,
        .errors = part->errors + part->rows.first,
        .stride = history->final->shape.outputs[job->sweep->layer]};
    status = kl_read_keys(history, job->keys, job->sweep->layer, worker, patterns->first, n,
                          part->keys, err);
    if (job->column) {
        patterns->errors = job->column + patterns->first;
        patterns->stride = 1;
        return status;
    }
    return status ? status
                  : kl_read_errors(history, job->sweep->layer, worker, patterns->first, n,
                                   part->errors, err);
}

/* G_s = sum over the step of d_t x_t^T, biases as the last column. */
static enum kl_status find_gradient(const struct job *job, struct part *part, unsigned worker,
                                    uint32_t step, float *gradient, struct kl_error *err)
{
    uint32_t width = part->rows.width, n = part->rows.n, done = 0;
    struct kl_sweep_patterns patterns;

    while (done < kl_history_count(job->sweep->history, step)) {
        if (read_slice(job, part, worker, step, done, &patterns, err))
            return err->status;
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)n, (int)width - 1,
                    (int)patterns.n, 1, patterns.errors, (int)patterns.stride, patterns.keys,
                    (int)width - 1, done ? 1 : 0, gradient, (int)width);
        for (uint32_t r = 0; r < n; r++) {
            float sum = 0;

            for (uint32_t i = 0; i < patterns.n; i++)
                sum += patterns.errors[i * patterns.stride + r];
            gradient[(size_t)r * width + width - 1] =
                sum + (done ? gradient[(size_t)r * width + width - 1] : 0);
        }
        done += patterns.n_showings;
    }
    return KL_OK;
}

/* The state at the beginning of a segment: put there, or taken from there. */
static void keep(const struct job *job, struct part *part, int is_back)
{
    size_t n = numbers_of(part);
    float *kept = part->kept + (size_t)job->segment * job->n_kept * n;
    float *const states[] = {part->squares, part->mean, part->weights};

    for (uint32_t k = 0; k < job->n_kept; k++) {
        if (is_back)
            memcpy(states[k], kept + k * n, n * sizeof(float));
        else
            memcpy(kept + k * n, states[k], n * sizeof(float));
    }
}

static void tell(const struct job *job, const struct part *part, unsigned n)
{
    struct telling *telling = job->telling;

    if (part->rows.task > 0)
        return;
    telling->done += n;
    kl_adam_say(job->sweep->history->adam,
                (struct kl_adam_progress){1, job->sweep->layer + 1,
                                          (double)telling->done / (double)telling->all});
}

/* Where a step's gradient of a part's outputs is. */
static float *shared_row(const struct job *job, const struct part *part, uint32_t step)
{
    size_t row = (size_t)(step - first_step(job)) * job->n + (part->rows.first - job->first);

    return job->shared + row * part->rows.width;
}

static enum kl_status share_task(void *argument, unsigned worker, unsigned task,
                                 struct kl_error *err)
{
    const struct job *job = argument;
    struct part *part = &job->parts[task];

    for (uint32_t step = first_step(job); step <= last_step(job); step++)
        if (kl_history_count(job->sweep->history, step) == 0)
            memset(shared_row(job, part, step), 0, numbers_of(part) * sizeof(float));
        else if (find_gradient(job, part, worker, step, shared_row(job, part, step), err))
            return err->status;
    return KL_OK;
}

/* The gradients of a segment's steps, from all processes: each step is of one of them, so that the
 * sum is what that one made, to the bit. */
static enum kl_status share_gradients(const struct job *job, struct kl_error *err)
{
    size_t n_steps = last_step(job) - first_step(job) + 1;
    enum kl_status status = KL_OK;

    if (!job->shared)
        return KL_OK;
    status = kl_pool_run(job->sweep->pool, share_task, (void *)job, job->n_parts, err);
    return status ? status
                  : kl_peers_sum_floats(job->sweep->history->peers, job->shared,
                                        n_steps * job->n * job->parts->rows.width, err);
}

/* From the beginning of the segment to its end. keeps: D_s (and G_s, if wanted) of every step. */
static enum kl_status go_forward(const struct job *job, struct part *part, unsigned worker,
                                 int keeps, struct kl_error *err)
{
    size_t n = numbers_of(part);

    for (uint32_t step = first_step(job); step <= last_step(job); step++) {
        size_t at = keeps ? (step - first_step(job)) * n : 0;
        float *gradient = part->gradients + (job->sweep->step ? at : 0);

        if (job->shared)
            memcpy(gradient, shared_row(job, part, step), n * sizeof *gradient);
        else if (find_gradient(job, part, worker, step, gradient, err))
            return err->status;
        kl_adam_forward(rule_of(job, step), step, n, gradient, part->squares, part->mean,
                        part->weights, part->denominators + at);
        tell(job, part, 1);
    }
    return KL_OK;
}

static enum kl_status forward_task(void *argument, unsigned worker, unsigned task,
                                   struct kl_error *err)
{
    const struct job *job = argument;

    keep(job, &job->parts[task], 0);
    return go_forward(job, &job->parts[task], worker, 0, err);
}

static enum kl_status show_patterns(const struct job *job, struct part *part, unsigned worker,
                                    uint32_t step, const float *coefficients, struct kl_error *err)
{
    uint32_t done = 0;

    while (done < kl_history_count(job->sweep->history, step)) {
        struct kl_sweep_patterns patterns;

        if (read_slice(job, part, worker, step, done, &patterns, err))
            return err->status;
        patterns.coefficients = coefficients;
        job->sweep->patterns(job->sweep->self, &part->rows, &patterns);
        done += patterns.n_showings;
    }
    return KL_OK;
}

static enum kl_status backward_task(void *argument, unsigned worker, unsigned task,
                                    struct kl_error *err)
{
    const struct job *job = argument;
    struct part *part = &job->parts[task];
    int has_bias = job->sweep->history->layers[job->sweep->layer].bias > 0;
    size_t n = numbers_of(part);
    double share = job->share;
    enum kl_status status;

    keep(job, part, 1);
    status = go_forward(job, part, worker, 1, err);
    for (uint32_t step = last_step(job); !status && step >= first_step(job); step--) {
        size_t at = (step - first_step(job)) * n;
        float *coefficients = part->denominators + at;

        kl_adam_backward(rule_of(job, step), n, coefficients, share, part->p, part->q,
                         coefficients);
        for (size_t i = part->rows.width - 1; !has_bias && i < n; i += part->rows.width)
            coefficients[i] = 0;
        share *= kept_share(job, step);
        if (job->sweep->step)
            job->sweep->step(job->sweep->self, &part->rows, step, coefficients,
                             part->gradients + at);
        if (job->sweep->wants_patterns)
            status = show_patterns(job, part, worker, step, coefficients, err);
        tell(job, part, 2);
    }
    return status;
}

static void free_parts(struct job *job)
{
    for (unsigned i = 0; job->parts && i < job->n_parts; i++) {
        struct part *part = &job->parts[i];
        float *all[] = {part->squares, part->mean,  part->weights,      part->p,
                        part->q,       part->kept,  part->denominators, part->gradients,
                        part->keys,    part->errors};

        for (size_t k = 0; k < sizeof all / sizeof all[0]; k++)
            free(all[k]);
    }
    free(job->parts);
    free(job->shared);
    job->parts = NULL;
    job->shared = NULL;
}

static enum kl_status begin_part(const struct job *job, struct part *part, struct kl_error *err)
{
    const struct kl_history *history = job->sweep->history;
    uint32_t layer = job->sweep->layer;
    size_t n = numbers_of(part), steps = job->segment_steps;
    const struct {
        float **numbers;
        size_t n;
    } wanted[] = {
        {&part->squares, n},
        {&part->mean, job->is_penalised ? n : 0},
        {&part->weights, job->is_penalised ? n : 0},
        {&part->p, job->is_penalised ? n : 0},
        {&part->q, n},
        {&part->kept, job->n_segments * job->n_kept * n},
        {&part->denominators, steps * n},
        {&part->gradients, (job->sweep->step ? steps : 1) * n},
        {&part->keys, (size_t)job->slice * job->places * history->final->shape.inputs[layer]},
        {&part->errors,
         job->column ? 0 : (size_t)job->slice * job->places * history->final->shape.outputs[layer]},
    };

    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
        if (wanted[i].n &&
            kl_alloc(wanted[i].numbers, wanted[i].n, sizeof(float), "Adam's coefficients", err))
            return err->status;
    for (uint32_t r = 0; part->weights && r < part->rows.n; r++) {
        const struct kl_network *initial = history->initial;
        size_t inputs = part->rows.width - 1, row = part->rows.first + r;
        float *to = part->weights + r * part->rows.width;

        memcpy(to, initial->weights[layer] + row * inputs, inputs * sizeof(float));
        to[inputs] = initial->biases[layer][row];
    }
    for (size_t i = 0; part->p && i < n; i++)
        part->p[i] = 1;
    return KL_OK;
}

/* Outputs first .. first + n - 1, n shared by the workers. */
static enum kl_status begin_parts(struct job *job, uint32_t first, uint32_t n, struct kl_error *err)
{
    unsigned n_workers = kl_pool_n_workers(job->sweep->pool);
    uint32_t width = job->sweep->history->final->shape.inputs[job->sweep->layer] + 1;
    enum kl_status status;

    job->n_parts = n < n_workers ? n : n_workers;
    job->first = first;
    job->n = n;
    status = kl_alloc(&job->parts, job->n_parts, sizeof *job->parts, "Adam's coefficients", err);
    for (unsigned i = 0; !status && i < job->n_parts; i++) {
        uint32_t begin = (uint32_t)((uint64_t)n * i / job->n_parts);
        uint32_t end = (uint32_t)((uint64_t)n * (i + 1) / job->n_parts);

        job->parts[i].rows = (struct kl_sweep_rows){i, first + begin, end - begin, width};
        status = begin_part(job, &job->parts[i], err);
    }
    if (!status && kl_peers_n(job->sweep->history->peers) > 1)
        status = kl_alloc(&job->shared, (size_t)job->segment_steps * n * width, sizeof *job->shared,
                          "Adam's gradients", err);
    return status;
}

static enum kl_status sweep_outputs(struct job *job, uint32_t first, uint32_t n,
                                    struct kl_error *err)
{
    const struct kl_sweep *sweep = job->sweep;
    const uint64_t *starts = sweep->history->starts;
    uint64_t most = 0;
    enum kl_status status = begin_parts(job, first, n, err);

    for (job->segment = 0; job->segment < job->n_segments; job->segment++) {
        uint64_t n_patterns = starts[last_step(job)] - starts[first_step(job) - 1];

        most = n_patterns > most ? n_patterns : most;
    }
    if (!status && sweep->begin)
        status = sweep->begin(sweep->self, job->n_parts, most, err);
    for (job->segment = 0; !status && job->segment + 1 < job->n_segments; job->segment++) {
        status = share_gradients(job, err);
        if (!status)
            status = kl_pool_run(sweep->pool, forward_task, job, job->n_parts, err);
    }
    for (unsigned i = 0; !status && i < job->n_parts; i++)
        keep(job, &job->parts[i], 0);
    job->share = 1;
    for (job->segment = job->n_segments; !status && job->segment-- > 0;) {
        status = share_gradients(job, err);
        if (!status)
            status = kl_pool_run(sweep->pool, backward_task, job, job->n_parts, err);
        for (uint32_t step = last_step(job); step >= first_step(job); step--)
            job->share *= kept_share(job, step);
        if (!status && sweep->segment)
            sweep->segment(sweep->self, starts[first_step(job) - 1],
                           starts[last_step(job)] - starts[first_step(job) - 1]);
    }
    for (unsigned i = 0; !status && sweep->end && i < job->n_parts; i++)
        sweep->end(sweep->self, &job->parts[i].rows, job->parts[i].p, job->share);
    free_parts(job);
    return status;
}

uint32_t kl_sweep_slice(const struct kl_history *history, uint32_t layer)
{
    const struct kl_shape *shape = &history->final->shape;
    size_t width = shape->inputs[layer] + (size_t)1, outputs = shape->outputs[layer];
    size_t widest = width > outputs ? width : outputs;
    uint32_t slice = (uint32_t)(SLICE_NUMBERS / (widest * kl_shape_places(shape, layer))) + 1;

    return slice < history->most_per_step ? slice : history->most_per_step;
}

/* How long segments are, and how many outputs are done at a time. */
static uint32_t plan(struct job *job)
{
    const struct kl_sweep *sweep = job->sweep;
    const struct kl_shape *shape = &sweep->history->final->shape;
    size_t width = shape->inputs[sweep->layer] + 1;
    size_t steps = sweep->history->n_steps, row, most;
    size_t per_step = sweep->step ? 2 : 1;
    size_t room = sweep->room ? sweep->room : ROOM;

    if (kl_peers_n(sweep->history->peers) > 1)
        per_step++; /* what others have is kept, too */
    job->places = kl_shape_places(shape, sweep->layer);
    job->slice = kl_sweep_slice(sweep->history, sweep->layer);
    job->n_kept = job->is_penalised ? 3 : 1;
    job->segment_steps = sweep->history->n_steps;
    if (steps * per_step * width * sweep->n * sizeof(float) > room)
        job->segment_steps = (uint32_t)sqrt((double)steps * job->n_kept / (double)per_step) + 1;
    job->n_segments = (sweep->history->n_steps + job->segment_steps - 1) / job->segment_steps;
    row = (job->segment_steps * per_step + (size_t)job->n_segments * job->n_kept) * width *
          sizeof(float);
    most = room / row ? room / row : 1;
    return most < sweep->n ? (uint32_t)most : sweep->n;
}

int kl_sweep_is_penalised(const struct kl_history *history, uint32_t layer)
{
    const struct kl_step_rule *rules = history->layers[layer].rules;

    for (uint32_t step = 0; !history->is_decoupled && step < history->n_steps; step++)
        if (rules[step].weight_decay > 0)
            return 1;
    return 0;
}

/* The error signals of the only output that is wanted. */
static enum kl_status read_column(const struct kl_sweep *sweep, float **column,
                                  struct kl_error *err)
{
    const struct kl_block_source *errors = sweep->history->errors[sweep->layer];
    float *one = NULL;
    enum kl_status status = kl_alloc(&one, errors->width, sizeof(float), "an output", err);

    if (!status)
        status = kl_alloc(column, errors->n_rows, sizeof(float), "an output", err);
    if (!status) {
        one[sweep->first] = 1;
        status = kl_scan_dot(sweep->pool, errors, one, 0, *column, err);
    }
    free(one);
    return status;
}

enum kl_status kl_sweep(const struct kl_sweep *sweep, struct kl_error *err)
{
    const struct kl_history *history = sweep->history;
    struct job job = {.sweep = sweep,
                      .keys = history->keys[sweep->layer],
                      .is_penalised = kl_sweep_is_penalised(history, sweep->layer)};
    struct kl_resident *images = NULL;
    uint32_t most = plan(&job);
    struct telling telling = {0, (uint64_t)((sweep->n + most - 1) / most) *
                                     ((job.n_segments - 1) * (uint64_t)job.segment_steps +
                                      3 * (uint64_t)history->n_steps)};
    enum kl_status status = KL_OK;

    job.telling = &telling;
    pthread_mutex_lock(&history->adam->sweeping);
    kl_adam_say(history->adam, (struct kl_adam_progress){1, sweep->layer + 1, 0});

    if (kl_shape_reads_samples(&history->final->shape, sweep->layer)) {
        status = kl_resident_create(history->keys[sweep->layer], sweep->pool, &images, err);
        if (!status)
            job.keys = &images->source;
    }
    if (!status && sweep->n == 1 && job.places == 1)
        status = read_column(sweep, &job.column, err);
    for (uint32_t first = 0; !status && first < sweep->n; first += most)
        status = sweep_outputs(&job, sweep->first + first,
                               sweep->n - first < most ? sweep->n - first : most, err);
    if (!status)
        status = kl_peers_meet(history->peers, err);
    kl_adam_say(history->adam, (struct kl_adam_progress){0});
    pthread_mutex_unlock(&history->adam->sweeping);
    kl_resident_free(images);
    free(job.column);
    return status;
}
