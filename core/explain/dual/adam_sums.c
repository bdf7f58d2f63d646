/* Sums over the history of a layer: what the patterns made of its weights. */
#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/dual/adam_private.h"
#include "core/explain/dual/sweep.h"

/* Weights of a layer, with the biases as the last column. */
struct job {
    const struct kl_history *history;
    uint32_t layer;
    double *weights;      /* what is summed, or left: (outputs, width) */
    const uint8_t *marks; /* of the patterns that are summed, */
    int value;            /* which have this one; or NULL: all */
    float **own;          /* (n_tasks) of marked patterns: (outputs, width) of a step */
    float **rows;         /* (n_tasks) likewise: their error signals, 0 of the others */
    unsigned n_tasks;
    size_t n_own, n_rows;
};

static void add_step(void *self, const struct kl_sweep_rows *rows, uint32_t step,
                     const float *coefficients, const float *gradient)
{
    const struct job *job = self;
    size_t n = (size_t)rows->n * rows->width;
    double *sums = job->weights + (size_t)rows->first * rows->width;

    (void)step;
    for (size_t i = 0; i < n; i++)
        sums[i] += (double)coefficients[i] * gradient[i];
}

/* Of marked patterns alone. */
static void add_marked(void *self, const struct kl_sweep_rows *rows,
                       const struct kl_sweep_patterns *patterns)
{
    const struct job *job = self;
    double *sums = job->weights + (size_t)rows->first * rows->width;
    float *own = job->own[rows->task], *errors = job->rows[rows->task];
    uint32_t n = rows->n, inputs = rows->width - 1, wanted = 0;

    for (uint32_t i = 0; i < patterns->n; i++) {
        uint32_t is_wanted = job->marks[patterns->first + i] == job->value;

        wanted += is_wanted;
        for (uint32_t r = 0; r < n; r++)
            errors[(size_t)i * n + r] = is_wanted ? patterns->errors[i * patterns->stride + r] : 0;
    }
    if (!wanted)
        return;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)n, (int)inputs, (int)patterns->n, 1,
                errors, (int)n, patterns->keys, (int)inputs, 0, own, (int)inputs);
    for (uint32_t r = 0; r < n; r++) {
        const float *c = patterns->coefficients + (size_t)r * rows->width;
        double *to = sums + (size_t)r * rows->width;
        double bias = 0;

        for (uint32_t i = 0; i < inputs; i++)
            to[i] += (double)c[i] * own[(size_t)r * inputs + i];
        for (uint32_t i = 0; i < patterns->n; i++)
            bias += errors[(size_t)i * n + r];
        to[inputs] += c[inputs] * bias;
    }
}

static void end_marked(struct job *job)
{
    for (unsigned i = 0; i < job->n_tasks; i++) {
        free(job->own[i]);
        free(job->rows[i]);
    }
    free(job->own);
    free(job->rows);
    job->own = job->rows = NULL;
    job->n_tasks = 0;
}

static enum kl_status begin_marked(void *self, unsigned n_tasks, uint64_t n_patterns,
                                   struct kl_error *err)
{
    struct job *job = self;
    enum kl_status status;

    (void)n_patterns;
    end_marked(job);
    status = kl_alloc(&job->own, n_tasks, sizeof *job->own, "sums", err);
    if (!status)
        status = kl_alloc(&job->rows, n_tasks, sizeof *job->rows, "sums", err);
    if (status)
        return status;
    job->n_tasks = n_tasks;
    for (unsigned i = 0; !status && i < n_tasks; i++) {
        status = kl_alloc(&job->own[i], job->n_own, sizeof(float), "sums", err);
        if (!status)
            status = kl_alloc(&job->rows[i], job->n_rows, sizeof(float), "sums", err);
    }
    return status;
}

/* P * W_0 of some outputs, and a bias that has no dual form as it ended. */
static void add_left(void *self, const struct kl_sweep_rows *rows, const float *p, double share)
{
    const struct job *job = self;
    const struct kl_network *initial = job->history->initial;
    uint32_t inputs = rows->width - 1;

    if (job->marks && kl_peers_own(job->history->peers) > 0)
        return; /* process 0 adds it to the sum over all */
    for (uint32_t r = 0; r < rows->n; r++) {
        size_t row = rows->first + r;
        double *to = job->weights + row * rows->width;

        for (uint32_t i = 0; i < rows->width; i++) {
            double from = (double)(i < inputs ? initial->weights[job->layer][row * inputs + i]
                                              : initial->biases[job->layer][row]);

            to[i] += (p ? (double)p[(size_t)r * rows->width + i] : share) * from;
        }
        if (job->history->layers[job->layer].bias == 0)
            to[inputs] = (double)job->history->final->biases[job->layer][row];
    }
}

static struct kl_sweep sweep_of(struct kl_pool *pool, struct job *job)
{
    return (struct kl_sweep){.pool = pool,
                             .history = job->history,
                             .layer = job->layer,
                             .n = job->history->final->shape.outputs[job->layer],
                             .self = job};
}

double kl_adam_share(const struct kl_history *history, uint32_t layer)
{
    const struct kl_step_rule *rules = history->layers[layer].rules;
    double share = 1;

    if (kl_sweep_is_penalised(history, layer))
        return NAN;
    for (uint32_t step = 0; step < history->n_steps; step++)
        share *= 1 - rules[step].learning_rate * rules[step].weight_decay;
    return share;
}

enum kl_status kl_adam_left(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                            double *weights, struct kl_error *err)
{
    struct job job = {.history = history, .layer = layer, .weights = weights};
    struct kl_sweep sweep = sweep_of(pool, &job);
    uint32_t n = sweep.n, width = history->final->shape.inputs[layer] + 1;

    memset(weights, 0, (size_t)n * width * sizeof *weights);
    if (kl_sweep_is_penalised(history, layer)) {
        sweep.end = add_left;
        return kl_sweep(&sweep, err);
    }
    add_left(&job, &(struct kl_sweep_rows){0, 0, n, width}, NULL, kl_adam_share(history, layer));
    return KL_OK;
}

enum kl_status kl_adam_sum(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                           const uint8_t *marks, int value, int with_left, double *weights,
                           struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    size_t n = (size_t)shape->outputs[layer] * (shape->inputs[layer] + 1);
    struct job job = {.history = history,
                      .layer = layer,
                      .weights = weights,
                      .marks = marks,
                      .value = value,
                      .n_own = n,
                      .n_rows = (size_t)history->most_per_step * shape->outputs[layer]};
    struct kl_sweep sweep = sweep_of(pool, &job);
    enum kl_status status;

    memset(weights, 0, n * sizeof *weights);
    if (with_left && kl_sweep_is_penalised(history, layer))
        sweep.end = add_left;
    else if (with_left)
        add_left(&job,
                 &(struct kl_sweep_rows){0, 0, sweep.n, history->final->shape.inputs[layer] + 1},
                 NULL, kl_adam_share(history, layer));
    if (marks) {
        sweep.wants_patterns = 1;
        sweep.begin = begin_marked;
        sweep.patterns = add_marked;
    } else {
        sweep.step = add_step;
    }
    status = kl_sweep(&sweep, err);
    end_marked(&job);
    if (!status && marks) /* otherwise the steps' gradients are those of all processes */
        status = kl_peers_sum(history->peers, weights, n, err);
    return status;
}
