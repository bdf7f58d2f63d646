/* Stochastic gradient descent as PyTorch defines it (torch.optim.SGD). */
#ifndef KL_CORE_MODELS_SGD_H
#define KL_CORE_MODELS_SGD_H

#include "core/models/coefficients.h"
#include "core/models/network.h"

/* velocity = momentum velocity + clip_factor gradient + weight_decay parameters;
 * parameters -= learning_rate velocity. Biases decay too. */
void kl_sgd_update(const struct kl_step_rule *rule, const struct kl_network *gradient,
                   struct kl_network *velocity, struct kl_network *network);

/* That step in reverse: see core/models/optimiser.h. With a and b the gradients w.r.t. parameters
 * and velocity after the step, m the momentum and s 1 - dampening:
 *
 *   b^ = b - rate a                 Nesterov: b - rate m a
 *   direction = s b^                Nesterov: s b^ - rate a
 *   a = a + weight_decay direction,   b = m b^ */
void kl_sgd_reverse(const struct kl_step_rule *rule, struct kl_network *network,
                    struct kl_network *velocity, struct kl_network *direction);

#endif
