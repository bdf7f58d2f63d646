#include "core/explain/verify/signals.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/places/places.h"

struct job {
    const struct kl_history *history;
    uint32_t layer, inputs, outputs;
    float *keys, *recorded, *logits, *computed; /* (most_per_step, inputs or outputs) */
    uint32_t *targets;
    struct kl_network *then; /* a snapshot */
    struct kl_signals_check found;
};

/* Of the step behind network, from 1. */
static enum kl_status check_step(struct job *job, uint32_t step, const struct kl_network *network,
                                 struct kl_error *err)
{
    const struct kl_history *history = job->history;
    uint64_t first = kl_history_start(history, step);
    uint32_t n = kl_history_count(history, step);
    const float *biases = network->biases[job->layer];
    double off = 0, size = 0, distance;
    enum kl_status status =
        kl_read_keys(history, history->keys[job->layer], job->layer, 0, first, n, job->keys, err);

    if (!status)
        status = kl_read_errors(history, job->layer, 0, first, n, job->recorded, err);
    if (status)
        return status;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(job->logits + (size_t)i * job->outputs, biases, job->outputs * sizeof *biases);
        job->targets[i] = kl_collection_target(history->data, history->samples[first + i]);
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, (int)job->outputs,
                (int)job->inputs, 1, job->keys, (int)job->inputs, network->weights[job->layer],
                (int)job->inputs, 1, job->logits, (int)job->outputs);
    kl_cross_entropy(job->logits, n, job->outputs, job->targets, job->computed);
    for (size_t i = 0; i < (size_t)n * job->outputs; i++) {
        double d = job->recorded[i];

        if (d == 0) /* not recorded, or next to nothing */
            continue;
        off += (job->computed[i] - d) * (job->computed[i] - d);
        size += d * d;
    }
    distance = size > 0 ? sqrt(off / size) : 0;
    if (job->found.step == 0 || !(distance <= job->found.distance))
        job->found = (struct kl_signals_check){step, distance};
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
                      .outputs = shape->outputs[layer]};
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
