/* What the spotlight is ordered by: one score per pattern. */
#ifndef KL_CORE_EXPLAIN_SCORES_H
#define KL_CORE_EXPLAIN_SCORES_H

#include "core/explain/attention.h"

/* scores[t], (n_patterns), for the query's rank: see kl_rank in core/explain/attention.h.
 *
 * attention: (n_patterns) of the query's layer; trace: the query run through the network, whose
 * gradients are overwritten; logit and target as in the answer. COSINE reads the lengths of the
 * keys, LOGIT the layer's error signals, EFFECT, HELPED and HARMED all keys and error signals that
 * are recorded.
 * Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_scores(struct kl_pool *pool, const struct kl_history *history,
                         const struct kl_query *query, uint32_t logit, uint32_t target,
                         struct kl_trace *trace, const float *attention, float *scores,
                         struct kl_error *err);

#endif
