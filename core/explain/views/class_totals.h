/* The attention of a query, summed by class of the training patterns. */
#ifndef KL_CORE_EXPLAIN_VIEWS_CLASS_TOTALS_H
#define KL_CORE_EXPLAIN_VIEWS_CLASS_TOTALS_H

#include "core/explain/views/signed_sums.h"

struct kl_class_total {
    uint32_t dataset, label;
    uint64_t patterns;
    double sum_abs, sum_positive, sum_negative; /* of a_t */
};

/* attention: (n_patterns); by_bin: its sums by (n_bins, n_classes), if they are there already, or
 * NULL; *totals: (n_classes), data sets in order, labels in order; the caller frees it. Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_class_totals(struct kl_pool *pool, const struct kl_history *history,
                               const float *attention, const struct kl_signed_sum *by_bin,
                               uint32_t n_bins, struct kl_class_total **totals,
                               struct kl_error *err);

#endif
