/* Totals per training sample over all its repetitions. */
#ifndef KL_CORE_EXPLAIN_VIEWS_SAMPLE_TOTALS_H
#define KL_CORE_EXPLAIN_VIEWS_SAMPLE_TOTALS_H

#include "core/explain/history.h"

struct kl_sample_totals {
    uint32_t n;                  /* samples of the run, by id; those never trained on are 0 */
    const uint32_t *repetitions; /* (n) the history's */
    uint64_t *first; /* (n) of this process the first pattern; UINT64_MAX: it has none */
    double *sum;     /* (n) of a_t */
    double *sum_abs; /* (n) of |a_t| */
    double *score;   /* (n) of the scores */
};

/* attention, scores: (n_patterns). The caller ends *totals with kl_sample_totals_clear.
 * Collective. Errors: KL_ERR_MEMORY, KL_ERR_PEERS. */
enum kl_status kl_sample_totals(struct kl_pool *pool, const struct kl_history *history,
                                const float *attention, const float *scores,
                                struct kl_sample_totals *totals, struct kl_error *err);
void kl_sample_totals_clear(struct kl_sample_totals *totals);

#endif
