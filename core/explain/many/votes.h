/* The vote of what is attended to: the output whose training samples have the largest sum |a_t| in
 * the last layer, over the classes of all data sets that share it. Where it differs from what the
 * network says, the answer is not a matter of the neighbours. */
#ifndef KL_CORE_EXPLAIN_MANY_VOTES_H
#define KL_CORE_EXPLAIN_MANY_VOTES_H

#include "core/explain/many/batch_query.h"
#include "core/base/pool.h"

/* The vote of a query of a slice whose class totals were asked for. */
uint32_t kl_vote_of_slice(const struct kl_history *history, const struct kl_slice *slice,
                          uint32_t q);

/* The samples of a run that can be asked about and were not trained on, by rising id: *ids (*n) is
 * the caller's to free. Errors: KL_ERR_NOT_FOUND (there are none), KL_ERR_MEMORY. */
enum kl_status kl_votes_choose(const struct kl_history *history, uint32_t **ids, uint32_t *n,
                               struct kl_error *err);

/* The vote and the network's own answer for each of the samples ids (n): votes, predicted (n). The
 * pool is left to others many times in between. BLAS should be single-threaded. Errors:
 * KL_ERR_MEMORY, KL_ERR_INTERRUPTED, those of reading. */
enum kl_status kl_votes(struct kl_pool *pool, const struct kl_history *history, const uint32_t *ids,
                        uint32_t n, const struct kl_work *work, uint32_t *votes,
                        uint32_t *predicted, struct kl_error *err);

#endif
