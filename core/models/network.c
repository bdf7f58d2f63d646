#include "core/models/network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

enum kl_status kl_network_create(const struct kl_shape *shape, struct kl_network **out,
                                 struct kl_error *err)
{
    struct kl_network *network = NULL;
    size_t n_embedding = (size_t)shape->vocabulary * shape->embedding;
    float *next;
    enum kl_status status = kl_alloc(&network, 1, sizeof *network, "a network", err);
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

enum kl_status kl_activations_create(const struct kl_shape *shape, uint32_t capacity,
                                     struct kl_activations **out, struct kl_error *err)
{
    struct kl_activations *activations = NULL;
    enum kl_status status = kl_alloc(&activations, 1, sizeof *activations, "the layers", err);

    if (status)
        return status;
    activations->shape = *shape;
    activations->capacity = capacity;
    for (uint32_t l = 0; !status && l < shape->n_layers; l++) {
        status = kl_alloc(&activations->keys[l], (size_t)capacity * kl_shape_key_row(shape, l),
                          sizeof(float), "the layers' keys", err);
        if (!status)
            status = kl_alloc(&activations->errors[l], (size_t)capacity * shape->outputs[l],
                              sizeof(float), "the layers' error signals", err);
        if (!status && shape->activation != KL_RELU && l + 1 < shape->n_layers)
            status = kl_alloc(&activations->sums[l], (size_t)capacity * shape->outputs[l],
                              sizeof(float), "the layers' sums", err);
    }
    if (!status)
        status = kl_alloc(&activations->keys[shape->n_layers],
                          (size_t)capacity * kl_shape_n_outputs(shape), sizeof(float),
                          "the layers' logits", err);
    if (status) {
        kl_activations_free(activations);
        return status;
    }
    *out = activations;
    return KL_OK;
}

static void free_places(struct kl_places *places)
{
    if (places)
        free(places->keys);
    free(places);
}

enum kl_status kl_activations_set_places(struct kl_activations *activations, uint32_t layer,
                                         uint32_t n, struct kl_error *err)
{
    size_t inputs = activations->shape.inputs[layer], outputs = activations->shape.outputs[layer];
    struct kl_places *places = NULL;
    enum kl_status status = kl_alloc(&places, 1, sizeof *places, "a layer's places", err);

    if (!status)
        status = kl_alloc(&places->keys, (size_t)n * (inputs + outputs) + inputs, sizeof(float),
                          "a layer's places", err);
    if (status) {
        free(places);
        return status;
    }
    places->n = n;
    places->errors = places->keys + n * inputs;
    places->attended = places->errors + n * outputs;
    free_places(activations->places[layer]);
    activations->places[layer] = places;
    return KL_OK;
}

enum kl_status kl_activations_take(struct kl_activations *activations, uint32_t layer,
                                   const float *numbers, uint32_t n, struct kl_error *err)
{
    const struct kl_shape *shape = &activations->shape;
    const struct kl_convolution *convolution = kl_shape_convolution(shape, layer);
    float *keys = activations->keys[layer];

    if (n != 1 || convolution || kl_shape_places(shape, layer) != 1) {
        enum kl_status status = kl_activations_set_places(activations, layer, n, err);

        if (status)
            return status;
        keys = activations->places[layer]->keys;
    }
    if (convolution)
        kl_unfold(convolution, numbers, keys);
    else
        memcpy(keys, numbers, (size_t)n * shape->inputs[layer] * sizeof(float));
    return KL_OK;
}

void kl_activations_free(struct kl_activations *activations)
{
    if (!activations)
        return;
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        free(activations->keys[l]);
        free(activations->errors[l]);
        free(activations->sums[l]);
        free_places(activations->places[l]);
    }
    free(activations->keys[KL_LAYERS_MAX]);
    if (activations->inner)
        activations->free_inner(activations->inner);
    free(activations);
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
