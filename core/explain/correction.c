#include "core/explain/correction.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/views/bins.h"
#include "core/explain/views/class_order.h"
#include "core/peers/peers.h"

#define SUMS_MAX ((size_t)1 << 22) /* of all tasks: 32 MB */
#define ROWS 512                   /* error signals that are added up at a time */
#define AHEAD ((size_t)16 << 10)   /* bytes that are asked for in advance */
#define PART 1024                  /* numbers of a row that are added up at a time */

/* Some error signals that follow each other: n of them, each of width numbers, which stand at
 * indices, or, if that is NULL, are all. */
struct rows {
    uint64_t first;
    uint32_t n, width;
    struct kl_block block; /* of these rows alone */
    const float *numbers;  /* (n, width), if the job wants them */
};

/* What a task adds to. */
struct sums {
    double *by_class; /* (n_classes, n_reported) of all its patterns */
    double *by_bin;   /* (n_datasets, n_reported) of the bin's */
    double *logits;   /* (n_logits) of a text: of all its patterns */
    float *floats;    /* (n_classes, kl_padded(n_reported)) of images: of the bin's */
};

/* Passes over all error signals of a layer: every task does some ranges of steps (bins). */
struct job {
    const struct kl_history *history;
    const struct kl_block_source *errors;
    const float *numbers; /* (n_patterns): attention, or weights */
    uint32_t n_reported;  /* logits told by class and by bin */
    uint32_t told;        /* if that is one: which */
    size_t n_own;         /* sums that every task has for itself */
    uint32_t n_bins, n_tasks;
    double *own;    /* (n_tasks, n_own) */
    double *by_bin; /* (n_bins, n_datasets, n_reported) */
    size_t n_floats;
    int wants_floats;                   /* rows as float32 */
    const struct kl_class_order *order; /* of images; NULL: add is called for some rows each */
    void (*add)(const struct job *job, const struct rows *rows, const struct sums *sums);
};

/* The patterns of a bin: first .. end - 1. */
static uint64_t first_of_bin(const struct job *job, uint32_t bin)
{
    return bin == job->n_bins
               ? job->history->n_patterns
               : kl_history_start(job->history, kl_bin_first_step(job->history, bin));
}

static enum kl_status add_bin(const struct job *job, unsigned worker, uint32_t bin,
                              const struct sums *sums, float *numbers, struct kl_error *err)
{
    const struct kl_block_source *errors = job->errors;
    uint32_t width = errors->entries ? errors->entries : errors->width;
    uint64_t t = first_of_bin(job, bin), end = first_of_bin(job, bin + 1);
    uint32_t number = kl_block_of(errors, t);
    enum kl_status status = KL_OK;

    while (!status && t < end) {
        const struct kl_extent *extent = &errors->extents[number];
        uint64_t left = extent->first + extent->count - t;
        struct rows rows = {.first = t, .width = width, .numbers = numbers};

        if (left == 0) {
            number++;
            continue;
        }
        left = left < end - t ? left : end - t;
        rows.n = left < ROWS ? (uint32_t)left : ROWS;
        status = errors->read(errors->self, worker, number, (uint32_t)(t - extent->first), rows.n,
                              &rows.block, err);
        if (!status && job->wants_floats)
            kl_block_to_float(&rows.block, 0, (size_t)rows.n * width, numbers);
        if (!status)
            job->add(job, &rows, sums);
        t += rows.n;
    }
    return status;
}

/* weights[i] = c_t (a_t + 1) scale of n patterns from one on. */
static void weigh(const struct job *job, uint64_t first, uint32_t n, float scale, float *weights)
{
    const struct kl_history *history = job->history;
    const float *numbers = job->numbers + first;
    const struct kl_layer_steps *last = &history->layers[history->final->shape.n_layers - 1];
    uint32_t step = kl_history_step(history, first) - 1;

    for (uint32_t i = 0; i < n; step++) {
        uint64_t end = history->starts[step + 1] - first;
        float coefficient = (float)last->coefficients[step] * scale;

        for (; i < n && i < end; i++)
            weights[i] = coefficient * (numbers[i] + last->bias);
    }
}

/* Of images: all logits of a segment's patterns, by class in float32. */
static void add_segment(const struct job *job, const struct kl_segment *segment,
                        const struct kl_block *block, float *floats)
{
    size_t width = job->n_reported, stride = kl_padded(width);
    const uint16_t *places = job->order->places + segment->first;
    float weights[KL_SEGMENT_MAX];
    size_t n_bytes = segment->n * width * kl_dtype_size(block->dtype);

    for (size_t i = 0; i < n_bytes && i < AHEAD; i += KL_CACHE_LINE) /* while weights are made */
        __builtin_prefetch((const char *)block->numbers + i);
    weigh(job, segment->first, segment->n, ldexpf(1, -block->exponent), weights);
    for (uint32_t k = 0; k < segment->n_stretches; k++) {
        const struct kl_stretch *stretch = &job->order->stretches[segment->first_stretch + k];

        kl_add(block->dtype, block->numbers, places, stretch->n, width, weights,
               floats + stretch->class * stride);
        places += stretch->n;
    }
}

/* Adds the float32 sums to those by class and by bin, and begins them anew. */
static void end_bin(const struct job *job, const struct sums *sums)
{
    const struct kl_history *history = job->history;
    uint32_t width = job->n_reported;
    size_t stride = kl_padded(width);

    for (uint32_t c = 0; c < history->n_classes; c++) {
        double *by_class = sums->by_class + (size_t)c * width;
        double *by_bin = sums->by_bin + (size_t)history->class_datasets[c] * width;

        for (uint32_t j = 0; j < width; j++) {
            by_class[j] += sums->floats[c * stride + j];
            by_bin[j] += sums->floats[c * stride + j];
        }
    }
    memset(sums->floats, 0, job->n_floats * sizeof(float));
}

/* The same as add_bin, of images. */
static enum kl_status add_ordered_bin(const struct job *job, unsigned worker, uint32_t bin,
                                      const struct sums *sums, struct kl_error *err)
{
    const struct kl_block_source *errors = job->errors;
    enum kl_status status = KL_OK;

    for (uint32_t i = job->order->starts[bin]; !status && i < job->order->starts[bin + 1]; i++) {
        const struct kl_segment *segment = &job->order->segments[i];
        uint32_t number = kl_block_of(errors, segment->first);
        struct kl_block block;

        status = errors->read(errors->self, worker, number,
                              (uint32_t)(segment->first - errors->extents[number].first),
                              segment->n, &block, err);
        if (!status)
            add_segment(job, segment, &block, sums->floats);
    }
    if (!status)
        end_bin(job, sums);
    return status;
}

static enum kl_status add_bins(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct job *job = argument;
    const struct kl_block_source *errors = job->errors;
    size_t width = errors->entries ? errors->entries : errors->width;
    uint32_t first = (uint32_t)((uint64_t)job->n_bins * task / job->n_tasks);
    uint32_t end = (uint32_t)((uint64_t)job->n_bins * (task + 1) / job->n_tasks);
    struct sums sums = {.by_class = job->own + task * job->n_own};
    float *numbers = NULL;
    enum kl_status status =
        kl_alloc(&numbers, job->wants_floats ? ROWS * width : 0, sizeof(float), "rows", err);

    sums.logits = sums.by_class + (size_t)job->history->n_classes * job->n_reported;
    if (!status)
        status = kl_alloc_scanned(&sums.floats, job->n_floats, sizeof(float), "sums", err);
    if (!status)
        memset(sums.floats, 0, job->n_floats * sizeof(float));
    for (uint32_t bin = first; !status && bin < end; bin++) {
        if (job->by_bin)
            sums.by_bin =
                job->by_bin + (size_t)bin * job->history->data->n_datasets * job->n_reported;
        status = job->order ? add_ordered_bin(job, worker, bin, &sums, err)
                            : add_bin(job, worker, bin, &sums, numbers, err);
    }
    free(sums.floats);
    free(numbers);
    return status;
}

/* Runs the job and adds its tasks' own sums up, in order: out (n_own). */
static enum kl_status run(struct kl_pool *pool, struct job *job, double *out, struct kl_error *err)
{
    size_t most = SUMS_MAX / job->n_own;
    enum kl_status status;

    job->n_bins = kl_n_bins(job->history);
    job->n_tasks = job->n_bins < most ? job->n_bins : most ? (uint32_t)most : 1;
    status = kl_alloc(&job->own, job->n_tasks * job->n_own, sizeof(double), "sums", err);
    if (!status)
        status = kl_pool_run(pool, add_bins, job, job->n_tasks, err);
    for (size_t task = 0; !status && task < job->n_tasks; task++)
        for (size_t i = 0; i < job->n_own; i++)
            out[i] += job->own[task * job->n_own + i];
    free(job->own);
    return status;
}

/* sums[j] += sum over rows of weights[i] row_i[j]; of whole rows added up in float32 first. */
static void add_rows(const struct rows *rows, const float *weights, double *sums)
{
    if (!rows->block.indices) {
        float part[PART];

        for (uint32_t first = 0; first < rows->width; first += PART) {
            uint32_t n = rows->width - first < PART ? rows->width - first : PART;

            cblas_sgemv(CblasRowMajor, CblasTrans, (int)rows->n, (int)n, 1, rows->numbers + first,
                        (int)rows->width, weights, 1, 0, part, 1);
            for (uint32_t j = 0; j < n; j++)
                sums[first + j] += part[j];
        }
        return;
    }
    for (size_t i = 0; i < rows->n; i++)
        for (size_t k = i * rows->width; k < (i + 1) * rows->width; k++)
            sums[rows->block.indices[k]] += (double)weights[i] * rows->numbers[k];
}

/* The number of row i that stands at place told, or 0. */
static double number_at(const struct rows *rows, uint32_t i, uint32_t told)
{
    const float *numbers = rows->numbers + (size_t)i * rows->width;
    const uint32_t *indices =
        rows->block.indices ? rows->block.indices + (size_t)i * rows->width : NULL;

    if (!indices)
        return numbers[told];
    for (uint32_t k = 0; k < rows->width; k++)
        if (indices[k] == told)
            return numbers[k];
    return 0;
}

/* Of a text: one logit by class and by bin; and all logits' correction. */
static void add_text_contributions(const struct job *job, const struct rows *rows,
                                   const struct sums *sums)
{
    const struct kl_history *history = job->history;
    float weights[ROWS];

    weigh(job, rows->first, rows->n, 1, weights);
    for (uint32_t i = 0; i < rows->n; i++) {
        double contribution = (double)weights[i] * number_at(rows, i, job->told);
        uint32_t class = history->classes[history->samples[rows->first + i]];

        sums->by_class[class] += contribution;
        sums->by_bin[history->class_datasets[class]] += contribution;
    }
    add_rows(rows, weights, sums->logits);
}

enum kl_status kl_correct(struct kl_pool *pool, const struct kl_history *history,
                          const float *attention, uint32_t logit, struct kl_contributions *out,
                          struct kl_error *err)
{
    uint32_t last = history->final->shape.n_layers - 1;
    uint32_t n_logits = history->final->shape.outputs[last];
    int is_text = kl_history_is_text(history);
    uint32_t n_reported = is_text ? 1 : n_logits;
    size_t n_by_class = (size_t)history->n_classes * n_reported;
    size_t n_by_bin = (size_t)kl_n_bins(history) * history->data->n_datasets * n_reported;
    struct job job = {.history = history,
                      .errors = history->errors[last],
                      .numbers = attention,
                      .n_reported = n_reported,
                      .told = logit,
                      .n_own = n_by_class + (is_text ? n_logits : 0),
                      .n_floats = is_text ? 0 : history->n_classes * kl_padded(n_logits),
                      .wants_floats = is_text,
                      .add = is_text ? add_text_contributions : NULL};
    double *sums = NULL;
    enum kl_status status =
        kl_alloc(&sums, n_by_class + n_logits + n_by_bin, sizeof(double), "sums", err);

    if (!status && !is_text)
        status = kl_class_order_of(pool, history, &job.order, err);
    if (!status) {
        job.by_bin = sums + n_by_class + n_logits;
        status = run(pool, &job, sums, err);
    }
    if (!status)
        status = kl_peers_sum(history->peers, sums, n_by_class + n_logits + n_by_bin, err);
    if (status) {
        free(sums);
        return status;
    }
    for (size_t i = 0; !is_text && i < n_by_class; i++)
        sums[n_by_class + i % n_logits] += sums[i];
    *out = (struct kl_contributions){n_reported, sums, job.by_bin, sums + n_by_class};
    return KL_OK;
}

void kl_contributions_clear(struct kl_contributions *contributions)
{
    free(contributions->by_class); /* the block that all point into */
    *contributions = (struct kl_contributions){0};
}

static void add_weighted(const struct job *job, const struct rows *rows, const struct sums *sums)
{
    uint32_t wanted = 0;

    for (uint32_t i = 0; i < rows->n; i++)
        wanted += job->numbers[rows->first + i] != 0;
    if (wanted)
        add_rows(rows, job->numbers + rows->first, sums->logits);
}

enum kl_status kl_sum_errors(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                             const float *weights, double *out, struct kl_error *err)
{
    struct job job = {.history = history,
                      .errors = history->errors[layer],
                      .numbers = weights,
                      .n_own = history->errors[layer]->width,
                      .wants_floats = 1,
                      .add = add_weighted};

    for (size_t j = 0; j < job.n_own; j++)
        out[j] = 0;
    return run(pool, &job, out, err) ? err->status
                                     : kl_peers_sum(history->peers, out, job.n_own, err);
}
