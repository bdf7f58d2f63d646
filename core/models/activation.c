#include "core/models/activation.h"

#include <math.h>

#define ROOT_HALF 0.70710678118654752440
#define NORMAL_PEAK 0.39894228040143267794 /* 1 / sqrt(2 pi) */

const char *kl_activation_name(unsigned activation)
{
    static const char *const names[] = {"relu", "silu", "gelu"};

    return activation < sizeof names / sizeof names[0] ? names[activation] : NULL;
}

static double logistic(double z)
{
    return 1 / (1 + exp(-z));
}

static double normal(double z)
{
    return 0.5 * erfc(-z * ROOT_HALF);
}

static double density(double z)
{
    return NORMAL_PEAK * exp(-z * z / 2);
}

void kl_activate(enum kl_activation activation, const float *z, size_t n, float *out)
{
    for (size_t i = 0; activation == KL_RELU && i < n; i++)
        out[i] = z[i] > 0 ? z[i] : 0;
    for (size_t i = 0; activation == KL_SILU && i < n; i++)
        out[i] = (float)((double)z[i] * logistic((double)z[i]));
    for (size_t i = 0; activation == KL_GELU && i < n; i++)
        out[i] = (float)((double)z[i] * normal((double)z[i]));
}

void kl_activation_slope(enum kl_activation activation, const float *z, size_t n, float *changes)
{
    for (size_t i = 0; activation == KL_RELU && i < n; i++)
        changes[i] = z[i] > 0 ? changes[i] : 0;
    for (size_t i = 0; activation == KL_SILU && i < n; i++) {
        double s = logistic((double)z[i]);

        changes[i] *= (float)(s * (1 + (double)z[i] * (1 - s)));
    }
    for (size_t i = 0; activation == KL_GELU && i < n; i++)
        changes[i] *= (float)(normal((double)z[i]) + (double)z[i] * density((double)z[i]));
}

void kl_activation_bend(enum kl_activation activation, const float *z, size_t n,
                        const float *factors, const float *others, float *changes)
{
    for (size_t i = 0; activation == KL_SILU && i < n; i++) {
        double s = logistic((double)z[i]);

        changes[i] +=
            factors[i] * others[i] * (float)(s * (1 - s) * (2 + (double)z[i] * (1 - 2 * s)));
    }
    for (size_t i = 0; activation == KL_GELU && i < n; i++)
        changes[i] += factors[i] * others[i] *
                      (float)(density((double)z[i]) * (2 - (double)z[i] * (double)z[i]));
}
