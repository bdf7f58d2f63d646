#include "core/explain/many/votes.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/explain/query.h"
#include "core/explain/ranks.h"

#define PARTS 8 /* of the keys: between them other jobs get their turn */

uint32_t kl_vote_of_slice(const struct kl_history *history, const struct kl_slice *slice,
                          uint32_t q)
{
    uint32_t n_outputs = kl_shape_n_outputs(&history->final->shape), best = 0;
    double most = -1;

    for (uint32_t output = 0; output < n_outputs; output++) {
        double sum = 0;
        uint32_t base = 0; /* the data set's first class */

        for (uint32_t d = 0; d < history->data->n_datasets; d++) {
            uint32_t first = kl_collection_first_output(history->data, d);
            uint32_t n_classes = history->data->datasets[d]->n_classes;

            if (output >= first && output - first < n_classes)
                sum += slice->class_totals[(size_t)(base + output - first) * slice->n + q];
            base += n_classes;
        }
        if (sum > most) {
            most = sum;
            best = output;
        }
    }
    return best;
}

enum kl_status kl_votes_choose(const struct kl_history *history, uint32_t **ids, uint32_t *n,
                               struct kl_error *err)
{
    uint32_t n_samples = kl_collection_size(history->data);
    enum kl_status status = kl_alloc(ids, n_samples, sizeof **ids, "samples", err);

    *n = 0;
    for (uint32_t id = 0; !status && id < n_samples; id++)
        if (kl_collection_place(history->data, id).split != KL_SPLIT_TRAIN &&
            kl_history_can_ask(history, id))
            (*ids)[(*n)++] = id;
    return status || *n ? status
                        : kl_fail(err, KL_ERR_NOT_FOUND,
                                  "this run has no samples that it was not trained on");
}

struct job {
    const struct kl_history *history;
    struct kl_batch_rows *rows;
    const uint32_t *ids;
    uint32_t n, size; /* samples; of a slice */
    uint32_t first;   /* of the slices that are under way */
    uint32_t part;
    uint32_t n_workers;
    struct kl_slice **slices; /* (n_workers) */
};

/* A part of one slice. */
static enum kl_status scan_part(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    struct job *job = argument;
    uint32_t layer = job->history->final->shape.n_layers - 1;
    uint64_t n_blocks = job->history->keys[layer]->n_blocks;
    const struct kl_batch_query query = {layer, kl_rank_at(0), KL_UNIT_SAMPLE, 1, 1};
    enum kl_status status = KL_OK;

    if (job->part == 0)
        status = kl_slice_begin(job->slices[task], &query, NULL, err);
    return status
               ? status
               : kl_slice_scan(job->slices[task], worker, (uint32_t)(n_blocks * job->part / PARTS),
                               (uint32_t)(n_blocks * (job->part + 1) / PARTS), err);
}

static void count(const struct job *job, const struct kl_slice *slice, uint32_t *votes,
                  uint32_t *predicted)
{
    uint32_t n_outputs = kl_shape_n_outputs(&job->history->final->shape);
    const float *logits = slice->activations->keys[job->history->final->shape.n_layers];

    for (uint32_t q = 0; q < slice->n; q++) {
        votes[q] = kl_vote_of_slice(job->history, slice, q);
        predicted[q] = kl_argmax(logits + (size_t)q * n_outputs, n_outputs);
    }
}

/* The next slices, one a worker. */
static enum kl_status ask_some(struct kl_pool *pool, struct job *job, const struct kl_work *work,
                               uint32_t *votes, uint32_t *predicted, struct kl_error *err)
{
    uint32_t left = (job->n - job->first + job->size - 1) / job->size;
    uint32_t n_slices = left < job->n_workers ? left : job->n_workers, rest = job->n - job->first;
    uint32_t n = n_slices * job->size < rest ? n_slices * job->size : rest; /* that are asked now */
    enum kl_status status =
        kl_slices_create(pool, job->rows, job->ids + job->first, n, job->size, job->slices, err);

    for (job->part = 0; !status && job->part < PARTS; job->part++) {
        status = kl_pool_run(pool, scan_part, job, n_slices, err);
        if (!status &&
            kl_work_tell(work, job->first + (uint32_t)((uint64_t)(job->part + 1) * n / PARTS),
                         job->n))
            status = kl_fail(err, KL_ERR_INTERRUPTED, "the votes were not counted to the end");
    }
    for (uint32_t i = 0; i < n_slices; i++) {
        if (!status)
            status = kl_slice_share(job->slices[i], err);
        if (!status)
            count(job, job->slices[i], votes + job->first + i * job->size,
                  predicted + job->first + i * job->size);
        kl_slice_free(job->slices[i]);
        job->slices[i] = NULL;
    }
    job->first += n_slices * job->size;
    return status;
}

enum kl_status kl_votes(struct kl_pool *pool, const struct kl_history *history, const uint32_t *ids,
                        uint32_t n, const struct kl_work *work, uint32_t *votes,
                        uint32_t *predicted, struct kl_error *err)
{
    struct job job = {.history = history, .ids = ids, .n = n, .n_workers = kl_pool_n_workers(pool)};
    enum kl_status status = kl_peers_smallest(history->peers, &job.n_workers, err);
    uint32_t even = (n + job.n_workers - 1) / job.n_workers;

    job.size = even < KL_SLICE ? even : KL_SLICE;
    if (!status)
        status = kl_alloc(&job.slices, job.n_workers, sizeof(*job.slices), "votes", err);

    if (!status)
        status = kl_batch_rows_create(history, &job.rows, err);
    while (!status && job.first < n)
        status = ask_some(pool, &job, work, votes, predicted, err);
    kl_batch_rows_free(job.rows);
    free(job.slices);
    return status;
}
