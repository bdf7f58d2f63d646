/* What follows the inner layers of a perceptron, number by number, with its derivatives:
 *
 *   relu  max(z, 0)
 *   silu  z s(z), s the logistic function (Elfwing et al. 2018)
 *   gelu  z P(z), P the normal distribution's (Hendrycks and Gimpel 2016), not its approximation */
#ifndef KL_CORE_MODELS_ACTIVATION_H
#define KL_CORE_MODELS_ACTIVATION_H

#include <stddef.h>

enum kl_activation { KL_RELU, KL_SILU, KL_GELU };

/* "relu", "silu", "gelu": a static string; NULL for others. */
const char *kl_activation_name(unsigned activation);

/* out[i] = the activation of z[i]; out may be z. */
void kl_activate(enum kl_activation activation, const float *z, size_t n, float *out);

/* changes[i] *= its derivative at z[i]. */
void kl_activation_slope(enum kl_activation activation, const float *z, size_t n, float *changes);

/* changes[i] += factors[i] * others[i] times its second derivative at z[i]: none of ReLU. */
void kl_activation_bend(enum kl_activation activation, const float *z, size_t n,
                        const float *factors, const float *others, float *changes);

#endif
