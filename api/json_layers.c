/* A run's layers, and what is damaged of them. */
#include "api/json_parts.h"

/* How a layer's places are cut out of what it reads; of none null. */
static void add_convolution(struct kl_json *json, const struct kl_convolution *convolution)
{
    const struct {
        const char *name;
        const uint32_t *pair; /* down, and to the right */
    } pairs[] = {{"size", convolution ? convolution->size : NULL},
                 {"kernel", convolution ? convolution->kernel : NULL},
                 {"stride", convolution ? convolution->stride : NULL},
                 {"padding", convolution ? convolution->padding : NULL},
                 {"dilation", convolution ? convolution->dilation : NULL}};

    if (!convolution) {
        kl_json_null(json, "convolution");
        return;
    }
    kl_json_object(json, "convolution");
    kl_json_count(json, "channels", convolution->channels);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        kl_json_list(json, pairs[i].name);
        kl_json_count(json, NULL, pairs[i].pair[0]);
        kl_json_count(json, NULL, pairs[i].pair[1]);
        kl_json_end(json);
    }
    kl_json_end(json);
}

void kl_json_add_layers(struct kl_json *json, const struct kl_run *run)
{
    const struct kl_training *training = &run->training;
    struct kl_layout layout;
    char name[KL_LAYER_NAME_MAX];

    kl_json_list(json, "layers");
    kl_training_layout(training, &layout);
    for (uint32_t l = 0; l < training->shape.n_layers; l++) {
        kl_json_object(json, NULL);
        kl_shape_layer_name(&training->shape, l, name);
        kl_json_count(json, "layer", l + 1);
        kl_json_string(json, "name", name);
        kl_json_count(json, "inputs", training->shape.inputs[l]);
        kl_json_count(json, "outputs", training->shape.outputs[l]);
        kl_json_count(json, "places", kl_shape_places(&training->shape, l));
        add_convolution(json, kl_shape_convolution(&training->shape, l));
        kl_json_string(json, "activation", kl_model_activation(&training->shape, l));
        kl_json_bool(json, "bias", run->history.layers[l].bias > 0);
        kl_json_bool(json, "errors", layout.errors[l] > 0);
        kl_json_end(json);
    }
    kl_json_end(json);
}

void kl_json_add_damage(struct kl_json *json, const struct kl_run *run)
{
    uint32_t n_damaged = kl_run_n_damaged(run);

    if (!n_damaged)
        return;
    kl_json_list(json, "damaged");
    for (uint32_t i = 0; i < n_damaged; i++) {
        kl_json_object(json, NULL);
        kl_json_count(json, "layer", run->damage[i].layer);
        kl_json_string(json, "what", run->damage[i].what);
        kl_json_end(json);
    }
    kl_json_end(json);
}
