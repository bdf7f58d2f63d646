#include "core/models/adam.h"

#include <math.h>

#define BETA_1 0.9
#define BETA_2 0.999
#define EPSILON 1e-8f

void kl_adam_update(const struct kl_step_rule *rule, uint32_t step,
                    const struct kl_network *gradient, struct kl_network *mean,
                    struct kl_network *squares, struct kl_network *network)
{
    float *m = mean->parameters, *v = squares->parameters, *w = network->parameters;
    float beta_1 = (float)BETA_1, beta_2 = (float)BETA_2;
    float clip_factor = (float)rule->clip_factor, weight_decay = (float)rule->weight_decay;
    float rate = (float)(rule->learning_rate / (1 - pow(BETA_1, step)));
    float scale = (float)(1 / sqrt(1 - pow(BETA_2, step)));

    for (size_t i = 0; i < network->n_parameters; i++) {
        float g = clip_factor * gradient->parameters[i] + weight_decay * w[i];

        m[i] = beta_1 * m[i] + (1 - beta_1) * g;
        v[i] = beta_2 * v[i] + (1 - beta_2) * g * g;
        w[i] -= rate * m[i] / (sqrtf(v[i]) * scale + EPSILON);
    }
}
