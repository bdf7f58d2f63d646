#include "core/models/sgd.h"

void kl_sgd_update(const struct kl_step_rule *rule, const struct kl_network *gradient,
                   struct kl_network *velocity, struct kl_network *network)
{
    const float *g = gradient->parameters;
    float *v = velocity->parameters, *w = network->parameters;
    float momentum = (float)rule->momentum, clip_factor = (float)rule->clip_factor;
    float weight_decay = (float)rule->weight_decay, learning_rate = (float)rule->learning_rate;
    float share = (float)(1 - rule->dampening);
    int is_plain = !rule->is_nesterov && rule->dampening == 0;

    for (size_t i = 0; is_plain && i < network->n_parameters; i++) {
        v[i] = momentum * v[i] + clip_factor * g[i] + weight_decay * w[i];
        w[i] -= learning_rate * v[i];
    }
    for (size_t i = 0; !is_plain && i < network->n_parameters; i++) {
        float u = clip_factor * g[i] + weight_decay * w[i];

        v[i] = momentum * v[i] + share * u;
        w[i] -= learning_rate * (rule->is_nesterov ? u + momentum * v[i] : v[i]);
    }
}

void kl_sgd_reverse(const struct kl_step_rule *rule, struct kl_network *network,
                    struct kl_network *velocity, struct kl_network *direction)
{
    float *a = network->parameters, *b = velocity->parameters, *u = direction->parameters;
    float rate = (float)rule->learning_rate, momentum = (float)rule->momentum;
    float share = (float)(1 - rule->dampening), decay = (float)rule->weight_decay;

    for (size_t i = 0; i < direction->n_parameters; i++) {
        float behind = b[i] - rate * (rule->is_nesterov ? momentum : 1) * a[i];

        u[i] = share * behind - (rule->is_nesterov ? rate * a[i] : 0);
        a[i] += decay * u[i];
        b[i] = momentum * behind;
    }
}
