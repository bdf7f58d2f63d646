/* Adam (Kingma and Ba 2015) and AdamW (Loshchilov and Hutter 2019) as PyTorch defines them. Their
 * dual form: core/models/adam_dual.h. */
#ifndef KL_CORE_MODELS_ADAM_H
#define KL_CORE_MODELS_ADAM_H

#include <stdint.h>

#include "core/models/coefficients.h"
#include "core/models/network.h"

/* With s the step, from 1, and the rule's beta_1, beta_2, epsilon and learning_rate:
 *
 *   Adam:   g = clip_factor gradient + weight_decay parameters
 *   AdamW:  g = clip_factor gradient;  parameters *= 1 - learning_rate weight_decay
 *   mean = beta_1 mean + (1 - beta_1) g;  squares = beta_2 squares + (1 - beta_2) g^2
 *   parameters -= learning_rate mean / (1 - beta_1^s) / (sqrt(squares / (1 - beta_2^s)) + epsilon)
 *
 * Biases decay too. */
void kl_adam_update(const struct kl_step_rule *rule, uint32_t step,
                    const struct kl_network *gradient, struct kl_network *mean,
                    struct kl_network *squares, struct kl_network *network);
void kl_adamw_update(const struct kl_step_rule *rule, uint32_t step,
                     const struct kl_network *gradient, struct kl_network *mean,
                     struct kl_network *squares, struct kl_network *network);

/* Those steps in reverse: see core/models/optimiser.h. With a, p and q the gradients w.r.t.
 * parameters, mean and squares after the step, r the rate over 1 - beta_1^s, k the 1 / sqrt(1 -
 * beta_2^s), and d = k sqrt(squares) + epsilon:
 *
 *   p^ = p - r a / d,   q^ = q + r mean k a / (2 sqrt(squares) d^2)
 *   direction = (1 - beta_1) p^ + 2 (1 - beta_2) g q^
 *   a = a + weight_decay direction (AdamW: (1 - learning_rate weight_decay) a)
 *   p = beta_1 p^,   q = beta_2 q^ */
void kl_adam_reverse(const struct kl_step_rule *rule, uint32_t step,
                     const struct kl_network *gradient, struct kl_network *const *moments,
                     const struct kl_network *network, const struct kl_adjoint *adjoint,
                     struct kl_network *direction);
void kl_adamw_reverse(const struct kl_step_rule *rule, uint32_t step,
                      const struct kl_network *gradient, struct kl_network *const *moments,
                      const struct kl_network *network, const struct kl_adjoint *adjoint,
                      struct kl_network *direction);

#endif
