/* The correction of the last layer: sum over patterns of e_t (a_t + 1), grouped. */
#ifndef KL_CORE_CORRECTION_H
#define KL_CORE_CORRECTION_H

#include "core/history.h"

/* Contributions to every logit through the last layer, exact: they sum to the correction. */
struct kl_contributions {
    double *by_class; /* (n_classes of all data sets, n_logits) */
    double *by_bin;   /* (ranges of steps, data sets, n_logits): see core/timeline.h */
};

/* attention: (n_patterns) in the last layer. The caller ends *contributions with
 * kl_contributions_clear. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_correct(struct kl_pool *pool, const struct kl_history *history,
                          const float *attention, struct kl_contributions *contributions,
                          struct kl_error *err);
void kl_contributions_clear(struct kl_contributions *contributions);

/* out[j] = sum over patterns of weights[t] d_t[j] at a layer, from 0: weights (n_patterns), 0 for
 * patterns to leave out, which are not read one by one; out (the layer's outputs).
 * Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_sum_errors(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                             const float *weights, double *out, struct kl_error *err);

#endif
