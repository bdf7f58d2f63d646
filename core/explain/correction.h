/* The correction of the last layer: sum over patterns of e_t (a_t + 1), grouped. */
#ifndef KL_CORE_EXPLAIN_CORRECTION_H
#define KL_CORE_EXPLAIN_CORRECTION_H

#include "core/explain/history.h"

/* Contributions through the last layer, exact where error signals are recorded whole: they sum to
 * the correction. */
struct kl_contributions {
    uint32_t n_reported; /* logits that are told: all, or, of a text, one */
    double *by_class;    /* (n_classes of all data sets, n_reported) */
    double *by_bin; /* (ranges of steps, data sets, n_reported): see core/explain/views/bins.h */
    double *correction; /* (n_logits) the sum of all patterns' contributions */
};

/* attention: (n_patterns) in the last layer; logit: the one told of a text. The caller ends
 * *contributions with kl_contributions_clear. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_correct(struct kl_pool *pool, const struct kl_history *history,
                          const float *attention, uint32_t logit,
                          struct kl_contributions *contributions, struct kl_error *err);
void kl_contributions_clear(struct kl_contributions *contributions);

/* out[j] = sum over patterns of weights[t] d_t[j] at a layer, from 0: weights (n_patterns), 0 for
 * patterns to leave out, which are not read one by one; out (the layer's outputs).
 * Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_sum_errors(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                             const float *weights, double *out, struct kl_error *err);

#endif
