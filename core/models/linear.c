#include "core/models/linear.h"

#include <string.h>

#include "core/models/product.h"

void kl_linear_forward(struct kl_pool *pool, const struct kl_network *network, uint32_t layer,
                       size_t n, const float *keys, float *outputs)
{
    size_t width = network->shape.outputs[layer];

    for (size_t i = 0; i < n; i++)
        memcpy(outputs + i * width, network->biases[layer], width * sizeof *outputs);
    kl_multiply(pool, KL_TURNED_B, n, width, network->shape.inputs[layer], keys,
                network->weights[layer], 1, outputs);
}

void kl_linear_back(struct kl_pool *pool, const struct kl_network *network, uint32_t layer,
                    size_t n, const float *errors, float *key_errors)
{
    kl_multiply(pool, KL_TURNED_NONE, n, network->shape.inputs[layer],
                network->shape.outputs[layer], errors, network->weights[layer], 0, key_errors);
}

void kl_linear_gradient(struct kl_pool *pool, uint32_t layer, size_t n, const float *errors,
                        const float *keys, int is_added, struct kl_network *gradient)
{
    size_t outputs = gradient->shape.outputs[layer];
    float *biases = gradient->biases[layer];

    kl_multiply(pool, KL_TURNED_A, outputs, gradient->shape.inputs[layer], n, errors, keys,
                is_added ? 1 : 0, gradient->weights[layer]);
    if (!is_added)
        memset(biases, 0, outputs * sizeof *biases);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < outputs; j++)
            biases[j] += errors[i * outputs + j];
}
