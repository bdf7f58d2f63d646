#include "api/asked/recorded_sample.h"

#include <cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/base64.h"
#include "core/base/memory.h"
#include "core/base/number.h"
#include "core/explain/passes.h"
#include "core/explain/query.h"

#define LOGITS_TOLERANCE 1e-2 /* relative to the largest: frameworks add up in other orders */

struct numbers {
    float *values;
    size_t n;
};

struct recorded_layer {
    struct numbers keys;
    struct numbers *gradients; /* by output, or NULL: none */
    struct numbers loss;
};

struct recorded {
    struct kl_queries queries; /* first, so that a pointer to it is one to this */
    const struct kl_shape *shape;
    struct numbers logits;
    int64_t label; /* whose loss it is */
    struct recorded_layer layers[KL_LAYERS_MAX];
};

static enum kl_status refuse(struct kl_error *err, const char *what)
{
    return kl_fail_on(err, KL_ERR_USAGE, "recorded",
                      "recorded is no sample of this run's network: %s (see docs/api.md)", what);
}

/* Finite numbers, at least one. */
static enum kl_status read_numbers(const cJSON *item, struct numbers *numbers, struct kl_error *err)
{
    size_t length = cJSON_IsString(item) ? strlen(item->valuestring) : 0;
    int64_t n_bytes;
    enum kl_status status;

    if (length == 0)
        return refuse(err, "numbers are base64 of float32");
    status = kl_alloc(&numbers->values, length / 4 + 1, 3, "what was recorded", err);
    if (status)
        return status;
    n_bytes = kl_base64_read(item->valuestring, length, (uint8_t *)numbers->values);
    if (n_bytes <= 0 || n_bytes % (int64_t)sizeof(float))
        return refuse(err, "numbers are base64 of float32");
    numbers->n = (size_t)n_bytes / sizeof(float);
    for (size_t i = 0; i < numbers->n; i++)
        if (!isfinite(numbers->values[i]))
            return refuse(err, "a number is not finite");
    return KL_OK;
}

/* How many places numbers of a layer's outputs are, which must be those of its keys. */
static uint32_t n_places(const struct recorded *recorded, uint32_t layer)
{
    const struct kl_convolution *convolution = kl_shape_convolution(recorded->shape, layer);

    return convolution
               ? kl_shape_places(recorded->shape, layer)
               : (uint32_t)(recorded->layers[layer].keys.n / recorded->shape->inputs[layer]);
}

static enum kl_status read_keys(struct recorded *recorded, uint32_t layer, const cJSON *item,
                                struct kl_error *err)
{
    const struct kl_convolution *convolution = kl_shape_convolution(recorded->shape, layer);
    struct numbers *keys = &recorded->layers[layer].keys;
    size_t width = convolution ? kl_convolution_map(convolution) : recorded->shape->inputs[layer];
    enum kl_status status = read_numbers(item, keys, err);

    if (status)
        return status;
    if (keys->n % width || keys->n / width > KL_PLACES_MAX || (convolution && keys->n != width) ||
        (keys->n != width && (layer + 1 == recorded->shape->n_layers ||
                              kl_shape_places(recorded->shape, layer) == 1)) ||
        (uint64_t)n_places(recorded, layer) * recorded->shape->outputs[layer] > KL_ROW_MAX)
        return refuse(err, "a layer's keys are of another size");
    return KL_OK;
}

static enum kl_status read_gradients(struct recorded *recorded, uint32_t layer, const cJSON *item,
                                     struct kl_error *err)
{
    struct recorded_layer *own = &recorded->layers[layer];
    uint32_t n_outputs = kl_shape_n_outputs(recorded->shape), output;
    const cJSON *one;
    enum kl_status status;

    if (item && !cJSON_IsObject(item)) /* members of a list have no names */
        return refuse(err, "gradients are an object");
    status = kl_alloc(&own->gradients, n_outputs, sizeof *own->gradients, "what was recorded", err);
    cJSON_ArrayForEach(one, item)
    {
        int is_loss = !strcmp(one->string, "loss");
        struct numbers *numbers = &own->loss;

        if (status)
            break;
        if (!is_loss && (kl_parse_number(one->string, &output) || output >= n_outputs))
            return refuse(err, "gradients are of outputs, by their numbers, or of loss");
        if (!is_loss)
            numbers = &own->gradients[output];
        if (numbers->values)
            return refuse(err, "a gradient is given twice");
        status = read_numbers(one, numbers, err);
        if (!status &&
            numbers->n != (size_t)n_places(recorded, layer) * recorded->shape->outputs[layer])
            return refuse(err, "a layer's gradients are of another size");
    }
    return status;
}

/* That the run's last layer makes these logits of these keys: of the same parameters. */
static enum kl_status compare_logits(const struct kl_run *run, const struct recorded *recorded,
                                     struct kl_error *err)
{
    const struct kl_shape *shape = recorded->shape;
    uint32_t last = shape->n_layers - 1, n_inputs = shape->inputs[last];
    const float *weights = run->final->weights[last], *bias = run->final->biases[last];
    double most = 0, apart = 0;

    for (size_t j = 0; j < recorded->logits.n; j++) {
        double made = (double)bias[j];

        for (uint32_t i = 0; i < n_inputs; i++)
            made +=
                (double)weights[j * n_inputs + i] * (double)recorded->layers[last].keys.values[i];
        most = fmax(most, fabs(made));
        apart = fmax(apart, fabs(made - (double)recorded->logits.values[j]));
    }
    return apart <= LOGITS_TOLERANCE * (1 + most)
               ? KL_OK
               : refuse(err, "its last layer makes other logits of these keys, so it was another "
                             "model, or was trained on");
}

/* The body's numbers. */
static enum kl_status read_all(struct recorded *recorded, const cJSON *member, struct kl_error *err)
{
    const cJSON *layers = cJSON_GetObjectItemCaseSensitive(member, "layers"), *layer;
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(member, "label");
    uint32_t n_outputs = kl_shape_n_outputs(recorded->shape), l = 0;
    enum kl_status status;

    if (!cJSON_IsArray(layers) || cJSON_GetArraySize(layers) != (int)recorded->shape->n_layers)
        return refuse(err, "layers are those of the run, in its order");
    if (cJSON_IsNumber(label) && label->valuedouble >= 0 && label->valuedouble < n_outputs &&
        label->valuedouble == floor(label->valuedouble))
        recorded->label = (int64_t)label->valuedouble;
    else if (label)
        return refuse(err, "label is an output");
    status =
        read_numbers(cJSON_GetObjectItemCaseSensitive(member, "logits"), &recorded->logits, err);
    if (!status && recorded->logits.n != n_outputs)
        return refuse(err, "there are other logits than outputs");
    if (!status && !label)
        recorded->label = kl_argmax(recorded->logits.values, n_outputs);
    cJSON_ArrayForEach(layer, layers)
    {
        if (!status)
            status = read_keys(recorded, l, cJSON_GetObjectItemCaseSensitive(layer, "keys"), err);
        if (!status && l + 1 < recorded->shape->n_layers)
            status = read_gradients(recorded, l,
                                    cJSON_GetObjectItemCaseSensitive(layer, "gradients"), err);
        l++;
    }
    return status;
}

/* Of struct kl_queries, whatever sample is meant. */
static enum kl_status read_forward(void *self, uint32_t sample, struct kl_activations *activations,
                                   struct kl_error *err)
{
    const struct recorded *recorded = self;
    uint32_t n_layers = recorded->shape->n_layers;
    enum kl_status status = KL_OK;

    (void)sample;
    memcpy(activations->keys[n_layers], recorded->logits.values,
           recorded->logits.n * sizeof(float));
    for (uint32_t l = 0; !status && l < n_layers; l++)
        status = kl_activations_take(activations, l, recorded->layers[l].keys.values,
                                     n_places(recorded, l), err);
    return status;
}

static enum kl_status add_gradient(const struct numbers *gradient, uint32_t layer, float weight,
                                   struct kl_activations *activations, struct kl_error *err)
{
    float *errors = activations->places[layer] ? activations->places[layer]->errors
                                               : activations->errors[layer];

    if (!gradient->values)
        return kl_fail_on(err, KL_ERR_USAGE, "recorded",
                          "recorded has no gradients of what is asked: ask in the last layer, or "
                          "send them");
    for (size_t i = 0; i < gradient->n; i++)
        errors[i] += weight * gradient->values[i];
    return KL_OK;
}

static enum kl_status read_back(void *self, uint32_t sample, int is_logit, uint32_t output,
                                struct kl_activations *activations, struct kl_error *err)
{
    const struct recorded *recorded = self;
    uint32_t last = recorded->shape->n_layers - 1, n_outputs = kl_shape_n_outputs(recorded->shape);
    const float *weights = kl_pass_weights(activations, is_logit, output);
    enum kl_status status = KL_OK;

    (void)sample;
    for (uint32_t l = 0; !status && l < last; l++) {
        const struct recorded_layer *layer = &recorded->layers[l];

        if (!is_logit && layer->loss.values && recorded->label == output) {
            status = add_gradient(&layer->loss, l, 1, activations, err);
            continue;
        }
        for (uint32_t j = 0; !status && j < n_outputs; j++)
            if (weights[j] != 0)
                status = add_gradient(&layer->gradients[j], l, weights[j], activations, err);
    }
    return status;
}

enum kl_status kl_recorded_sample_read(const struct kl_run *run, const struct cJSON *member,
                                       struct kl_queries **queries, int *label,
                                       struct kl_error *err)
{
    struct recorded *recorded = NULL;
    enum kl_status status;

    *queries = NULL;
    if (!run->history.queries)
        return kl_fail_on(err, KL_ERR_USAGE, "recorded",
                          "this server runs the network itself: give pixels, or text");
    status = kl_alloc(&recorded, 1, sizeof *recorded, "what was recorded", err);
    if (status)
        return status;
    recorded->shape = &run->final->shape;
    recorded->queries =
        (struct kl_queries){.self = recorded, .read = read_forward, .back = read_back};
    status = read_all(recorded, member, err);
    if (!status)
        status = compare_logits(run, recorded, err);
    *label = status ? KL_ANY_CLASS : (int)recorded->label;
    if (status)
        kl_recorded_sample_free(&recorded->queries);
    else
        *queries = &recorded->queries;
    return status;
}

void kl_recorded_sample_free(struct kl_queries *queries)
{
    struct recorded *recorded = (struct recorded *)queries;

    if (!recorded)
        return;
    for (uint32_t l = 0; l < recorded->shape->n_layers; l++) {
        struct recorded_layer *layer = &recorded->layers[l];

        for (uint32_t j = 0; layer->gradients && j < kl_shape_n_outputs(recorded->shape); j++)
            free(layer->gradients[j].values);
        free(layer->gradients);
        free(layer->loss.values);
        free(layer->keys.values);
    }
    free(recorded->logits.values);
    free(recorded);
}
