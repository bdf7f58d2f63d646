#include "core/explain/dual/dual.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/correction.h"
#include "core/explain/dual/adam_private.h"
#include "core/explain/layer_scan.h"

/* rows . (x, 1): (n, inputs + 1) */
static void apply(const double *rows, const float *x, uint32_t n, uint32_t inputs, double *out)
{
    for (uint32_t j = 0; j < n; j++, rows += inputs + 1)
        out[j] = kl_adam_apply(rows, x, inputs);
}

static void guess_with_share(const struct kl_history *history, uint32_t layer, const float *x,
                             double *out)
{
    const struct kl_network *initial = history->initial;
    size_t inputs = initial->shape.inputs[layer];

    for (uint32_t j = 0; j < initial->shape.outputs[layer]; j++) {
        const float *row = initial->weights[layer] + j * inputs;
        int has_bias = history->layers[layer].bias > 0;
        double sum = has_bias ? initial->biases[layer][j] : 0;

        for (size_t i = 0; i < inputs; i++)
            sum += (double)row[i] * x[i];
        out[j] = history->layers[layer].alpha * sum +
                 (has_bias ? 0 : (double)history->final->biases[layer][j]);
    }
}

enum kl_status kl_left(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                       double *left, struct kl_error *err)
{
    const struct kl_layer_steps *steps = &history->layers[layer];
    size_t inputs = history->final->shape.inputs[layer];

    if (history->adam)
        return kl_adam_left(pool, history, layer, left, err);
    for (size_t j = 0; j < history->final->shape.outputs[layer]; j++, left += inputs + 1) {
        for (size_t i = 0; i < inputs; i++)
            left[i] = steps->alpha * (double)history->initial->weights[layer][j * inputs + i];
        left[inputs] = steps->bias > 0 ? steps->alpha * (double)history->initial->biases[layer][j]
                                       : (double)history->final->biases[layer][j];
    }
    return KL_OK;
}

/* Of a matrix that is made for this alone. */
static enum kl_status apply_made(struct kl_pool *pool, const struct kl_history *history,
                                 uint32_t layer, const float *x, const uint8_t *marks, int value,
                                 double *out, struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    uint32_t inputs = shape->inputs[layer], outputs = shape->outputs[layer];
    double *weights = NULL;
    enum kl_status status = kl_alloc(&weights, (size_t)outputs * (inputs + 1), sizeof(double),
                                     "a layer's weights", err);

    if (!status)
        status = marks ? kl_adam_sum(pool, history, layer, marks, value, 0, weights, err)
                       : kl_adam_left(pool, history, layer, weights, err);
    if (!status)
        apply(weights, x, outputs, inputs, out);
    free(weights);
    return status;
}

enum kl_status kl_initial_guess(struct kl_pool *pool, const struct kl_history *history,
                                uint32_t layer, const float *x, double *out, struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    const struct kl_adam_sums *sums;
    enum kl_status status;

    if (!history->adam) {
        guess_with_share(history, layer, x, out);
        return KL_OK;
    }
    if (layer + 1 < shape->n_layers)
        return apply_made(pool, history, layer, x, NULL, 0, out, err);
    status = kl_adam_find_sums(pool, history, &sums, err);
    if (!status)
        apply(sums->left, x, shape->outputs[layer], shape->inputs[layer], out);
    return status;
}

/* Of SGD: sum over the marked patterns of c_s (a_t + 1) d_t. */
static enum kl_status sum_weighted(struct kl_pool *pool, const struct kl_history *history,
                                   uint32_t layer, const float *x, const uint8_t *marks, int value,
                                   double *out, struct kl_error *err)
{
    float *weights = NULL;
    enum kl_status status = kl_scratch_take(history->scratch, &weights, err);

    if (!status)
        status = kl_scan_attention(pool, history, layer, x, weights, err);
    for (uint64_t t = 0; !status && t < history->n_patterns; t++) {
        double c = kl_history_coefficient(history, layer, t);

        weights[t] =
            marks[t] == value ? (float)(c * (double)(weights[t] + history->layers[layer].bias)) : 0;
    }
    if (!status)
        status = kl_sum_errors(pool, history, layer, weights, out, err);
    kl_scratch_give(history->scratch, weights);
    return status;
}

enum kl_status kl_sum_marked(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                             const float *x, const uint8_t *marks, int value, double *out,
                             struct kl_error *err)
{
    return history->adam ? apply_made(pool, history, layer, x, marks, value, out, err)
                         : sum_weighted(pool, history, layer, x, marks, value, out, err);
}
