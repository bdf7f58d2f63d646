/* Stochastic gradient descent as PyTorch defines it (torch.optim.SGD, clip_grad_norm_). */
#ifndef KL_CORE_MODELS_SGD_H
#define KL_CORE_MODELS_SGD_H

#include "core/models/coefficients.h"
#include "core/models/network.h"

/* min(1, clip_norm / (|gradient| + 1e-6)) over all parameters; 1 when clip_norm is 0. */
double kl_sgd_clip_factor(const struct kl_network *gradient, double clip_norm);

/* velocity = momentum velocity + clip_factor gradient + weight_decay parameters;
 * parameters -= learning_rate velocity. Biases decay too. */
void kl_sgd_update(const struct kl_step_rule *rule, const struct kl_network *gradient,
                   struct kl_network *velocity, struct kl_network *network);

#endif
