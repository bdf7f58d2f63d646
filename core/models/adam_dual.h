/* The dual form of Adam and AdamW: W_S = P * W_0 + sum_s C_s * G_s, elementwise (docs/adam.md).
 *
 * Adam's step is linear in the gradients once its denominators are known, and these follow from
 * the gradients. With kappa_s the clip factor, eta_s the learning rate, lambda the weight decay:
 *
 *   Adam:   g_s = kappa_s G_s + lambda W_{s-1};  W_s = W_{s-1} - D_s * m_s
 *   AdamW:  g_s = kappa_s G_s;                   W_s = (1 - eta_s lambda) W_{s-1} - D_s * m_s
 *   m_s = beta_1 m_{s-1} + (1 - beta_1) g_s,     v_s = beta_2 v_{s-1} + (1 - beta_2) g_s^2
 *   D_s = eta_s / ((1 - beta_1^s) (sqrt(v_s / (1 - beta_2^s)) + epsilon))
 *
 *   P = 1, Q = 0;  for s = S .. 1:
 *     Q -= D_s * P;  C_s = kappa_s (1 - beta_1) Q;
 *     P += lambda (1 - beta_1) Q  [Adam],  P *= 1 - eta_s lambda  [AdamW];  Q *= beta_1
 *
 * While v is 0, so is m (beta_2 is above beta_1^2), and any D_s is right: 0 is taken, because 1 /
 * epsilon would make P, of Adam with weight decay, grow beyond all bounds.
 *
 * The functions do one step for n parameters, in float32. */
#ifndef KL_CORE_MODELS_ADAM_DUAL_H
#define KL_CORE_MODELS_ADAM_DUAL_H

#include <stddef.h>
#include <stdint.h>

#include "core/models/coefficients.h"

/* Forward. gradient: G_s (n); squares: v, from step s - 1 to s; denominators: D_s (n). Of Adam with
 * weight decay (without: NULL), mean and weights: m and W, likewise. */
void kl_adam_forward(const struct kl_step_rule *rule, uint32_t step, size_t n,
                     const float *gradient, float *squares, float *mean, float *weights,
                     float *denominators);

/* Backward, from step s to s - 1. p: P (n) of Adam with weight decay, or NULL, and then share is
 * what P is everywhere, from steps s + 1 .. S; q: Q (n); coefficients: C_s (n), which may be
 * where the denominators are. */
void kl_adam_backward(const struct kl_step_rule *rule, size_t n, const float *denominators,
                      double share, float *p, float *q, float *coefficients);

#endif
