#include "core/models/sgd.h"

#include <math.h>

#define LANES 8

double kl_sgd_clip_factor(const struct kl_network *gradient, double clip_norm)
{
    const float *g = gradient->parameters;
    double sums[LANES] = {0}, sum = 0, factor; /* in lanes: no addition waits for the one before */
    size_t i = 0;

    if (clip_norm <= 0)
        return 1;
    for (; i + LANES <= gradient->n_parameters; i += LANES)
        for (size_t k = 0; k < LANES; k++)
            sums[k] += (double)g[i + k] * g[i + k];
    for (; i < gradient->n_parameters; i++)
        sum += (double)g[i] * g[i];
    for (size_t k = 0; k < LANES; k++)
        sum += sums[k];
    factor = clip_norm / (sqrt(sum) + 1e-6);
    return factor < 1 ? factor : 1;
}

void kl_sgd_update(const struct kl_step_rule *rule, const struct kl_network *gradient,
                   struct kl_network *velocity, struct kl_network *network)
{
    const float *g = gradient->parameters;
    float *v = velocity->parameters, *w = network->parameters;
    float momentum = (float)rule->momentum, clip_factor = (float)rule->clip_factor;
    float weight_decay = (float)rule->weight_decay, learning_rate = (float)rule->learning_rate;

    for (size_t i = 0; i < network->n_parameters; i++) {
        v[i] = momentum * v[i] + clip_factor * g[i] + weight_decay * w[i];
        w[i] -= learning_rate * v[i];
    }
}
