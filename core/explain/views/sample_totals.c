#include "core/explain/views/sample_totals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

enum kl_status kl_sample_totals(const struct kl_history *history, const float *attention,
                                const float *scores, struct kl_sample_totals *out,
                                struct kl_error *err)
{
    struct kl_sample_totals totals = {.n = kl_collection_size(history->data),
                                      .repetitions = history->repetitions};
    enum kl_status status =
        kl_alloc(&totals.first, totals.n, sizeof(uint64_t), "the samples' totals", err);
    if (!status) /* all of them in one block */
        status =
            kl_alloc(&totals.sum, 3 * (size_t)totals.n, sizeof(double), "the samples' totals", err);
    if (status) {
        kl_sample_totals_clear(&totals);
        return status;
    }
    totals.sum_abs = totals.sum + totals.n;
    totals.score = totals.sum_abs + totals.n;
    memset(totals.first, 0xff, totals.n * sizeof *totals.first);
    for (uint64_t t = 0; t < history->n_patterns; t++) {
        uint32_t sample = history->samples[t];

        if (t < totals.first[sample])
            totals.first[sample] = t;
        totals.sum[sample] += attention[t];
        totals.sum_abs[sample] += fabsf(attention[t]);
        totals.score[sample] += scores[t];
    }
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
