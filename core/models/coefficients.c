#include "core/models/coefficients.h"

void kl_coefficients(const struct kl_step_rule *rules, uint32_t n_steps, double *coefficients,
                     double *alpha)
{
    double p = 1, q = 0;

    for (uint32_t s = n_steps; s-- > 0;) {
        const struct kl_step_rule *rule = &rules[s];
        double step = -rule->learning_rate * p, r;

        q += rule->is_nesterov ? rule->momentum * step : step;
        r = (1 - rule->dampening) * q + (rule->is_nesterov ? step : 0);
        coefficients[s] = rule->clip_factor * r;
        p += rule->weight_decay * r;
        q *= rule->momentum;
    }
    *alpha = p;
}
