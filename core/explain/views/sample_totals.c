#include "core/explain/views/sample_totals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

/* All of one sample in half a cache line: patterns come in any order of samples. */
struct total {
    double sum, sum_abs, score;
    uint64_t first;
};

static void add_patterns(const struct kl_history *history, const float *attention,
                         const float *scores, struct total *totals)
{
    for (uint32_t i = 0; i < kl_collection_size(history->data); i++)
        totals[i] = (struct total){.first = UINT64_MAX};
    for (uint64_t t = 0; t < history->n_patterns; t++) {
        struct total *total = &totals[history->samples[t]];

        if (t < total->first)
            total->first = t;
        total->sum += attention[t];
        total->sum_abs += fabsf(attention[t]);
        total->score += scores[t];
    }
}

enum kl_status kl_sample_totals(const struct kl_history *history, const float *attention,
                                const float *scores, struct kl_sample_totals *out,
                                struct kl_error *err)
{
    struct kl_sample_totals totals = {.n = kl_collection_size(history->data),
                                      .repetitions = history->repetitions};
    struct total *each = NULL;
    enum kl_status status =
        kl_alloc_scanned(&each, totals.n, sizeof *each, "the samples' totals", err);

    if (!status)
        status = kl_alloc(&totals.first, totals.n, sizeof(uint64_t), "the samples' totals", err);
    if (!status) /* all of them in one block */
        status =
            kl_alloc(&totals.sum, 3 * (size_t)totals.n, sizeof(double), "the samples' totals", err);
    if (!status) {
        totals.sum_abs = totals.sum + totals.n;
        totals.score = totals.sum_abs + totals.n;
        add_patterns(history, attention, scores, each);
        for (uint32_t i = 0; i < totals.n; i++) {
            totals.first[i] = each[i].first;
            totals.sum[i] = each[i].sum;
            totals.sum_abs[i] = each[i].sum_abs;
            totals.score[i] = each[i].score;
        }
        status = kl_peers_sum(history->peers, totals.sum, 3 * (size_t)totals.n, err);
    }
    free(each);
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
