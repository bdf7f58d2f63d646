/* What a linear layer does with n rows: z = W x + b, and the gradients of that. The work is shared
 * out as core/models/product.h says. Layers are counted from 0; thread-safe. */
#ifndef KL_CORE_MODELS_LINEAR_H
#define KL_CORE_MODELS_LINEAR_H

#include "core/models/network.h"
#include "core/base/pool.h"

/* outputs (n, outputs[layer]) = keys (n, inputs[layer]) W^T + b */
void kl_linear_forward(struct kl_pool *pool, const struct kl_network *network, uint32_t layer,
                       size_t n, const float *keys, float *outputs);

/* The gradient w.r.t. the keys (n, inputs[layer]) = errors (n, outputs[layer]) W */
void kl_linear_back(struct kl_pool *pool, const struct kl_network *network, uint32_t layer,
                    size_t n, const float *errors, float *key_errors);

/* gradient's W = errors^T keys, and its b the sum of errors over the rows; or these are added to
 * what stands there. */
void kl_linear_gradient(struct kl_pool *pool, uint32_t layer, size_t n, const float *errors,
                        const float *keys, int is_added, struct kl_network *gradient);

#endif
