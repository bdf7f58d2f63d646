#include "core/models/adam.h"

#include <math.h>

/* penalty is added to the gradient, as a share of the parameters, of which kept is left. */
static void update(const struct kl_step_rule *rule, uint32_t step, float penalty, float kept,
                   const struct kl_network *gradient, struct kl_network *mean,
                   struct kl_network *squares, struct kl_network *network)
{
    float *m = mean->parameters, *v = squares->parameters, *w = network->parameters;
    float beta_1 = (float)rule->beta_1, beta_2 = (float)rule->beta_2;
    float clip_factor = (float)rule->clip_factor, epsilon = (float)rule->epsilon;
    float rest_1 = (float)(1 - rule->beta_1), rest_2 = (float)(1 - rule->beta_2);
    float rate = (float)(rule->learning_rate / (1 - pow(rule->beta_1, step)));
    float scale = (float)(1 / sqrt(1 - pow(rule->beta_2, step)));

    for (size_t i = 0; i < network->n_parameters; i++) {
        float g = clip_factor * gradient->parameters[i] + penalty * w[i];

        m[i] = beta_1 * m[i] + rest_1 * g;
        v[i] = beta_2 * v[i] + rest_2 * g * g;
        w[i] = kept * w[i] - rate * m[i] / (sqrtf(v[i]) * scale + epsilon);
    }
}

void kl_adam_update(const struct kl_step_rule *rule, uint32_t step,
                    const struct kl_network *gradient, struct kl_network *mean,
                    struct kl_network *squares, struct kl_network *network)
{
    update(rule, step, (float)rule->weight_decay, 1, gradient, mean, squares, network);
}

void kl_adamw_update(const struct kl_step_rule *rule, uint32_t step,
                     const struct kl_network *gradient, struct kl_network *mean,
                     struct kl_network *squares, struct kl_network *network)
{
    update(rule, step, 0, (float)(1 - rule->learning_rate * rule->weight_decay), gradient, mean,
           squares, network);
}
