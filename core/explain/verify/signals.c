#include "core/explain/verify/signals.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/places/places.h"
#include "core/explain/verify/distance.h"

struct job {
    const struct kl_history *history;
    uint32_t layer, inputs, outputs;
    float *keys, *recorded, *logits, *computed; /* (most_per_step, inputs or outputs) */
    uint32_t *targets;
    uint32_t entries;        /* numbers recorded of each error signal; 0: all */
    double floor;            /* of the numbers of a step */
    struct kl_network *then; /* a snapshot */
    struct kl_signals_check found;
};

/* Half of the smallest step between two numbers that are recorded of a pattern: what is smaller may
 * be recorded as 0. */
static enum kl_status find_floor(struct job *job, uint64_t pattern, struct kl_error *err)
{
    const struct kl_block_source *errors = job->history->errors[job->layer];
    uint32_t number = kl_block_of(errors, pattern);
    struct kl_block block = {0};
    enum kl_status status =
        errors->read(errors->self, 0, number, (uint32_t)(pattern - errors->extents[number].first),
                     1, &block, err);

    job->floor = errors->dtype == KL_F16 ? ldexp(1, -25 - block.exponent) : 0;
    return status;
}

/* What of a pattern's error signal was to be recorded: all of it, or the target's number and those
 * that are larger than the ones beside it; of these others the smallest, 0 if one is missing. */
static double smallest_recorded(const struct job *job, const float *recorded, uint32_t target)
{
    uint32_t n_others = 0;
    double smallest = INFINITY;

    for (uint32_t j = 0; j < job->outputs; j++) {
        double d = fabs((double)recorded[j]);

        if (j == target || d == 0)
            continue;
        n_others++;
        smallest = d < smallest ? d : smallest;
    }
    return n_others + 1 < job->entries ? 0 : smallest;
}

/* Adds a row to what is off, what of that rounding explains, and how long it is, squared. A key is
 * off by a share u of itself, so z_j by u |w_j| |x|, and by softmax's derivative d by no more than
 * twice the largest of these, as a share of itself. */
static void add_row(struct job *job, uint32_t row, double reach, struct kl_misfit *misfit)
{
    const float *recorded = job->recorded + (size_t)row * job->outputs;
    const float *computed = job->computed + (size_t)row * job->outputs;
    uint32_t target = job->targets[row];
    double u = job->history->errors[job->layer]->dtype == KL_F16 ? 0x1p-11 : 0x1p-22;
    double share = 2 * u * reach * kl_length(job->keys + (size_t)row * job->inputs, job->inputs);
    double least = job->entries ? smallest_recorded(job, recorded, target) : 0;

    for (uint32_t j = 0; j < job->outputs; j++) {
        double d = recorded[j], c = computed[j], rounding = share * fabs(c) + job->floor;

        if (job->entries && j != target && d == 0 && fabs(c) <= least + rounding)
            continue; /* not recorded */
        kl_misfit_add(misfit, c, d, rounding);
    }
}

/* Of the step after network, from 1. */
static enum kl_status check_step(struct job *job, uint32_t step, const struct kl_network *network,
                                 struct kl_error *err)
{
    const struct kl_history *history = job->history;
    uint64_t first = kl_history_start(history, step);
    uint32_t n = kl_history_count(history, step);
    const float *biases = network->biases[job->layer], *weights = network->weights[job->layer];
    struct kl_misfit misfit = {0};
    double reach = 0, excess;
    enum kl_status status =
        kl_read_keys(history, history->keys[job->layer], job->layer, 0, first, n, job->keys, err);

    if (!status)
        status = kl_read_errors(history, job->layer, 0, first, n, job->recorded, err);
    if (!status)
        status = find_floor(job, first, err);
    if (status)
        return status;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(job->logits + (size_t)i * job->outputs, biases, job->outputs * sizeof *biases);
        job->targets[i] = kl_collection_target(history->data, history->samples[first + i]);
    }
    for (uint32_t j = 0; j < job->outputs; j++)
        reach = fmax(reach, kl_length(weights + (size_t)j * job->inputs, job->inputs));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)job->outputs,
                (int)job->inputs, 1, job->keys, (int)job->inputs, weights, (int)job->inputs, 1,
                job->logits, (int)job->outputs);
    kl_cross_entropy(job->logits, n, job->outputs, job->targets, job->computed);
    for (uint32_t i = 0; i < n; i++)
        add_row(job, i, reach, &misfit);
    excess = kl_misfit_excess(&misfit);
    if (job->found.step == 0 || excess > job->found.excess)
        job->found = (struct kl_signals_check){step, excess};
    return KL_OK;
}

/* As one pool task: GEMM has its own threads. */
static enum kl_status check_steps(void *argument, unsigned worker, unsigned task,
                                  struct kl_error *err)
{
    struct job *job = argument;
    const struct kl_snapshots *snapshots = &job->history->snapshots;
    enum kl_status status = check_step(job, 1, job->history->initial, err);

    (void)worker;
    (void)task;
    for (uint32_t i = 0; !status && i < snapshots->n; i++) {
        status = snapshots->read(snapshots->self, 0, i, job->then, err);
        if (!status)
            status = check_step(job, snapshots->steps[i] + 1, job->then, err);
    }
    return status;
}

enum kl_status kl_signals_check(struct kl_pool *pool, const struct kl_history *history,
                                struct kl_signals_check *check, struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    uint32_t layer = shape->n_layers - 1;
    struct job job = {.history = history,
                      .layer = layer,
                      .inputs = shape->inputs[layer],
                      .outputs = shape->outputs[layer],
                      .entries = history->errors[layer]->entries};
    size_t n = history->most_per_step;
    const char *what = "checking error signals";
    enum kl_status status = kl_alloc(&job.keys, n * job.inputs, sizeof(float), what, err);

    if (!status)
        status = kl_alloc(&job.recorded, n * job.outputs, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&job.logits, n * job.outputs, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&job.computed, n * job.outputs, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&job.targets, n, sizeof(uint32_t), what, err);
    if (!status)
        status = kl_network_create(shape, &job.then, err);
    if (!status)
        status = kl_pool_run(pool, check_steps, &job, 1, err);
    if (!status)
        *check = job.found;
    kl_network_free(job.then);
    free(job.keys);
    free(job.recorded);
    free(job.logits);
    free(job.computed);
    free(job.targets);
    return status;
}
