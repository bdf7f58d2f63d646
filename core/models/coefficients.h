/* What each step's gradient still weighs in the final weights.
 *
 * SGD at step s, as PyTorch defines it, with clip factor g, weight decay lambda, momentum mu,
 * dampening 1 - tau (0 at the first step) and learning rate eta:
 *
 *   G_s = sum_{t in s} d_t x_t^T,  u_s = g_s G_s + lambda W_{s-1},  v_s = mu v_{s-1} + tau_s u_s,
 *   W_s = W_{s-1} - eta_s v_s,  or with Nesterov's momentum  W_{s-1} - eta_s (u_s + mu v_s)
 *
 * is linear in W_0 and the G_s:  W_S = alpha W_0 + sum_s c_s G_s.  The coefficients come from one
 * backward recurrence; n is 1 with Nesterov's momentum, 0 without:
 *
 *   p = 1, q = 0;  for s = S .. 1:  q -= eta_s p mu^n;  r = tau_s q - n eta_s p;  c_s = g_s r;
 *                                   p += lambda r;  q *= mu;
 *   alpha = p */
#ifndef KL_CORE_MODELS_COEFFICIENTS_H
#define KL_CORE_MODELS_COEFFICIENTS_H

#include <stdint.h>

struct kl_step_rule {
    double learning_rate, momentum, weight_decay, clip_factor;
    double dampening; /* 0 at the first step */
    int is_nesterov;
    double beta_1, beta_2, epsilon; /* Adam's: core/models/adam.h */
};

/* rules, coefficients: (n_steps), entry s belongs to step s + 1. */
void kl_coefficients(const struct kl_step_rule *rules, uint32_t n_steps, double *coefficients,
                     double *alpha);

#endif
