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

/* Of w' = kept w - rate m' / d, d = scale sqrt(v') + epsilon. */
static void reverse(const struct kl_step_rule *rule, uint32_t step, float penalty, float kept,
                    const struct kl_network *gradient, struct kl_network *const *moments,
                    const struct kl_network *network, const struct kl_adjoint *adjoint,
                    struct kl_network *direction)
{
    const float *m = moments[0]->parameters, *v = moments[1]->parameters, *w = network->parameters;
    float *a = adjoint->network->parameters, *p = adjoint->moments[0]->parameters,
          *q = adjoint->moments[1]->parameters;
    double beta_1 = rule->beta_1, beta_2 = rule->beta_2;
    double rate = rule->learning_rate / (1 - pow(beta_1, step));
    double scale = 1 / sqrt(1 - pow(beta_2, step));

    for (size_t i = 0; i < direction->n_parameters; i++) {
        double g =
            rule->clip_factor * (double)gradient->parameters[i] + (double)penalty * (double)w[i];
        double mean = beta_1 * (double)m[i] + (1 - beta_1) * g;
        double root = sqrt(beta_2 * (double)v[i] + (1 - beta_2) * g * g);
        double d = scale * root + rule->epsilon, by_mean = (double)p[i] - rate / d * (double)a[i];
        /* where nothing has moved the parameter yet, nothing can be divided by */
        double by_squares =
            (double)q[i] + (root > 0 ? rate * mean * scale / (2 * root * d * d) * (double)a[i] : 0);
        double by_gradient = (1 - beta_1) * by_mean + 2 * (1 - beta_2) * g * by_squares;

        direction->parameters[i] = (float)by_gradient;
        a[i] = (float)((double)kept * (double)a[i] + (double)penalty * by_gradient);
        p[i] = (float)(beta_1 * by_mean);
        q[i] = (float)(beta_2 * by_squares);
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

void kl_adam_reverse(const struct kl_step_rule *rule, uint32_t step,
                     const struct kl_network *gradient, struct kl_network *const *moments,
                     const struct kl_network *network, const struct kl_adjoint *adjoint,
                     struct kl_network *direction)
{
    reverse(rule, step, (float)rule->weight_decay, 1, gradient, moments, network, adjoint,
            direction);
}

void kl_adamw_reverse(const struct kl_step_rule *rule, uint32_t step,
                      const struct kl_network *gradient, struct kl_network *const *moments,
                      const struct kl_network *network, const struct kl_adjoint *adjoint,
                      struct kl_network *direction)
{
    reverse(rule, step, 0, (float)(1 - rule->learning_rate * rule->weight_decay), gradient, moments,
            network, adjoint, direction);
}
