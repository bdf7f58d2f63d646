#include "core/models/lstm/lstm_layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/models/linear.h"

/* Random streams of a seed: weights use their layer's number, the embedding and dropout these. */
#define EMBEDDING_STREAM (UINT64_C(1) << 33)
#define DROPOUT_STREAM(step) (UINT64_C(1) << 34 | (step))

size_t kl_lstm_carried_size(const struct kl_shape *shape, uint32_t streams)
{
    return (size_t)2 * (shape->n_layers - 1) * streams * kl_lstm_cells(shape);
}

static void fill_uniform(struct kl_random *random, float bound, float *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        numbers[i] = bound * (float)(2 * kl_random_uniform(random) - 1);
}

void kl_lstm_initialise(struct kl_network *network, uint64_t seed)
{
    const struct kl_shape *shape = &network->shape;
    uint32_t hidden = kl_lstm_cells(shape);
    size_t n_embedding = (size_t)shape->vocabulary * shape->embedding;
    struct kl_random random;

    kl_random_seed(&random, seed, EMBEDDING_STREAM);
    for (size_t i = 0; i < n_embedding; i++)
        network->embedding[i] = (float)kl_random_normal(&random);
    for (uint32_t l = 0; l < shape->n_layers; l++) {
        kl_random_seed(&random, seed, l);
        fill_uniform(&random, 1 / sqrtf((float)hidden), network->weights[l],
                     (size_t)shape->inputs[l] * shape->outputs[l]);
        memset(network->biases[l], 0, shape->outputs[l] * sizeof(float));
        for (uint32_t j = hidden; l + 1 < shape->n_layers && j < 2 * hidden; j++)
            network->biases[l][j] = 1;
    }
}

enum kl_status kl_lstm_activations_create(const struct kl_shape *shape, uint32_t streams,
                                          uint32_t unroll, struct kl_lstm_activations **out,
                                          struct kl_error *err)
{
    const char *what = "a stretch of text";
    size_t rows = (size_t)streams * unroll, hidden = kl_lstm_cells(shape), widest = 4 * hidden;
    struct kl_lstm_activations *activations = NULL;
    enum kl_status status = kl_alloc(&activations, 1, sizeof *activations, what, err);

    if (status)
        return status;
    activations->shape = *shape;
    for (uint32_t l = 0; !status && l < shape->n_layers; l++) {
        widest = shape->inputs[l] > widest ? shape->inputs[l] : widest;
        status = kl_alloc(&activations->keys[l], rows * shape->inputs[l], sizeof(float), what, err);
        if (status || l + 1 == shape->n_layers)
            break;
        status = kl_alloc(&activations->errors[l], rows * 4 * hidden, sizeof(float), what, err);
        if (!status)
            status = kl_alloc(&activations->gates[l], rows * 4 * hidden, sizeof(float), what, err);
        if (!status)
            status = kl_alloc(&activations->cells[l], (streams + rows) * hidden, sizeof(float),
                              what, err);
        if (!status)
            status = kl_alloc(&activations->tanh_cells[l], rows * hidden, sizeof(float), what, err);
    }
    if (!status)
        status = kl_alloc(&activations->top_errors, rows * hidden, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&activations->mask, rows * hidden, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&activations->below, rows * shape->embedding, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&activations->key_errors, streams * widest, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&activations->cell_errors, streams * hidden, sizeof(float), what, err);
    if (status) {
        kl_lstm_activations_free(activations);
        return status;
    }
    *out = activations;
    return KL_OK;
}

void kl_lstm_activations_free(struct kl_lstm_activations *activations)
{
    if (!activations)
        return;
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        free(activations->keys[l]);
        free(activations->errors[l]);
        free(activations->gates[l]);
        free(activations->cells[l]);
        free(activations->tanh_cells[l]);
    }
    free(activations->top_errors);
    free(activations->mask);
    free(activations->below);
    free(activations->key_errors);
    free(activations->cell_errors);
    free(activations);
}

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* Through expf, which is several times as fast as tanhf and as good within its last digits. */
static float hyperbolic_tangent(float x)
{
    return 1 - 2 / (1 + expf(2 * x));
}

/* The four gates of one cell, before their functions, become what they let through; returns h_t. */
static float run_cell(float *gates, uint32_t hidden, float before, float *cell, float *tanh_cell)
{
    float in = sigmoid(gates[0]), forget = sigmoid(gates[hidden]);
    float candidate = hyperbolic_tangent(gates[2 * (size_t)hidden]),
          out = sigmoid(gates[3 * (size_t)hidden]);

    gates[0] = in;
    gates[hidden] = forget;
    gates[2 * (size_t)hidden] = candidate;
    gates[3 * (size_t)hidden] = out;
    *cell = forget * before + in * candidate;
    *tanh_cell = hyperbolic_tangent(*cell);
    return out * *tanh_cell;
}

/* Writes h of a row to where it is read: the next token's key of this layer (or what is carried),
 * and this token's key of the layer above. */
static void pass_on(const struct kl_lstm_activations *activations, uint32_t layer, size_t row,
                    const float *h, float *carried_h)
{
    const struct kl_shape *shape = &activations->shape;
    size_t hidden = kl_lstm_cells(shape), n_bytes = hidden * sizeof(float);
    size_t rows = (size_t)activations->streams * activations->unroll,
           next = row + activations->streams;
    size_t width = shape->inputs[layer];

    memcpy(activations->keys[layer + 1] + row * shape->inputs[layer + 1], h, n_bytes);
    if (next < rows)
        memcpy(activations->keys[layer] + next * width + width - hidden, h, n_bytes);
    else
        memcpy(carried_h + (next - rows) * hidden, h, n_bytes);
}

static void run_layer(const struct kl_network *network, uint32_t layer, float *carried,
                      struct kl_lstm_activations *activations)
{
    const struct kl_shape *shape = &network->shape;
    uint32_t streams = activations->streams, hidden = kl_lstm_cells(shape);
    size_t n = (size_t)streams * hidden, gates_width = 4 * (size_t)hidden;
    size_t width = shape->inputs[layer];
    float *carried_h = carried + 2 * layer * n, *carried_c = carried_h + n;
    float *h = activations->key_errors; /* free in forward */

    for (uint32_t b = 0; b < streams; b++)
        memcpy(activations->keys[layer] + (b + 1) * width - hidden, carried_h + (size_t)b * hidden,
               hidden * sizeof(float));
    memcpy(activations->cells[layer], carried_c, n * sizeof(float));
    for (uint32_t u = 0; u < activations->unroll; u++) {
        size_t first = (size_t)u * streams;

        kl_linear_forward(activations->pool, network, layer, streams,
                          activations->keys[layer] + first * width,
                          activations->gates[layer] + first * gates_width);
        for (uint32_t b = 0; b < streams; b++) {
            size_t row = first + b;
            const float *before = activations->cells[layer] + row * hidden;
            float *cells = activations->cells[layer] + (row + streams) * hidden;

            for (uint32_t j = 0; j < hidden; j++)
                h[j] =
                    run_cell(activations->gates[layer] + row * gates_width + j, hidden, before[j],
                             &cells[j], &activations->tanh_cells[layer][row * hidden + j]);
            pass_on(activations, layer, row, h, carried_h);
        }
    }
    memcpy(carried_c, activations->cells[layer] + (size_t)activations->unroll * n,
           n * sizeof(float));
}

void kl_lstm_forward(const struct kl_network *network, const uint32_t *tokens, uint32_t streams,
                     uint32_t unroll, float *carried, struct kl_lstm_activations *activations)
{
    const struct kl_shape *shape = &network->shape;
    size_t width = shape->embedding;

    activations->streams = streams;
    activations->unroll = unroll;
    activations->has_mask = 0;
    for (size_t row = 0; row < (size_t)streams * unroll; row++)
        memcpy(activations->keys[0] + row * shape->inputs[0],
               network->embedding + tokens[row] * width, width * sizeof(float));
    for (uint32_t l = 0; l + 1 < shape->n_layers; l++)
        run_layer(network, l, carried, activations);
}

void kl_lstm_drop(struct kl_lstm_activations *activations, double dropout, uint64_t seed,
                  uint32_t step)
{
    size_t n =
        (size_t)activations->streams * activations->unroll * kl_lstm_cells(&activations->shape);
    float *keys = activations->keys[activations->shape.n_layers - 1],
          scale = (float)(1 / (1 - dropout));
    struct kl_random random;

    if (dropout <= 0)
        return;
    kl_random_seed(&random, seed, DROPOUT_STREAM(step));
    for (size_t i = 0; i < n; i++) {
        activations->mask[i] = kl_random_uniform(&random) < dropout ? 0 : scale;
        keys[i] *= activations->mask[i];
    }
    activations->has_mask = 1;
}

void kl_lstm_logits(const struct kl_network *network, const struct kl_lstm_activations *activations,
                    size_t first, size_t n, float *logits)
{
    uint32_t last = network->shape.n_layers - 1;

    kl_linear_forward(activations->pool, network, last, n,
                      activations->keys[last] + first * network->shape.inputs[last], logits);
}

/* The gradient w.r.t. h_t (from above and from the next token) becomes that w.r.t. the four gates
 * before their functions, and cell_error that w.r.t. c_{t-1}. */
static void back_cell(const float *gates, uint32_t hidden, float h_error, float before,
                      float tanh_cell, float *cell_error, float *errors)
{
    float in = gates[0], forget = gates[hidden];
    float candidate = gates[2 * (size_t)hidden], out = gates[3 * (size_t)hidden];
    float c_error = *cell_error + h_error * out * (1 - tanh_cell * tanh_cell);

    errors[0] = c_error * candidate * in * (1 - in);
    errors[hidden] = c_error * before * forget * (1 - forget);
    errors[2 * (size_t)hidden] = c_error * in * (1 - candidate * candidate);
    errors[3 * (size_t)hidden] = h_error * tanh_cell * out * (1 - out);
    *cell_error = c_error * forget;
}

/* above: (rows, H) the gradient w.r.t. h from above; below gets that w.r.t. x, (rows, inputs - H).
 * They may be the same array. */
static void back_layer(const struct kl_network *network, uint32_t layer, const float *above,
                       float *below, struct kl_lstm_activations *activations)
{
    const struct kl_shape *shape = &network->shape;
    uint32_t streams = activations->streams, hidden = kl_lstm_cells(shape);
    size_t gates_width = 4 * (size_t)hidden, width = shape->inputs[layer], x = width - hidden;
    float *h_errors = activations->key_errors; /* (streams, width): [x ; h] of the token after */

    memset(h_errors, 0, streams * width * sizeof(float));
    memset(activations->cell_errors, 0, (size_t)streams * hidden * sizeof(float));
    for (uint32_t u = activations->unroll; u-- > 0;) {
        size_t first = (size_t)u * streams;

        for (uint32_t b = 0; b < streams; b++) {
            size_t row = first + b;

            for (uint32_t j = 0; j < hidden; j++)
                back_cell(activations->gates[layer] + row * gates_width + j, hidden,
                          above[row * hidden + j] + h_errors[b * width + x + j],
                          activations->cells[layer][row * hidden + j],
                          activations->tanh_cells[layer][row * hidden + j],
                          &activations->cell_errors[(size_t)b * hidden + j],
                          activations->errors[layer] + row * gates_width + j);
        }
        kl_linear_back(activations->pool, network, layer, streams,
                       activations->errors[layer] + first * gates_width, h_errors);
        for (uint32_t b = 0; b < streams; b++)
            memcpy(below + (first + b) * x, h_errors + b * width, x * sizeof(float));
    }
}

void kl_lstm_backward(const struct kl_network *network, const uint32_t *tokens,
                      struct kl_lstm_activations *activations, struct kl_network *gradient)
{
    const struct kl_shape *shape = &network->shape;
    size_t rows = (size_t)activations->streams * activations->unroll, hidden = kl_lstm_cells(shape);

    for (size_t i = 0; activations->has_mask && i < rows * hidden; i++)
        activations->top_errors[i] *= activations->mask[i];
    for (uint32_t l = shape->n_layers - 1; l-- > 0;) {
        back_layer(network, l, activations->top_errors,
                   l ? activations->top_errors : activations->below, activations);
        if (gradient)
            kl_linear_gradient(activations->pool, l, rows, activations->errors[l],
                               activations->keys[l], 0, gradient);
    }
    if (!gradient)
        return;
    memset(gradient->embedding, 0, (size_t)shape->vocabulary * shape->embedding * sizeof(float));
    for (size_t row = 0; row < rows; row++)
        for (uint32_t i = 0; i < shape->embedding; i++)
            gradient->embedding[(size_t)tokens[row] * shape->embedding + i] +=
                activations->below[row * shape->embedding + i];
}
