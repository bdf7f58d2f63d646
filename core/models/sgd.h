/* Stochastic gradient descent as PyTorch defines it (torch.optim.SGD). */
#ifndef KL_CORE_MODELS_SGD_H
#define KL_CORE_MODELS_SGD_H

#include "core/models/coefficients.h"
#include "core/models/network.h"

/* velocity = momentum velocity + clip_factor gradient + weight_decay parameters;
 * parameters -= learning_rate velocity. Biases decay too. */
void kl_sgd_update(const struct kl_step_rule *rule, const struct kl_network *gradient,
                   struct kl_network *velocity, struct kl_network *network);

#endif
