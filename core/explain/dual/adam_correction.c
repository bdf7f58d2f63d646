/* The correction of the last layer, and its parts. */
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/dual/adam_private.h"
#include "core/explain/dual/sweep.h"
#include "core/explain/views/bins.h"
#include "core/scan/scan.h"

/* The last layer's sums by class and range of steps, of images. */
struct parts_job {
    const struct kl_history *history;
    struct kl_adam_sums *sums;
    uint32_t outputs;
    float **own;      /* (n_tasks) of a step: (n_classes, outputs, width) */
    uint8_t *is_seen; /* (n_tasks, n_classes) in the step */
    unsigned n_tasks;
};

static void end_parts(struct parts_job *job)
{
    for (unsigned i = 0; i < job->n_tasks; i++)
        free(job->own[i]);
    free(job->own);
    free(job->is_seen);
    job->own = NULL;
    job->is_seen = NULL;
    job->n_tasks = 0;
}

static enum kl_status begin_parts(void *self, unsigned n_tasks, uint64_t n_patterns,
                                  struct kl_error *err)
{
    struct parts_job *job = self;
    const struct kl_history *history = job->history;
    size_t width = history->final->shape.inputs[history->final->shape.n_layers - 1] + 1;
    enum kl_status status;

    (void)n_patterns;
    end_parts(job);
    status = kl_alloc(&job->own, n_tasks, sizeof *job->own, "sums", err);
    if (status)
        return status;
    job->n_tasks = n_tasks;
    status = kl_alloc(&job->is_seen, (size_t)n_tasks * history->n_classes, 1, "sums", err);
    for (unsigned i = 0; !status && i < n_tasks; i++)
        status = kl_alloc(&job->own[i], (size_t)history->n_classes * job->outputs * width,
                          sizeof(float), "sums", err);
    return status;
}

/* own[class][r] += d_t[r] (x_t, 1), and, where the step ends, C_s times that to the sums. */
static void add_by_class(void *self, const struct kl_sweep_rows *rows,
                         const struct kl_sweep_patterns *patterns)
{
    const struct parts_job *job = self;
    const struct kl_history *history = job->history;
    uint32_t inputs = rows->width - 1, n = rows->n, bin = kl_bin_of(history, patterns->step);
    uint8_t *is_seen = job->is_seen + (size_t)rows->task * history->n_classes;
    size_t matrix = (size_t)n * rows->width, whole = (size_t)job->outputs * rows->width;

    for (uint32_t i = 0; i < patterns->n; i++) {
        const float *key = patterns->keys + (size_t)i * inputs;
        uint32_t class = history->classes[history->samples[patterns->first + i]];
        float *own = job->own[rows->task] + class * matrix;

        is_seen[class] = 1;
        for (uint32_t r = 0; r < n; r++, own += rows->width) {
            float error = patterns->errors[i * patterns->stride + r];

            for (uint32_t j = 0; j < inputs; j++)
                own[j] += error * key[j];
            own[inputs] += error;
        }
    }
    for (uint32_t class = 0; class < history->n_classes; class ++) {
        float *own = job->own[rows->task] + class * matrix;
        size_t at = (size_t)rows->first * rows->width;
        double *by_class = job->sums->by_class + class * whole + at;
        double *by_bin =
            job->sums->by_bin +
            ((size_t)bin * history->data->n_datasets + history->class_datasets[class]) * whole + at;

        if (!is_seen[class])
            continue;
        is_seen[class] = 0;
        for (size_t i = 0; i < matrix; i++) {
            double value = (double)patterns->coefficients[i] * own[i];

            by_class[i] += value;
            by_bin[i] += value;
        }
        memset(own, 0, matrix * sizeof *own);
    }
}

static enum kl_status make_parts(struct kl_pool *pool, const struct kl_history *history,
                                 struct kl_adam_sums *sums, struct kl_error *err)
{
    uint32_t last = history->final->shape.n_layers - 1;
    uint32_t outputs = history->final->shape.outputs[last];
    size_t whole = (size_t)outputs * (history->final->shape.inputs[last] + 1);
    struct parts_job job = {.history = history, .sums = sums, .outputs = outputs};
    struct kl_sweep sweep = {.pool = pool,
                             .history = history,
                             .layer = last,
                             .n = outputs,
                             .wants_patterns = 1,
                             .self = &job,
                             .begin = begin_parts,
                             .patterns = add_by_class};
    enum kl_status status = kl_alloc(&sums->by_class, history->n_classes * whole, sizeof(double),
                                     "contributions by class", err);

    if (!status)
        status = kl_alloc(&sums->by_bin, kl_n_bins(history) * history->data->n_datasets * whole,
                          sizeof(double), "contributions over time", err);
    if (!status)
        status = kl_sweep(&sweep, err);
    end_parts(&job);
    if (!status)
        status = kl_peers_sum(history->peers, sums->by_class, history->n_classes * whole, err);
    if (!status)
        status = kl_peers_sum(history->peers, sums->by_bin,
                              kl_n_bins(history) * history->data->n_datasets * whole, err);
    for (uint32_t class = 0; !status && class < history->n_classes; class ++)
        for (size_t i = 0; i < whole; i++)
            sums->all[i] += sums->by_class[class * whole + i];
    return status;
}

/* Bytes that the sums by class and range of steps take. */
static double parts_size(const struct kl_history *history)
{
    uint32_t last = history->final->shape.n_layers - 1;
    double whole = (double)history->final->shape.outputs[last] *
                   (history->final->shape.inputs[last] + 1) * sizeof(double);

    return whole * (history->n_classes + kl_n_bins(history) * history->data->n_datasets);
}

static enum kl_status make_sums(struct kl_pool *pool, const struct kl_history *history,
                                struct kl_adam_sums *sums, struct kl_error *err)
{
    uint32_t last = history->final->shape.n_layers - 1;
    size_t whole =
        (size_t)history->final->shape.outputs[last] * (history->final->shape.inputs[last] + 1);
    int is_whole = kl_history_is_text(history) || parts_size(history) > (double)history->adam->room;
    enum kl_status status = kl_alloc(&sums->all, whole, sizeof(double), "the correction", err);

    if (!status)
        status = kl_alloc(&sums->left, whole, sizeof(double), "the initial guess", err);
    if (!status)
        status = kl_adam_left(pool, history, last, sums->left, err);
    if (!status)
        status = is_whole ? kl_adam_sum(pool, history, last, NULL, 0, 0, sums->all, err)
                          : make_parts(pool, history, sums, err);
    return status ? status : kl_peers_meet(history->peers, err);
}

enum kl_status kl_adam_find_sums(struct kl_pool *pool, const struct kl_history *history,
                                 const struct kl_adam_sums **out, struct kl_error *err)
{
    struct kl_adam *adam = history->adam;
    struct kl_adam_sums sums = {0};
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&adam->summing);
    if (!adam->sums.all) {
        status = make_sums(pool, history, &sums, err);
        if (status) {
            free(sums.by_class);
            free(sums.by_bin);
            free(sums.all);
            free(sums.left);
        } else {
            adam->sums = sums;
        }
    }
    pthread_mutex_unlock(&adam->summing);
    *out = &adam->sums;
    return status;
}

/* Of a text: the told logit's contributions, d_t[logit] times its weighted attention, by class and
 * by range of steps. */
static enum kl_status add_told(struct kl_pool *pool, const struct kl_history *history,
                               uint32_t logit, const float *weighted, struct kl_contributions *out,
                               struct kl_error *err)
{
    const struct kl_block_source *errors = history->errors[history->final->shape.n_layers - 1];
    float *one = NULL, *told = NULL;
    enum kl_status status = kl_scratch_take(history->scratch, &told, err);

    if (!status)
        status = kl_alloc(&one, errors->width, sizeof *one, "a logit", err);
    if (!status) {
        one[logit] = 1;
        status = kl_scan_dot(pool, errors, one, 0, told, err);
    }
    for (uint64_t t = 0; !status && t < history->n_patterns; t++) {
        uint32_t class = history->classes[history->samples[t]];
        uint32_t bin = kl_bin_of(history, kl_history_step(history, t));
        double contribution = (double)told[t] * (double)weighted[t];

        out->by_class[class] += contribution;
        out->by_bin[(size_t)bin * history->data->n_datasets + history->class_datasets[class]] +=
            contribution;
    }
    free(one);
    kl_scratch_give(history->scratch, told);
    return status;
}

/* Of many classes: what each pattern gives every output, by class and by range of steps, by a sweep
 * for this x alone. */
struct swept {
    const struct kl_history *history;
    const float *x;
    struct kl_contributions *out;
};

static void add_swept(void *self, const struct kl_sweep_rows *rows,
                      const struct kl_sweep_patterns *patterns)
{
    const struct swept *swept = self;
    const struct kl_history *history = swept->history;
    uint32_t inputs = rows->width - 1, bin = kl_bin_of(history, patterns->step);
    uint32_t n_outputs = swept->out->n_reported;

    for (uint32_t i = 0; i < patterns->n; i++) {
        const float *key = patterns->keys + (size_t)i * inputs;
        uint32_t class = history->classes[history->samples[patterns->first + i]];
        size_t of_bin = (size_t)bin * history->data->n_datasets + history->class_datasets[class];

        for (uint32_t r = 0; r < rows->n; r++) {
            const float *c = patterns->coefficients + (size_t)r * rows->width;
            double error = (double)patterns->errors[i * patterns->stride + r], sum = 0;

            for (uint32_t k = 0; error != 0 && k < inputs; k++)
                sum += (double)(c[k] * key[k] * swept->x[k]);
            sum = error * (sum + (double)c[inputs]);
            swept->out->by_class[(size_t) class * n_outputs + rows->first + r] += sum;
            swept->out->by_bin[of_bin * n_outputs + rows->first + r] += sum;
        }
    }
}

static enum kl_status sweep_parts(struct kl_pool *pool, const struct kl_history *history,
                                  const float *x, struct kl_contributions *out,
                                  struct kl_error *err)
{
    uint32_t last = history->final->shape.n_layers - 1;
    struct swept swept = {history, x, out};
    struct kl_sweep sweep = {.pool = pool,
                             .history = history,
                             .layer = last,
                             .n = history->final->shape.outputs[last],
                             .wants_patterns = 1,
                             .self = &swept,
                             .patterns = add_swept};

    return kl_sweep(&sweep, err);
}

/* The parts of the correction, from the kept sums. */
static void apply_parts(const struct kl_adam_sums *sums, const float *x, uint32_t inputs,
                        size_t n_by_class, size_t n_by_bin, struct kl_contributions *out)
{
    for (size_t i = 0; i < n_by_class; i++)
        out->by_class[i] = kl_adam_apply(sums->by_class + i * (inputs + 1), x, inputs);
    for (size_t i = 0; i < n_by_bin; i++)
        out->by_bin[i] = kl_adam_apply(sums->by_bin + i * (inputs + 1), x, inputs);
}

enum kl_status kl_adam_correct(struct kl_pool *pool, const struct kl_history *history,
                               const float *x, uint32_t logit, const float *weighted,
                               struct kl_contributions *out, struct kl_error *err)
{
    uint32_t last = history->final->shape.n_layers - 1;
    uint32_t n_logits = history->final->shape.outputs[last];
    uint32_t inputs = history->final->shape.inputs[last];
    uint32_t n_reported = weighted ? 1 : n_logits;
    size_t n_by_class = (size_t)history->n_classes * n_reported;
    size_t n_by_bin = (size_t)kl_n_bins(history) * history->data->n_datasets * n_reported;
    const struct kl_adam_sums *sums;
    struct kl_contributions found;
    double *numbers = NULL;
    enum kl_status status = kl_adam_find_sums(pool, history, &sums, err);

    if (!status)
        status = kl_alloc(&numbers, n_by_class + n_logits + n_by_bin, sizeof(double), "sums", err);
    if (status)
        return status;
    found = (struct kl_contributions){n_reported, numbers, numbers + n_by_class + n_logits,
                                      numbers + n_by_class};
    for (uint32_t j = 0; j < n_logits; j++)
        found.correction[j] = kl_adam_apply(sums->all + (size_t)j * (inputs + 1), x, inputs);
    if (!weighted && sums->by_class)
        apply_parts(sums, x, inputs, n_by_class, n_by_bin, &found);
    else
        status = weighted ? add_told(pool, history, logit, weighted, &found, err)
                          : sweep_parts(pool, history, x, &found, err);
    if (!status && (weighted || !sums->by_class))
        status = kl_peers_sum(history->peers, found.by_class, n_by_class, err);
    if (!status && (weighted || !sums->by_class))
        status = kl_peers_sum(history->peers, found.by_bin, n_by_bin, err);
    if (status)
        free(numbers);
    else
        *out = found;
    return status;
}
