#include "core/models/mlp_curvature.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

/* What changes along the direction, one row a sample. */
struct changes {
    float *keys[KL_LAYERS_MAX + 1]; /* (n, width) of keys, and of logits; NULL of the inputs */
    float *errors[KL_LAYERS_MAX];   /* (n, outputs) */
    float *sums[KL_LAYERS_MAX];     /* (n, outputs) of what activations are of */
    float *behind;                  /* (n, widest) errors behind an activation */
};

/* c (rows, columns) = factor c + a b, or a b^T where b is turned. */
static void multiply(int rows, int columns, int inner, const float *a, int is_turned,
                     const float *b, float factor, float *c)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, is_turned ? CblasTrans : CblasNoTrans, rows, columns,
                inner, 1, a, inner, b, is_turned ? inner : columns, factor, c, columns);
}

/* c (columns of a, columns of b) = factor c + a^T b, of n rows each. */
static void multiply_rows(int n, int a_columns, int b_columns, const float *a, const float *b,
                          float factor, float *c)
{
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, a_columns, b_columns, n, 1, a, a_columns,
                b, b_columns, factor, c, b_columns);
}

/* From the inputs to the logits; slopes: what the rows' errors make of the direction itself. */
static void go_forward(const struct kl_activations *activations, const struct kl_network *network,
                       uint32_t n, const struct kl_network *direction, struct changes *changes,
                       float *slopes)
{
    const struct kl_shape *shape = &network->shape;

    memset(slopes, 0, n * sizeof *slopes);
    for (uint32_t l = 0; l < shape->n_layers; l++) {
        int inputs = (int)shape->inputs[l], outputs = (int)shape->outputs[l];
        float *out = changes->keys[l + 1];

        for (uint32_t i = 0; i < n; i++)
            memcpy(out + (size_t)i * shape->outputs[l], direction->biases[l],
                   shape->outputs[l] * sizeof *out);
        multiply((int)n, outputs, inputs, activations->keys[l], 1, direction->weights[l], 1, out);
        for (uint32_t i = 0; i < n; i++)
            slopes[i] += cblas_sdot(outputs, out + (size_t)i * shape->outputs[l], 1,
                                    activations->errors[l] + (size_t)i * shape->outputs[l], 1);
        if (l > 0)
            multiply((int)n, outputs, inputs, changes->keys[l], 1, network->weights[l], 1, out);
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

    for (uint32_t l = shape->n_layers; l-- > 0;) {
        int inputs = (int)shape->inputs[l], outputs = (int)shape->outputs[l];

        multiply_rows((int)n, outputs, inputs, changes->errors[l], activations->keys[l], 0,
                      product->weights[l]);
        memset(product->biases[l], 0, shape->outputs[l] * sizeof(float));
        for (uint32_t i = 0; i < n; i++)
            cblas_saxpy(outputs, 1, changes->errors[l] + (size_t)i * shape->outputs[l], 1,
                        product->biases[l], 1);
        if (l == 0)
            return;
        multiply_rows((int)n, outputs, inputs, activations->errors[l], changes->keys[l], 1,
                      product->weights[l]);
        multiply((int)n, inputs, outputs, changes->errors[l], 0, network->weights[l], 0,
                 changes->errors[l - 1]);
        multiply((int)n, inputs, outputs, activations->errors[l], 0, direction->weights[l], 1,
                 changes->errors[l - 1]);
        kl_activation_slope(shape->activation, kl_activations_sums(activations, l - 1),
                            (size_t)n * shape->inputs[l], changes->errors[l - 1]);
        if (shape->activation == KL_RELU)
            continue;
        multiply((int)n, inputs, outputs, activations->errors[l], 0, network->weights[l], 0,
                 changes->behind);
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
