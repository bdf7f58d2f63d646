#include "core/models/coefficients.h"

void kl_coefficients(const struct kl_step_rule *rules, uint32_t n_steps, double *coefficients,
                     double *alpha)
{
    double p = 1, q = 0;

    for (uint32_t s = n_steps; s-- > 0;) {
        q -= rules[s].learning_rate * p;
        coefficients[s] = rules[s].clip_factor * q;
        p += rules[s].weight_decay * q;
        q *= rules[s].momentum;
    }
    *alpha = p;
}
