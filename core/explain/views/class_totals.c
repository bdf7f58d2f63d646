#include "core/explain/views/class_totals.h"

#include <stdlib.h>

#include "core/base/memory.h"

static void name_classes(const struct kl_history *history, struct kl_class_total *totals)
{
    uint32_t number = 0, n_samples = kl_collection_size(history->data);

    for (uint32_t d = 0; d < history->data->n_datasets; d++) {
        for (uint32_t label = 0; label < history->data->datasets[d]->n_classes; label++) {
            totals[number].dataset = d;
            totals[number++].label = label;
        }
    }
    for (uint32_t i = 0; i < n_samples; i++)
        if (history->repetitions[i])
            totals[history->classes[i]].patterns += history->repetitions[i];
}

enum kl_status kl_class_totals(struct kl_pool *pool, const struct kl_history *history,
                               const float *attention, const struct kl_signed_sum *by_bin,
                               uint32_t n_bins, struct kl_class_total **out, struct kl_error *err)
{
    uint32_t n_classes = history->n_classes;
    struct kl_signed_sum *own = NULL;
    struct kl_class_total *totals = NULL;
    enum kl_status status = kl_alloc(&totals, n_classes, sizeof *totals, "class totals", err);

    if (!status && !by_bin) {
        status = kl_signed_sums(pool, history, attention, NULL, n_classes, 1, &own, err);
        by_bin = own;
        n_bins = 1;
    }
    if (status) {
        free(totals);
        return status;
    }
    name_classes(history, totals);
    for (size_t i = 0; i < (size_t)n_bins * n_classes; i++) {
        struct kl_class_total *total = &totals[i % n_classes];

        total->sum_positive += kl_sum_positive(by_bin[i]);
        total->sum_negative += kl_sum_negative(by_bin[i]);
        total->sum_abs += kl_sum_abs(by_bin[i]);
    }
    free(own);
    *out = totals;
    return KL_OK;
}
