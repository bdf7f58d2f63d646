/* Is it this query, or any query? In what share of test queries a training sample is among the top
 * ten. Unnormalised attention favours samples with large keys, so the same few may top all lists.
 */
#ifndef KL_CORE_EXPLAIN_MANY_HUBNESS_H
#define KL_CORE_EXPLAIN_MANY_HUBNESS_H

#include "core/explain/many/batch_query.h"

#define KL_HUBNESS_QUERIES 256 /* test samples asked: a share is then good to some 3 points */
#define KL_HUBNESS_TOP 10

struct kl_hubness {
    uint32_t n_queries;
    uint32_t n;        /* training samples that are among the top ten of some query */
    uint32_t *samples; /* (n) ids, the commonest first */
    float *shares;     /* (n) of the queries */
};

/* Asks KL_HUBNESS_QUERIES test samples, or all there are; unit is KL_UNIT_PATTERN or
 * KL_UNIT_SAMPLE, layer from 0. Lets other jobs of the pool in between. The caller ends *common
 * with kl_hubness_clear. Errors: KL_ERR_NOT_FOUND (no test samples), KL_ERR_MEMORY, reading's. */
enum kl_status kl_hubness(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                          const struct kl_rank *rank, enum kl_unit unit, struct kl_hubness *common,
                          struct kl_error *err);
void kl_hubness_clear(struct kl_hubness *common);

#endif
