/* Sums of a signed number per pattern, by range of steps and group of classes. */
#ifndef KL_CORE_EXPLAIN_VIEWS_SIGNED_SUMS_H
#define KL_CORE_EXPLAIN_VIEWS_SIGNED_SUMS_H

#include "core/explain/history.h"

struct kl_signed_sum {
    double of[2]; /* of the numbers that are not negative, and of those that are */
};

static inline double kl_sum_positive(struct kl_signed_sum sum)
{
    return sum.of[0];
}

static inline double kl_sum_negative(struct kl_signed_sum sum)
{
    return sum.of[1];
}

static inline double kl_sum_abs(struct kl_signed_sum sum)
{
    return sum.of[0] - sum.of[1];
}

/* numbers: (n_patterns); group_of_class: (n_classes) below n_groups, or NULL: a class is its own
 * group; n_bins: as many ranges as a timeline has (core/explain/views/bins.h), or 1: all steps
 * together. *sums: (n_bins, n_groups), the caller frees it. Errors: KL_ERR_MEMORY. */
enum kl_status kl_signed_sums(struct kl_pool *pool, const struct kl_history *history,
                              const float *numbers, const uint32_t *group_of_class,
                              uint32_t n_groups, uint32_t n_bins, struct kl_signed_sum **sums,
                              struct kl_error *err);

#endif
