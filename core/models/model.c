#include "core/models/model.h"

#include <stdio.h>
#include <string.h>

#include "core/data/text/corpus.h"

#define ADDRESS(name) &name,
static const struct kl_model *const models[] = {KL_MODELS(ADDRESS)};

const struct kl_model *kl_model_at(uint32_t i)
{
    return i < sizeof models / sizeof models[0] ? models[i] : NULL;
}

const struct kl_model *kl_model_find(const char *name)
{
    const struct kl_model *model;
    uint32_t i = 0;

    while ((model = kl_model_at(i++)) && strcmp(model->name, name) != 0)
        ;
    return model;
}

const struct kl_model *kl_model_for(enum kl_data_kind kind)
{
    const struct kl_model *model;
    uint32_t i = 0;

    while ((model = kl_model_at(i++)) && model->kind != kind)
        ;
    return model;
}

enum kl_status kl_model_read(const struct kl_network *network, const struct kl_collection *data,
                             const struct kl_subject *subject, struct kl_activations **out,
                             struct kl_error *err)
{
    struct kl_activations *activations = NULL;
    enum kl_status status = kl_activations_create(&network->shape, 1, &activations, err);

    if (status)
        return status;
    status = network->shape.model->read(network, data, subject, activations, err);
    if (status)
        kl_activations_free(activations);
    else
        *out = activations;
    return status;
}

const char *kl_model_activation(const struct kl_shape *shape, uint32_t layer)
{
    if (layer + 1 == shape->n_layers)
        return "softmax";
    return shape->model->inner ? shape->model->inner : kl_activation_name(shape->activation);
}

void kl_model_back_logit(const struct kl_network *network, uint32_t logit, uint32_t layer,
                         struct kl_activations *activations)
{
    uint32_t last = network->shape.n_layers - 1;

    memset(activations->errors[last], 0, network->shape.outputs[last] * sizeof(float));
    activations->errors[last][logit] = 1;
    if (layer < last)
        network->shape.model->back(network, 1, activations);
}

void kl_model_back_loss(const struct kl_network *network, uint32_t target,
                        struct kl_activations *activations)
{
    uint32_t last = network->shape.n_layers - 1;

    kl_cross_entropy(activations->keys[last + 1], 1, network->shape.outputs[last], &target,
                     activations->errors[last]);
    network->shape.model->back(network, 1, activations);
}

void kl_subject_at(const struct kl_collection *data, uint32_t id, struct kl_subject *subject)
{
    struct kl_sample_place place = kl_collection_place(data, id);
    const struct kl_corpus *corpus = data->datasets[place.dataset]->corpus;
    uint32_t n = place.index + 1 < KL_CONTEXT ? place.index + 1 : KL_CONTEXT;

    *subject = (struct kl_subject){.dataset = place.dataset, .stored = id + 1};
    if (corpus) {
        subject->tokens = corpus->tokens[place.split] + place.index + 1 - n;
        subject->n_tokens = n;
    } else {
        subject->pixels = kl_collection_pixels(data, id);
    }
}

enum kl_status kl_shape_check(const struct kl_shape *shape, struct kl_error *err)
{
    uint32_t last = shape->n_layers - 1;

    if (shape->n_layers < 1 || shape->n_layers > KL_LAYERS_MAX)
        return kl_fail(err, KL_ERR_USAGE, "a network has 1 to %d layers, not %u", KL_LAYERS_MAX,
                       shape->n_layers);
    for (uint32_t l = 0; l <= last; l++) {
        uint32_t most = l == last && shape->vocabulary ? KL_VOCABULARY_MAX : KL_WIDTH_MAX;
        uint32_t wrong = shape->inputs[l] < 1 || shape->inputs[l] > KL_WIDTH_MAX
                             ? shape->inputs[l]
                             : shape->outputs[l];

        if (shape->inputs[l] < 1 || shape->inputs[l] > KL_WIDTH_MAX || shape->outputs[l] < 1 ||
            shape->outputs[l] > most)
            return kl_fail(err, KL_ERR_USAGE, "a layer is 1 to %u wide, not %u", most, wrong);
    }
    return shape->model->fits(shape)
               ? KL_OK
               : kl_fail(err, KL_ERR_USAGE, "the network's layers do not fit each other");
}

int kl_shape_reads_samples(const struct kl_shape *shape, uint32_t layer)
{
    return shape->model->reads_samples && layer == 0;
}

void kl_shape_layer_name(const struct kl_shape *shape, uint32_t layer, char name[KL_LAYER_NAME_MAX])
{
    if (shape->layers)
        snprintf(name, KL_LAYER_NAME_MAX, "%s", shape->layers[layer].name);
    else if (layer + 1 == shape->n_layers)
        snprintf(name, KL_LAYER_NAME_MAX, "output");
    else
        snprintf(name, KL_LAYER_NAME_MAX, "%s%u", shape->model->layer_name, layer + 1);
}
