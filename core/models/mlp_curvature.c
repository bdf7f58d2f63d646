#include "core/models/mlp_curvature.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/models/linear.h"
#include "core/models/product.h"

/* What changes along the direction, one row a sample. */
struct changes {
    float *keys[KL_LAYERS_MAX + 1]; /* (n, width) of keys, and of logits; NULL of the inputs */
    float *errors[KL_LAYERS_MAX];   /* (n, outputs) */
    float *sums[KL_LAYERS_MAX];     /* (n, outputs) of what activations are of */
    float *behind;                  /* (n, widest) errors behind an activation */
};

/* From the inputs to the logits; slopes: what the rows' errors make of the direction itself. */
static void go_forward(const struct kl_activations *activations, const struct kl_network *network,
                       uint32_t n, const struct kl_network *direction, struct changes *changes,
                       float *slopes)
{
    const struct kl_shape *shape = &network->shape;

    memset(slopes, 0, n * sizeof *slopes);
    for (uint32_t l = 0; l < shape->n_layers; l++) {
        float *out = changes->keys[l + 1];

        kl_linear_forward(activations->pool, direction, l, n, activations->keys[l], out);
        for (uint32_t i = 0; i < n; i++)
            slopes[i] += cblas_sdot((int)shape->outputs[l], out + (size_t)i * shape->outputs[l], 1,
                                    activations->errors[l] + (size_t)i * shape->outputs[l], 1);
        if (l > 0)
            kl_multiply(activations->pool, KL_TURNED_B, n, shape->outputs[l], shape->inputs[l],
                        changes->keys[l], network->weights[l], 1, out);
        if (l + 1 == shape->n_layers)
            return;
        memcpy(changes->sums[l], out, (size_t)n * shape->outputs[l] * sizeof *out);
        kl_activation_slope(shape->activation, kl_activations_sums(activations, l),
                            (size_t)n * shape->outputs[l], out);
    }
}

/* The softmax's Jacobian: errors are (p - target) / n. */
static void change_errors(const struct kl_activations *activations,
                          const struct kl_minibatch *minibatch, uint32_t last,
                          struct changes *changes)
{
    uint32_t n = minibatch->n, outputs = activations->shape.outputs[last];

    for (uint32_t i = 0; i < n; i++) {
        const float *errors = activations->errors[last] + (size_t)i * outputs;
        const float *logits = changes->keys[last + 1] + (size_t)i * outputs;
        float *out = changes->errors[last] + (size_t)i * outputs, mean = 0;

        for (uint32_t j = 0; j < outputs; j++) {
            out[j] = errors[j] * (float)n + (float)(j == minibatch->targets[i]);
            mean += out[j] * logits[j];
        }
        for (uint32_t j = 0; j < outputs; j++)
            out[j] *= (logits[j] - mean) / (float)n;
    }
}

/* From the logits to the inputs: the Hessian's product by layer. */
static void go_back(const struct kl_activations *activations, const struct kl_network *network,
                    uint32_t n, const struct kl_network *direction, struct changes *changes,
                    struct kl_network *product)
{
    const struct kl_shape *shape = &network->shape;
    struct kl_pool *pool = activations->pool;

    for (uint32_t l = shape->n_layers; l-- > 0;) {
        size_t inputs = shape->inputs[l], outputs = shape->outputs[l];

        kl_linear_gradient(pool, l, n, changes->errors[l], activations->keys[l], 0, product);
        if (l == 0)
            return;
        kl_multiply(pool, KL_TURNED_A, outputs, inputs, n, activations->errors[l], changes->keys[l],
                    1, product->weights[l]);
        kl_linear_back(pool, network, l, n, changes->errors[l], changes->errors[l - 1]);
        kl_multiply(pool, KL_TURNED_NONE, n, inputs, outputs, activations->errors[l],
                    direction->weights[l], 1, changes->errors[l - 1]);
        kl_activation_slope(shape->activation, kl_activations_sums(activations, l - 1),
                            (size_t)n * shape->inputs[l], changes->errors[l - 1]);
        if (shape->activation == KL_RELU)
            continue;
        kl_linear_back(pool, network, l, n, activations->errors[l], changes->behind);
        kl_activation_bend(shape->activation, activations->sums[l - 1],
                           (size_t)n * shape->inputs[l], changes->behind, changes->sums[l - 1],
                           changes->errors[l - 1]);
    }
}

enum kl_status kl_mlp_curve(const struct kl_activations *activations,
                            const struct kl_network *network, const struct kl_minibatch *minibatch,
                            const struct kl_network *direction, struct kl_network *product,
                            float *slopes, struct kl_error *err)
{
    const struct kl_shape *shape = &network->shape;
    struct changes changes = {0};
    size_t width = 0, widest = 0;
    float *block = NULL, *next;
    enum kl_status status;

    for (uint32_t l = 0; l < shape->n_layers; l++) {
        width += 3 * (size_t)shape->outputs[l];
        widest = shape->outputs[l] > widest ? shape->outputs[l] : widest;
    }
    status =
        kl_alloc(&block, minibatch->n * (width + widest), sizeof *block, "second derivatives", err);
    if (status)
        return status;
    next = block;
    for (uint32_t l = 0; l < shape->n_layers; l++) {
        changes.keys[l + 1] = next;
        changes.errors[l] = next + (size_t)minibatch->n * shape->outputs[l];
        changes.sums[l] = changes.errors[l] + (size_t)minibatch->n * shape->outputs[l];
        next += 3 * (size_t)minibatch->n * shape->outputs[l];
    }
    changes.behind = next;
    go_forward(activations, network, minibatch->n, direction, &changes, slopes);
    change_errors(activations, minibatch, shape->n_layers - 1, &changes);
    go_back(activations, network, minibatch->n, direction, &changes, product);
    free(block);
    return KL_OK;
}
