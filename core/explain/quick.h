/* The best patterns without all of them to the last bit: a pass over keys in 8 bits says how much
 * attention each may get at most and at least (core/scan/quantised.h), and only those that may be
 * among the best are looked up in float16. The best are the same, to the bit. */
#ifndef KL_CORE_EXPLAIN_QUICK_H
#define KL_CORE_EXPLAIN_QUICK_H

#include "core/explain/history.h"
#include "core/explain/rank.h"

/* Whether the best of a layer, from 0, by a rank can be found so: whether they could be, and the
 * keys are in memory in 8 bits, which is asked for if not. */
int kl_quick_applies(const struct kl_history *history, uint32_t layer, const struct kl_rank *rank);

/* Fills scores (n_patterns) for a query (inputs of the layer, from 0): exact wherever a pattern can
 * be among the top best by the rank, and elsewhere by 8 bits, which is less than what the best
 * have. attention (n_patterns) is filled where scores are exact. *is_done is 0 where that is of
 * no use: 8 bits leave too many in question, or are not in memory any more. Errors: KL_ERR_MEMORY
 * and those of reading. */
enum kl_status kl_quick_attention(struct kl_pool *pool, const struct kl_history *history,
                                  uint32_t layer, const float *query, const struct kl_rank *rank,
                                  uint32_t top, float *attention, float *scores, int *is_done,
                                  struct kl_error *err);

#endif
