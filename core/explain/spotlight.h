/* Picks the patterns or samples with the largest scores, in one pass and without sorting all. */
#ifndef KL_CORE_EXPLAIN_SPOTLIGHT_H
#define KL_CORE_EXPLAIN_SPOTLIGHT_H

#include "core/explain/answer.h"
#include "core/explain/query.h"

/* Fills answer->spotlight (contributions left 0), n_hits and the moments of all scores from the
 * attention and the scores of every pattern; totals, of the same scores, are needed by sample only.
 * Of equal scores the earlier pattern, or the smaller sample id, comes first. At most top are lit.
 * Errors: KL_ERR_MEMORY. */
enum kl_status kl_spotlight(struct kl_pool *pool, const struct kl_history *history,
                            const struct kl_query *query, uint32_t top, const float *attention,
                            const float *scores, const struct kl_sample_totals *totals,
                            struct kl_answer *answer, struct kl_error *err);

#endif
