#include "core/models/adam_dual.h"

#include <math.h>

void kl_adam_forward(const struct kl_step_rule *rule, uint32_t step, size_t n,
                     const float *gradient, float *squares, float *mean, float *weights,
                     float *denominators)
{
    float beta_1 = (float)rule->beta_1, beta_2 = (float)rule->beta_2;
    float clip_factor = (float)rule->clip_factor, epsilon = (float)rule->epsilon;
    float penalty = (float)rule->weight_decay;
    float rest_1 = (float)(1 - rule->beta_1), rest_2 = (float)(1 - rule->beta_2);
    float rate = (float)(rule->learning_rate / (1 - pow(rule->beta_1, step)));
    float scale = (float)(1 / sqrt(1 - pow(rule->beta_2, step)));

    if (!weights) {
        for (size_t i = 0; i < n; i++) {
            float g = clip_factor * gradient[i];
            float v = beta_2 * squares[i] + rest_2 * g * g;
            float d = rate / (sqrtf(v) * scale + epsilon); /* first: then it is no branch */

            squares[i] = v;
            denominators[i] = v > 0 ? d : 0;
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float g = clip_factor * gradient[i] + penalty * weights[i];
        float v = beta_2 * squares[i] + rest_2 * g * g;
        float d = rate / (sqrtf(v) * scale + epsilon);

        mean[i] = beta_1 * mean[i] + rest_1 * g;
        squares[i] = v;
        denominators[i] = v > 0 ? d : 0;
        weights[i] -= denominators[i] * mean[i];
    }
}

void kl_adam_backward(const struct kl_step_rule *rule, size_t n, const float *denominators,
                      double share, float *p, float *q, float *coefficients)
{
    float beta_1 = (float)rule->beta_1, all = (float)share;
    float factor = (float)(rule->clip_factor * (1 - rule->beta_1));
    float penalty = (float)(rule->weight_decay * (1 - rule->beta_1));

    if (!p) {
        for (size_t i = 0; i < n; i++) {
            float own = q[i] - denominators[i] * all;

            coefficients[i] = factor * own;
            q[i] = beta_1 * own;
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        float own = q[i] - denominators[i] * p[i];

        coefficients[i] = factor * own;
        p[i] += penalty * own;
        q[i] = beta_1 * own;
    }
}
