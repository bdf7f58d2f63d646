#include "core/explain/many/hubness.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/norms.h"
#include "core/base/top.h"

#define PARTS 8  /* of the keys: between them other jobs get their turn */
#define SLICE 32 /* queries: so that there is a slice for every worker */

struct job {
    const struct kl_history *history;
    struct kl_batch_query query;
    const float *norms;
    uint32_t n;
    struct kl_slice *slices[(KL_HUBNESS_QUERIES + SLICE - 1) / SLICE];
    uint32_t part;
};

static enum kl_status scan_part(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    struct job *job = argument;
    uint64_t n_blocks = job->history->keys[job->query.layer]->n_blocks;
    enum kl_status status = KL_OK;

    if (job->part == 0)
        status = kl_slice_begin(job->slices[task], &job->query, job->norms, err);
    if (!status)
        status = kl_slice_scan(job->slices[task], worker, (uint32_t)(n_blocks * job->part / PARTS),
                               (uint32_t)(n_blocks * (job->part + 1) / PARTS), err);
    return status;
}

static enum kl_status finish(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct job *job = argument;

    (void)worker;
    return kl_slice_finish(job->slices[task], err);
}

static enum kl_status count(const struct job *job, struct kl_hubness *out, struct kl_error *err)
{
    uint32_t n_samples = kl_collection_size(job->history->data), *counts = NULL;
    struct kl_hubness hubness = {.n_queries = job->n};
    struct kl_top top = {NULL, 0, 0};
    enum kl_status status = kl_alloc(&counts, n_samples, sizeof *counts, "the counts", err);

    if (status)
        goto out;
    for (uint32_t s = 0; s * SLICE < job->n; s++)
        for (uint32_t q = 0; q < job->slices[s]->n; q++)
            for (uint32_t i = 0; i < job->slices[s]->n_best[q]; i++)
                counts[job->slices[s]->best[(size_t)q * KL_HUBNESS_TOP + i]]++;
    for (uint32_t i = 0; i < n_samples; i++)
        top.capacity += counts[i] > 0;
    status = kl_alloc(&top.items, top.capacity, sizeof *top.items, "the counts", err);
    if (status)
        goto out;
    status = kl_alloc(&hubness.samples, top.capacity, sizeof(uint32_t), "the counts", err);
    if (status)
        goto out;
    status = kl_alloc(&hubness.shares, top.capacity, sizeof(float), "the counts", err);
    if (status)
        goto out;
    for (uint32_t i = 0; i < n_samples; i++)
        if (counts[i])
            kl_top_offer(&top, counts[i], i);
    kl_top_sort(&top);
    hubness.n = top.n;
    for (uint32_t i = 0; i < top.n; i++) {
        hubness.samples[i] = (uint32_t)top.items[i].index;
        hubness.shares[i] = (float)(top.items[i].score / job->n);
    }
    *out = hubness;
    hubness = (struct kl_hubness){0};
out:
    kl_hubness_clear(&hubness);
    free(top.items);
    free(counts);
    return status;
}

enum kl_status kl_hubness(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                          const struct kl_rank *rank, enum kl_unit unit, struct kl_hubness *hubness,
                          struct kl_error *err)
{
    struct job job = {.history = history, .query = {layer, rank, unit, KL_HUBNESS_TOP, 0}};
    struct kl_batch_rows *rows = NULL;
    uint32_t *ids = NULL, n_slices;
    enum kl_status status = kl_batch_query_choose(history, KL_HUBNESS_QUERIES, &ids, &job.n, err);

    if (status)
        goto out;
    status = kl_batch_rows_create(history, &rows, err);
    if (status)
        goto out;
    if (rank->needs_lengths && !kl_shape_reads_samples(&history->final->shape, layer))
        status = kl_norms_of(pool, history, layer, &job.norms, err);
    n_slices = (job.n + SLICE - 1) / SLICE;
    if (!status)
        status = kl_slices_create(pool, rows, ids, job.n, SLICE, job.slices, err);
    for (; !status && job.part < PARTS; job.part++)
        status = kl_pool_run(pool, scan_part, &job, n_slices, err);
    for (uint32_t s = 0; !status && s < n_slices; s++)
        status = kl_slice_share(job.slices[s], err);
    if (!status)
        status = kl_pool_run(pool, finish, &job, n_slices, err);
    if (status)
        goto out;
    status = count(&job, hubness, err);
out:
    for (size_t i = 0; i < sizeof job.slices / sizeof job.slices[0]; i++)
        kl_slice_free(job.slices[i]);
    kl_batch_rows_free(rows);
    free(ids);
    return status;
}

void kl_hubness_clear(struct kl_hubness *hubness)
{
    free(hubness->samples);
    free(hubness->shares);
    memset(hubness, 0, sizeof *hubness);
}
