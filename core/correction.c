#include "core/correction.h"

#include <stdlib.h>

#include "core/memory.h"
#include "core/timeline.h"

#define TASKS_MAX 64               /* partial sums: bounds memory, keeps their order fixed */
#define SUMS_MAX ((size_t)1 << 22) /* of all tasks: 32 MB */
#define ROWS 64                    /* error signals converted at a time */

/* Passes over all error signals of a layer, each task with sums of its own over a range of blocks.
 */
struct job {
    const struct kl_history *history;
    const struct kl_block_source *errors;
    const float *numbers; /* (n_patterns): attention, or weights */
    size_t n_sums;
    uint32_t n_tasks;
    double *sums; /* (n_tasks, n_sums) */
    void (*add)(const struct job *job, uint64_t pattern, const float *row, double *sums);
};

static enum kl_status add_blocks(void *argument, unsigned worker, unsigned task,
                                 struct kl_error *err)
{
    const struct job *job = argument;
    uint32_t width = job->errors->width;
    uint32_t first = (uint32_t)((uint64_t)job->errors->n_blocks * task / job->n_tasks);
    uint32_t end = (uint32_t)((uint64_t)job->errors->n_blocks * (task + 1) / job->n_tasks);
    float *rows = NULL;
    enum kl_status status =
        kl_alloc(&rows, (size_t)ROWS * width, sizeof(float), "error signals", err);

    for (uint32_t b = first; !status && b < end; b++) {
        struct kl_block block = {0};

        status = kl_read_block(job->errors, worker, b, &block, err);
        for (uint32_t i = 0; !status && i < block.count; i++) {
            uint32_t at = i % ROWS, left = block.count - i;

            if (at == 0)
                kl_block_to_float(&block, (size_t)i * width,
                                  (size_t)(left < ROWS ? left : ROWS) * width, rows);
            job->add(job, block.first + i, rows + (size_t)at * width,
                     job->sums + task * job->n_sums);
        }
    }
    free(rows);
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

/* sums: first by class, then by bin and data set. */
static void add_contribution(const struct job *job, uint64_t t, const float *row, double *sums)
{
    const struct kl_history *history = job->history;
    uint32_t n_logits = job->errors->width, sample = history->samples[t];
    uint32_t class = history->classes[sample], step = kl_history_step(history, t);
    double weight = history->coefficients[step - 1] * ((double)job->numbers[t] + 1);
    double *by_class = sums + (size_t) class * n_logits;
    size_t bin = (size_t)kl_bin_of(history, step) * history->data->n_datasets +
                 history->class_datasets[class];
    double *by_bin = sums + (history->n_classes + bin) * n_logits;

    for (uint32_t j = 0; j < n_logits; j++) {
        double contribution = weight * row[j];

        by_class[j] += contribution;
        by_bin[j] += contribution;
    }
}

enum kl_status kl_correct(struct kl_pool *pool, const struct kl_history *history,
                          const float *attention, struct kl_contributions *out,
                          struct kl_error *err)
{
    uint32_t last = history->final->n_layers - 1, n_logits = history->final->widths[last + 1];
    size_t n_bins = (size_t)kl_n_bins(history) * history->data->n_datasets;
    struct job job = {.history = history,
                      .errors = history->errors[last],
                      .numbers = attention,
                      .n_sums = (history->n_classes + n_bins) * n_logits,
                      .add = add_contribution};
    double *sums = NULL;
    enum kl_status status = kl_alloc(&sums, job.n_sums, sizeof(double), "sums", err);

    if (!status)
        status = run(pool, &job, sums, err);
    if (status) {
        free(sums);
        return status;
    }
    *out = (struct kl_contributions){sums, sums + (size_t)history->n_classes * n_logits};
    return KL_OK;
}

void kl_contributions_clear(struct kl_contributions *contributions)
{
    free(contributions->by_class); /* the block that both point into */
    *contributions = (struct kl_contributions){NULL, NULL};
}

static void add_weighted(const struct job *job, uint64_t t, const float *row, double *sums)
{
    double weight = job->numbers[t];

    for (uint32_t j = 0; weight != 0 && j < job->errors->width; j++)
        sums[j] += weight * row[j];
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
