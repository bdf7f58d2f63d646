#include "core/correction.h"

#include <cblas.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/timeline.h"

#define TASKS_MAX 64               /* partial sums: bounds memory, keeps their order fixed */
#define SUMS_MAX ((size_t)1 << 22) /* of all tasks: 32 MB */
#define ROWS 128                   /* error signals converted at a time */
#define PART 1024                  /* numbers of them that are added up at a time */

/* Some error signals that follow each other: n of them, each of width numbers, which stand at
 * indices, or, if that is NULL, are all. */
struct rows {
    uint64_t first;
    uint32_t n, width;
    const uint32_t *indices; /* (n, width) or NULL */
    const float *numbers;    /* (n, width) */
};

/* A task's own sums of some patterns by class, in float32, and which classes these are. */
struct class_sums {
    float *sums;   /* (n_classes, width) */
    uint8_t *seen; /* (n_classes) */
};

/* Passes over all error signals of a layer, each task with sums of its own over a range of blocks.
 */
struct job {
    const struct kl_history *history;
    const struct kl_block_source *errors;
    const float *numbers; /* (n_patterns): attention, or weights */
    uint32_t told;        /* of a text: the logit whose contributions are told */
    size_t n_sums;
    uint32_t n_tasks;
    double *sums; /* (n_tasks, n_sums) */
    int by_class; /* whether it needs class_sums */
    void (*add)(const struct job *job, const struct rows *rows, const struct class_sums *own,
                double *sums);
};

static enum kl_status add_blocks(void *argument, unsigned worker, unsigned task,
                                 struct kl_error *err)
{
    const struct job *job = argument;
    const struct kl_block_source *errors = job->errors;
    uint32_t width = errors->entries ? errors->entries : errors->width;
    uint32_t first = (uint32_t)((uint64_t)errors->n_blocks * task / job->n_tasks);
    uint32_t end = (uint32_t)((uint64_t)errors->n_blocks * (task + 1) / job->n_tasks);
    uint32_t n_classes = job->by_class ? job->history->n_classes : 0;
    struct class_sums own = {0};
    float *numbers = NULL;
    enum kl_status status =
        kl_alloc(&numbers, (size_t)ROWS * width, sizeof(float), "error signals", err);

    if (!status)
        status = kl_alloc(&own.sums, (size_t)n_classes * width, sizeof(float), "sums", err);
    if (!status)
        status = kl_alloc(&own.seen, n_classes, 1, "sums", err);
    for (uint32_t b = first; !status && b < end; b++) {
        struct kl_block block = {0};

        status = kl_read_block(errors, worker, b, &block, err);
        for (uint32_t i = 0; !status && i < block.count; i += ROWS) {
            size_t at = (size_t)i * width;
            struct rows rows = {block.first + i, block.count - i < ROWS ? block.count - i : ROWS,
                                width, block.indices ? block.indices + at : NULL, numbers};

            kl_block_to_float(&block, at, (size_t)rows.n * width, numbers);
            job->add(job, &rows, &own, job->sums + task * job->n_sums);
        }
    }
    free(own.sums);
    free(own.seen);
    free(numbers);
    return status;
}

/* Runs the job and adds its tasks' sums up, in order: out (n_sums). */
static enum kl_status run(struct kl_pool *pool, struct job *job, double *out, struct kl_error *err)
{
    uint32_t most = (uint32_t)(SUMS_MAX / job->n_sums);
    enum kl_status status;

    job->n_tasks = job->errors->n_blocks < TASKS_MAX ? job->errors->n_blocks : TASKS_MAX;
    if (job->n_tasks > most)
        job->n_tasks = most ? most : 1;
    status = kl_alloc(&job->sums, job->n_tasks * job->n_sums, sizeof(double), "sums", err);
    if (!status)
        status = kl_pool_run(pool, add_blocks, job, job->n_tasks, err);
    for (size_t i = 0; !status && i < job->n_tasks * job->n_sums; i++)
        out[i % job->n_sums] += job->sums[i];
    free(job->sums);
    return status;
}

/* Patterns that follow each other and belong to one step: their place in time is found once. */
struct stretch {
    uint32_t first, end; /* rows of a struct rows */
    double coefficient;  /* c_t */
    size_t bin; /* of their step, of data set 0, among bins by range of steps and data set */
};

/* The stretch that begins with row first. */
static struct stretch stretch_from(const struct job *job, const struct rows *rows, uint32_t first)
{
    const struct kl_history *history = job->history;
    uint64_t step = (rows->first + first) / history->patterns_per_step;
    uint64_t end = (step + 1) * history->patterns_per_step - rows->first;

    return (struct stretch){
        first, end < rows->n ? (uint32_t)end : rows->n, history->coefficients[step],
        (size_t)kl_bin_of(history, (uint32_t)step + 1) * history->data->n_datasets};
}

/* sums[j] += weight * row[j], four at a time. */
static inline void add_scaled(const float *row, float weight, uint32_t width, float *sums)
{
    typedef float four __attribute__((vector_size(16), aligned(4), may_alias));
    uint32_t j = 0;

    for (; j + 4 <= width; j += 4)
        *(four *)(sums + j) += weight * *(const four *)(row + j);
    for (; j < width; j++)
        sums[j] += weight * row[j];
}

/* Adds the float32 sums of one class to those of all patterns, by class and by bin, and begins them
 * anew. */
static void flush_class(const struct job *job, const struct stretch *stretch, uint32_t c,
                        uint32_t width, float *part, double *sums)
{
    const struct kl_history *history = job->history;
    size_t bin = stretch->bin + history->class_datasets[c];
    double *by_class = sums + (size_t)c * width;
    double *by_bin = sums + (history->n_classes + bin) * width;

    for (uint32_t j = 0; j < width; j++) {
        by_class[j] += part[j];
        by_bin[j] += part[j];
        part[j] = 0;
    }
}

/* Of images: all logits; sums: first by class, then by bin. Those of a stretch are taken in float32
 * first. */
static void add_contributions(const struct job *job, const struct rows *rows,
                              const struct class_sums *own, double *sums)
{
    const struct kl_history *history = job->history;
    uint32_t width = rows->width;

    for (uint32_t first = 0; first < rows->n;) {
        struct stretch stretch = stretch_from(job, rows, first);
        uint32_t seen[ROWS], n_seen = 0; /* classes of the stretch */

        for (uint32_t i = first; i < stretch.end; i++) {
            uint64_t t = rows->first + i;
            uint32_t c = history->classes[history->samples[t]];
            float weight = (float)(stretch.coefficient * ((double)job->numbers[t] + 1));

            add_scaled(rows->numbers + (size_t)i * width, weight, width,
                       own->sums + (size_t)c * width);
            seen[n_seen] = c;
            n_seen += !own->seen[c];
            own->seen[c] = 1;
        }
        for (uint32_t k = 0; k < n_seen; k++) {
            own->seen[seen[k]] = 0;
            flush_class(job, &stretch, seen[k], width, own->sums + (size_t)seen[k] * width, sums);
        }
        first = stretch.end;
    }
}

/* sums[j] += sum over rows of weights[i] row_i[j]; of whole rows added up in float32 first. */
static void add_rows(const struct rows *rows, const float *weights, double *sums)
{
    if (!rows->indices) {
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
            sums[rows->indices[k]] += (double)weights[i] * rows->numbers[k];
}

/* The number of row i that stands at place told, or 0. */
static double number_at(const struct rows *rows, uint32_t i, uint32_t told)
{
    const float *numbers = rows->numbers + (size_t)i * rows->width;
    const uint32_t *indices = rows->indices ? rows->indices + (size_t)i * rows->width : NULL;

    if (!indices)
        return numbers[told];
    for (uint32_t k = 0; k < rows->width; k++)
        if (indices[k] == told)
            return numbers[k];
    return 0;
}

/* Of a text: one logit by class, then by bin; then all logits' correction. */
static void add_text_contributions(const struct job *job, const struct rows *rows,
                                   const struct class_sums *own, double *sums)
{
    const struct kl_history *history = job->history;
    size_t n_bins = (size_t)kl_n_bins(history) * history->data->n_datasets;
    float weights[ROWS];

    (void)own;
    for (uint32_t first = 0; first < rows->n;) {
        struct stretch stretch = stretch_from(job, rows, first);

        for (uint32_t i = first; i < stretch.end; i++) {
            uint64_t t = rows->first + i;
            double weight = stretch.coefficient * ((double)job->numbers[t] + 1);
            double contribution = weight * number_at(rows, i, job->told);
            uint32_t class = history->classes[history->samples[t]];

            weights[i] = (float)weight;
            sums[class] += contribution;
            sums[history->n_classes + stretch.bin + history->class_datasets[class]] += contribution;
        }
        first = stretch.end;
    }
    add_rows(rows, weights, sums + history->n_classes + n_bins);
}

enum kl_status kl_correct(struct kl_pool *pool, const struct kl_history *history,
                          const float *attention, uint32_t logit, struct kl_contributions *out,
                          struct kl_error *err)
{
    uint32_t last = history->final->shape.n_layers - 1;
    uint32_t n_logits = history->final->shape.outputs[last];
    int is_text = kl_history_is_text(history);
    uint32_t n_told = is_text ? 1 : n_logits;
    size_t n_bins = (size_t)kl_n_bins(history) * history->data->n_datasets;
    size_t n_sums = (history->n_classes + n_bins) * n_told;
    struct job job = {.history = history,
                      .errors = history->errors[last],
                      .numbers = attention,
                      .told = logit,
                      .n_sums = n_sums + (is_text ? n_logits : 0),
                      .by_class = !is_text,
                      .add = is_text ? add_text_contributions : add_contributions};
    double *sums = NULL;
    enum kl_status status = kl_alloc(&sums, n_sums + n_logits, sizeof(double), "sums", err);

    if (!status)
        status = run(pool, &job, sums, err);
    if (status) {
        free(sums);
        return status;
    }
    for (size_t i = 0; !is_text && i < (size_t)history->n_classes * n_logits; i++)
        sums[n_sums + i % n_logits] += sums[i];
    *out = (struct kl_contributions){n_told, sums, sums + (size_t)history->n_classes * n_told,
                                     sums + n_sums};
    return KL_OK;
}

void kl_contributions_clear(struct kl_contributions *contributions)
{
    free(contributions->by_class); /* the block that all point into */
    *contributions = (struct kl_contributions){0};
}

static void add_weighted(const struct job *job, const struct rows *rows,
                         const struct class_sums *own, double *sums)
{
    uint32_t wanted = 0;

    (void)own;
    for (uint32_t i = 0; i < rows->n; i++)
        wanted += job->numbers[rows->first + i] != 0;
    if (wanted)
        add_rows(rows, job->numbers + rows->first, sums);
}

enum kl_status kl_sum_errors(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                             const float *weights, double *out, struct kl_error *err)
{
    struct job job = {.history = history,
                      .errors = history->errors[layer],
                      .numbers = weights,
                      .n_sums = history->errors[layer]->width,
                      .add = add_weighted};

    for (size_t j = 0; j < job.n_sums; j++)
        out[j] = 0;
    return run(pool, &job, out, err);
}
