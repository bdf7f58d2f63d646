/* What each step's gradient still weighs in the final weights.
 *
 * SGD at step s, as PyTorch defines it, with clip factor g, weight decay lambda, momentum mu and
 * learning rate eta:
 *
 *   G_s = sum_{t in s} d_t x_t^T,  v_s = mu v_{s-1} + g_s G_s + lambda W_{s-1},
 *   W_s = W_{s-1} - eta_s v_s
 *
 * is linear in W_0 and the G_s:  W_S = alpha W_0 + sum_s c_s G_s.  The coefficients come from one
 * backward recurrence:
 *
 *   p = 1, q = 0;  for s = S .. 1:  q -= eta_s p;  c_s = g_s q;  p += lambda q;  q *= mu;
 *   alpha = p */
#ifndef KL_CORE_MODELS_COEFFICIENTS_H
#define KL_CORE_MODELS_COEFFICIENTS_H

#include <stdint.h>

struct kl_step_rule {
    double learning_rate, momentum, weight_decay, clip_factor;
    double beta_1, beta_2, epsilon; /* Adam's: core/models/adam.h */
};

/* rules, coefficients: (n_steps), entry s belongs to step s + 1. */
void kl_coefficients(const struct kl_step_rule *rules, uint32_t n_steps, double *coefficients,
                     double *alpha);

#endif
