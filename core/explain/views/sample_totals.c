#include "core/explain/views/sample_totals.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

enum kl_status kl_sample_totals(const struct kl_history *history, const float *attention,
                                const float *scores, struct kl_sample_totals *out,
                                struct kl_error *err)
{
    struct kl_sample_totals totals = {.n = kl_collection_size(history->data)};
    enum kl_status status =
        kl_alloc(&totals.repetitions, totals.n, sizeof(uint32_t), "the samples' totals", err);

    if (!status)
        status = kl_alloc(&totals.first, totals.n, sizeof(uint64_t), "the samples' totals", err);
    if (!status)
        status = kl_alloc(&totals.sum, totals.n, sizeof(double), "the samples' totals", err);
    if (!status)
        status = kl_alloc(&totals.sum_abs, totals.n, sizeof(double), "the samples' totals", err);
    if (!status)
        status = kl_alloc(&totals.score, totals.n, sizeof(double), "the samples' totals", err);
    if (status) {
        kl_sample_totals_clear(&totals);
        return status;
    }
    for (uint64_t t = 0; t < history->n_patterns; t++) {
        uint32_t sample = history->samples[t];

        if (totals.repetitions[sample]++ == 0)
            totals.first[sample] = t;
        totals.sum[sample] += attention[t];
        totals.sum_abs[sample] += fabsf(attention[t]);
        totals.score[sample] += scores[t];
    }
    *out = totals;
    return KL_OK;
}

void kl_sample_totals_clear(struct kl_sample_totals *totals)
{
    free(totals->repetitions);
    free(totals->first);
    free(totals->sum);
    free(totals->sum_abs);
    free(totals->score);
    memset(totals, 0, sizeof *totals);
}
