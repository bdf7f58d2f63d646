#include "core/models/network.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/random.h"

enum kl_status kl_network_create(const struct kl_shape *shape, struct kl_network **out,
                                 struct kl_error *err)
{
    struct kl_network *network = NULL;
    size_t n_embedding = (size_t)shape->vocabulary * shape->embedding;
    enum kl_status status = kl_shape_check(shape, err);
    float *next;

    if (!status)
        status = kl_alloc(&network, 1, sizeof *network, "a network", err);
    if (status)
        return status;
    network->shape = *shape;
    network->n_parameters = n_embedding;
    for (uint32_t l = 0; l < shape->n_layers; l++)
        network->n_parameters += ((size_t)shape->inputs[l] + 1) * shape->outputs[l];
    status = kl_alloc(&network->parameters, network->n_parameters, sizeof(float),
                      "the network's weights", err);
    if (status) {
        free(network);
        return status;
    }
    next = network->parameters;
    network->embedding = n_embedding ? next : NULL;
    next += n_embedding;
    for (uint32_t l = 0; l < shape->n_layers; l++) {
        network->weights[l] = next;
        next += (size_t)shape->inputs[l] * shape->outputs[l];
        network->biases[l] = next;
        next += shape->outputs[l];
    }
    *out = network;
    return KL_OK;
}

void kl_network_free(struct kl_network *network)
{
    if (!network)
        return;
    free(network->parameters);
    free(network);
}

void kl_network_initialise(struct kl_network *network, enum kl_initialisation initialisation,
                           uint64_t seed)
{
    for (uint32_t l = 0; l < network->shape.n_layers; l++) {
        double inputs = network->shape.inputs[l], outputs = network->shape.outputs[l];
        double gain_squared = l + 1 < network->shape.n_layers ? 2 : 1;
        double variance = initialisation == KL_INIT_XAVIER ? gain_squared * 2 / (inputs + outputs)
                                                           : gain_squared / inputs;
        size_t n = (size_t)network->shape.inputs[l] * network->shape.outputs[l];
        struct kl_random random;

        kl_random_seed(&random, seed, l);
        for (size_t i = 0; i < n; i++)
            network->weights[l][i] = (float)(sqrt(variance) * kl_random_normal(&random));
        memset(network->biases[l], 0, network->shape.outputs[l] * sizeof(float));
    }
}

enum kl_status kl_activations_create(const struct kl_network *network, uint32_t capacity,
                                     struct kl_activations **out, struct kl_error *err)
{
    const struct kl_shape *shape = &network->shape;
    struct kl_activations *batch = NULL;
    enum kl_status status = kl_alloc(&batch, 1, sizeof *batch, "a batch", err);

    if (status)
        return status;
    batch->capacity = capacity;
    for (uint32_t l = 0; !status && l < shape->n_layers; l++) {
        status = kl_alloc(&batch->keys[l], (size_t)capacity * shape->inputs[l], sizeof(float),
                          "a batch's keys", err);
        if (!status)
            status = kl_alloc(&batch->errors[l], (size_t)capacity * shape->outputs[l],
                              sizeof(float), "a batch's error signals", err);
    }
    if (!status)
        status =
            kl_alloc(&batch->keys[shape->n_layers], (size_t)capacity * kl_shape_n_outputs(shape),
                     sizeof(float), "a batch's logits", err);
    if (status) {
        kl_activations_free(batch);
        return status;
    }
    *out = batch;
    return KL_OK;
}

void kl_activations_free(struct kl_activations *batch)
{
    if (!batch)
        return;
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        free(batch->keys[l]);
        free(batch->errors[l]);
    }
    free(batch->keys[KL_LAYERS_MAX]);
    free(batch);
}

static void layer_forward(const struct kl_network *network, uint32_t l, uint32_t n,
                          const float *keys, float *outputs)
{
    int inputs = (int)network->shape.inputs[l], width = (int)network->shape.outputs[l];

    for (uint32_t i = 0; i < n; i++)
        memcpy(outputs + (size_t)i * (size_t)width, network->biases[l],
               (size_t)width * sizeof(float));
    if (n == 1) { /* a query: a matrix product would copy all weights to another order first */
        cblas_sgemv(CblasRowMajor, CblasNoTrans, width, inputs, 1, network->weights[l], inputs,
                    keys, 1, 1, outputs, 1);
        return;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, width, inputs, 1, keys, inputs,
                network->weights[l], inputs, 1, outputs, width);
}

void kl_network_forward(const struct kl_network *network, uint32_t n, struct kl_activations *batch)
{
    for (uint32_t l = 0; l < network->shape.n_layers; l++) {
        size_t n_outputs = (size_t)n * network->shape.outputs[l];

        layer_forward(network, l, n, batch->keys[l], batch->keys[l + 1]);
        if (l + 1 < network->shape.n_layers) {
            for (size_t i = 0; i < n_outputs; i++)
                batch->keys[l + 1][i] = batch->keys[l + 1][i] > 0 ? batch->keys[l + 1][i] : 0;
        }
    }
}

void kl_network_backward(const struct kl_network *network, uint32_t n, struct kl_activations *batch)
{
    for (uint32_t l = network->shape.n_layers - 1; l > 0; l--) {
        int inputs = (int)network->shape.inputs[l], outputs = (int)network->shape.outputs[l];
        size_t n_inputs = (size_t)n * network->shape.inputs[l];

        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)n, inputs, outputs, 1,
                    batch->errors[l], outputs, network->weights[l], inputs, 0, batch->errors[l - 1],
                    inputs);
        for (size_t i = 0; i < n_inputs; i++)
            batch->errors[l - 1][i] = batch->keys[l][i] > 0 ? batch->errors[l - 1][i] : 0;
    }
}

void kl_network_gradient(const struct kl_network *network, uint32_t n,
                         const struct kl_activations *batch, struct kl_network *gradient)
{
    for (uint32_t l = 0; l < network->shape.n_layers; l++) {
        int inputs = (int)network->shape.inputs[l], outputs = (int)network->shape.outputs[l];

        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, outputs, inputs, (int)n, 1,
                    batch->errors[l], outputs, batch->keys[l], inputs, 0, gradient->weights[l],
                    inputs);
        memset(gradient->biases[l], 0, (size_t)outputs * sizeof(float));
        for (uint32_t i = 0; i < n; i++)
            for (int j = 0; j < outputs; j++)
                gradient->biases[l][j] += batch->errors[l][(size_t)i * (size_t)outputs + (size_t)j];
    }
}

void kl_softmax(const float *logits, uint32_t n_classes, float *probabilities)
{
    double top = logits[kl_argmax(logits, n_classes)], sum = 0;

    for (uint32_t j = 0; j < n_classes; j++)
        sum += exp(logits[j] - top);
    for (uint32_t j = 0; j < n_classes; j++)
        probabilities[j] = (float)(exp(logits[j] - top) / sum);
}

double kl_cross_entropy(const float *logits, uint32_t n, uint32_t n_classes,
                        const uint32_t *targets, float *errors)
{
    double loss = 0;

    for (uint32_t i = 0; i < n; i++) {
        const float *row = logits + (size_t)i * n_classes;
        double top = row[kl_argmax(row, n_classes)], sum = 0;

        for (uint32_t j = 0; j < n_classes; j++)
            sum += exp(row[j] - top);
        /* cppcheck-suppress invalidFunctionArg ; the top class alone adds 1 to the sum */
        loss -= row[targets[i]] - top - log(sum);
        for (uint32_t j = 0; errors && j < n_classes; j++)
            errors[(size_t)i * n_classes + j] =
                (float)((exp(row[j] - top) / sum - (j == targets[i])) / n);
    }
    return loss / n;
}

uint32_t kl_argmax(const float *values, uint32_t n)
{
    uint32_t best = 0;

    for (uint32_t i = 1; i < n; i++)
        best = values[i] > values[best] ? i : best;
    return best;
}
