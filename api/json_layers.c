/* A run's layers, and what is damaged or missing of its history. */
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

void kl_json_add_share(struct kl_json *json, const struct kl_run *run)
{
    if (run->history.n_missing)
        kl_json_number(json, "history_share", kl_history_share(&run->history));
}

void kl_json_add_run(struct kl_json *json, const struct kl_run *run)
{
    kl_json_string(json, "run", run->fingerprint);
    kl_json_add_share(json, run);
}

void kl_json_add_shards(struct kl_json *json, const struct kl_run *run)
{
    if (run->n_shards == 1)
        return;
    kl_json_object(json, "shards");
    kl_json_count(json, "count", run->n_shards);
    kl_json_list(json, "missing");
    for (uint32_t i = 0; i < run->n_shards; i++)
        if (run->shards[i].holder < 0)
            kl_json_count(json, NULL, i);
    kl_json_end(json);
    kl_json_count(json, "missing_patterns", run->history.n_missing);
    kl_json_number(json, "history_share", kl_history_share(&run->history));
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
