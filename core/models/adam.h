/* Adam (Kingma and Ba 2015) as PyTorch defines it, with its defaults beta 0.9 and 0.999 and epsilon
 * 1e-8. It is not linear in the gradients, so a network trained with it has no exact dual form. */
#ifndef KL_CORE_MODELS_ADAM_H
#define KL_CORE_MODELS_ADAM_H

#include <stdint.h>

#include "core/models/coefficients.h"
#include "core/models/network.h"

/* With g = clip_factor gradient + weight_decay parameters and s the step, from 1:
 * mean = 0.9 mean + 0.1 g, squares = 0.999 squares + 0.001 g^2,
 * parameters -= learning_rate mean / (1 - 0.9^s) / (sqrt(squares / (1 - 0.999^s)) + 1e-8). */
void kl_adam_update(const struct kl_step_rule *rule, uint32_t step,
                    const struct kl_network *gradient, struct kl_network *mean,
                    struct kl_network *squares, struct kl_network *network);

#endif
