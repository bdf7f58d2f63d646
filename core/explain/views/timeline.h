/* Attention over training time: totals by a range of steps and group. */
#ifndef KL_CORE_EXPLAIN_VIEWS_TIMELINE_H
#define KL_CORE_EXPLAIN_VIEWS_TIMELINE_H

#include "core/explain/views/bins.h"
#include "core/explain/views/groups.h"
#include "core/explain/views/signed_sums.h"

struct kl_timeline {
    uint32_t n_bins, n_groups;
    struct kl_signed_sum *sums; /* (n_bins, n_groups) of a_t */
};

/* attention: (n_patterns). The caller ends *timeline with kl_timeline_clear.
 * Errors: KL_ERR_MEMORY. */
enum kl_status kl_timeline(struct kl_pool *pool, const struct kl_history *history,
                           const struct kl_groups *groups, const float *attention,
                           struct kl_timeline *timeline, struct kl_error *err);
void kl_timeline_clear(struct kl_timeline *timeline);

#endif
