#include "core/explain/views/sample_totals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/views/sample_order.h"

struct job {
    const struct kl_sample_order *order;
    const float *attention, *scores;
    struct kl_sample_totals *totals;
};

static enum kl_status add_samples(void *argument, const struct kl_part *part, struct kl_error *err)
{
    const struct job *job = argument;
    const uint64_t *starts = job->order->starts, *patterns = job->order->patterns;

    (void)err;
    for (uint64_t i = part->first; i < part->end; i++) {
        double sum = 0, sum_abs = 0, score = 0;

        for (uint64_t k = starts[i]; k < starts[i + 1]; k++) {
            sum += job->attention[patterns[k]];
            sum_abs += fabsf(job->attention[patterns[k]]);
            score += job->scores[patterns[k]];
        }
        job->totals->first[i] = starts[i] < starts[i + 1] ? patterns[starts[i]] : UINT64_MAX;
        job->totals->sum[i] = sum;
        job->totals->sum_abs[i] = sum_abs;
        job->totals->score[i] = score;
    }
    return KL_OK;
}

enum kl_status kl_sample_totals(struct kl_pool *pool, const struct kl_history *history,
                                const float *attention, const float *scores,
                                struct kl_sample_totals *out, struct kl_error *err)
{
    struct kl_sample_totals totals = {.n = kl_collection_size(history->data),
                                      .repetitions = history->repetitions};
    struct job job = {NULL, attention, scores, &totals};
    enum kl_status status = kl_sample_order_of(history, &job.order, err);

    if (!status)
        status = kl_alloc(&totals.first, totals.n, sizeof(uint64_t), "the samples' totals", err);
    if (!status) /* all of them in one block */
        status =
            kl_alloc(&totals.sum, 3 * (size_t)totals.n, sizeof(double), "the samples' totals", err);
    if (!status) {
        totals.sum_abs = totals.sum + totals.n;
        totals.score = totals.sum_abs + totals.n;
        status = kl_pool_split(pool, totals.n, KL_PARTS_MAX, add_samples, &job, err);
    }
    if (!status)
        status = kl_peers_sum(history->peers, totals.sum, 3 * (size_t)totals.n, err);
    if (status)
        kl_sample_totals_clear(&totals);
    else
        *out = totals;
    return status;
}

void kl_sample_totals_clear(struct kl_sample_totals *totals)
{
    free(totals->first);
    free(totals->sum);
    memset(totals, 0, sizeof *totals);
}
