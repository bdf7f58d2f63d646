/* The dual form of a run, whatever optimiser trained it: what is left of the initial weights, and
 * what the patterns gave. Of histories that have one (has_dual); layers count from 0, x is a
 * layer's input. Thread-safe. */
#ifndef KL_CORE_EXPLAIN_DUAL_DUAL_H
#define KL_CORE_EXPLAIN_DUAL_DUAL_H

#include "core/explain/history.h"

/* out[j] = (P * (W_0 x + b_0))[j], or with a bias that has no dual form (P * W_0 x)[j] + b[j]:
 * (outputs[layer]) doubles. Errors: KL_ERR_MEMORY and those of
 * reading. */
enum kl_status kl_initial_guess(struct kl_pool *pool, const struct kl_history *history,
                                uint32_t layer, const float *x, double *out, struct kl_error *err);

/* left (outputs[layer], inputs[layer] + 1) = P * W_0, and P * b_0, or a bias without a dual form as
 * it ended. Errors: likewise. */
enum kl_status kl_left(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                       double *left, struct kl_error *err);

/* out[j] = the sum of what the patterns whose mark is value give output j of a layer: marks
 * (n_patterns), out (outputs[layer]). Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_sum_marked(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                             const float *x, const uint8_t *marks, int value, double *out,
                             struct kl_error *err);

#endif
