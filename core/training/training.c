#include "core/training/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/data/text/corpus.h"

static enum kl_status fit_text(struct kl_training *training, const struct kl_dataset *text,
                               struct kl_error *err)
{
    uint32_t n = text->splits[KL_SPLIT_TRAIN].count;

    if (n / training->batch_size < training->unroll)
        return kl_fail_on(err, KL_ERR_USAGE, "unroll",
                          "%s has %u training tokens, too few for %u streams of %u: take a smaller "
                          "batch_size or {unroll}",
                          text->name, n, training->batch_size, training->unroll);
    if (training->error_entries >= text->n_classes)
        training->error_entries = 0;
    return KL_OK;
}

enum kl_status kl_training_fit(struct kl_training *training, const struct kl_collection *data,
                               struct kl_error *err)
{
    const struct kl_model *model = kl_training_model(training);

    if (model->kind != kl_collection_kind(data))
        return kl_fail_on(err, KL_ERR_USAGE, "architecture", "%s is for %s: the data are %s",
                          model->name, kl_data_kind_name(model->kind),
                          kl_data_kind_name(kl_collection_kind(data)));
    if (kl_collection_kind(data) == KL_DATA_TEXT && fit_text(training, data->datasets[0], err))
        return err->status;
    return model->shape(&training->model, (uint32_t)kl_dataset_image_size(data->datasets[0]),
                        kl_collection_n_outputs(data), &training->shape, err);
}

void kl_training_layout(const struct kl_training *training, struct kl_layout *layout)
{
    const struct kl_shape *shape = &training->shape;
    uint32_t last = shape->n_layers - 1;

    memset(layout, 0, sizeof *layout);
    layout->n_layers = shape->n_layers;
    layout->entries = training->attention_only ? 0 : training->error_entries;
    for (uint32_t l = 0; l <= last; l++) {
        int is_asked_for = l == last || !shape->model->inner_on_demand || training->records_gates;

        layout->keys[l] = kl_shape_reads_samples(shape, l) ? 0 : kl_shape_key_row(shape, l);
        if (shape->layers)
            is_asked_for = shape->layers[l].has_errors;
        if (!training->attention_only && is_asked_for)
            layout->errors[l] = kl_shape_error_row(shape, l);
    }
    if (layout->entries)
        layout->errors[last] = layout->entries;
}

struct kl_step_rule kl_training_rule(const struct kl_training *training, uint32_t step)
{
    return (struct kl_step_rule){.learning_rate = kl_training_learning_rate(training, step),
                                 .momentum = training->momentum,
                                 .weight_decay = training->weight_decay,
                                 .clip_factor = 1,
                                 .dampening = step > 1 ? training->dampening : 0,
                                 .is_nesterov = (int)training->nesterov,
                                 .beta_1 = training->beta_1,
                                 .beta_2 = training->beta_2,
                                 .epsilon = training->epsilon};
}

int kl_training_is_snapshot(const struct kl_training *training, uint32_t step)
{
    uint32_t every = training->snapshot_steps;

    if (every == 0 || step == 0 || step >= training->n_steps)
        return 0;
    return step % every == 0 || (step < every && (step & (step - 1)) == 0);
}

double kl_training_learning_rate(const struct kl_training *training, uint32_t step)
{
    double eta = training->learning_rate, done = (double)(step - 1);

    switch ((enum kl_lr_schedule)training->lr_schedule) {
    case KL_LR_CONSTANT:
        break;
    case KL_LR_COSINE:
        return eta * (1 + cos(3.14159265358979323846 * done / training->n_steps)) / 2;
    case KL_LR_STEP:
        return eta * pow(training->lr_gamma, floor(done / training->lr_period));
    }
    return eta;
}

enum kl_status kl_training_check_memory(const struct kl_training *training, struct kl_error *err)
{
    const struct kl_shape *shape = &training->shape;
    double n_patterns = (double)kl_training_patterns(training),
           parameters = (double)shape->vocabulary * shape->embedding, activations = 0, needed;
    double states = 2 + 2.0 * (1 + kl_training_optimiser(training)->n_moments); /* and a snapshot */
    double free_bytes = (double)kl_memory_free();

    for (uint32_t l = 0; l < shape->n_layers; l++) {
        parameters += ((double)shape->inputs[l] + 1) * shape->outputs[l];
        activations += (double)kl_shape_key_row(shape, l) + 2.0 * shape->outputs[l];
    }
    needed = sizeof(float) * (states * parameters + 3 * n_patterns * activations); /* two records */
    if (free_bytes == 0 || needed <= free_bytes)
        return KL_OK;
    return kl_fail(
        err, KL_ERR_MEMORY,
        "not enough memory: this training takes some %.1f GB, and %.1f GB are free (what "
        "a container or ulimit allows counts): take fewer hidden units or smaller "
        "minibatches, or close other programs",
        needed / 1e9, free_bytes / 1e9);
}

enum kl_status kl_training_state_create(const struct kl_training *training,
                                        struct kl_training_state *state, struct kl_error *err)
{
    const struct kl_model *model = kl_training_model(training);
    struct kl_training_state fresh = {0};
    enum kl_status status = kl_network_create(&training->shape, &fresh.network, err);

    for (uint32_t i = 0; !status && i < kl_training_optimiser(training)->n_moments; i++)
        status = kl_network_create(&training->shape, &fresh.moments[i], err);
    if (model->carried_size)
        fresh.n_carried = model->carried_size(&training->shape, training->batch_size);
    if (!status && fresh.n_carried)
        status = kl_alloc(&fresh.carried, fresh.n_carried, sizeof(float), "the state", err);
    if (status)
        kl_training_state_clear(&fresh);
    else
        *state = fresh;
    return status;
}

enum kl_status kl_training_start(const struct kl_training *training,
                                 struct kl_training_state *state, struct kl_error *err)
{
    enum kl_status status = kl_training_state_create(training, state, err);

    if (!status)
        kl_training_model(training)->initialise(
            state->network, (enum kl_initialisation)training->initialisation, training->seed);
    return status;
}

void kl_training_state_clear(struct kl_training_state *state)
{
    kl_network_free(state->network);
    for (uint32_t i = 0; i < KL_MOMENTS_MAX; i++)
        kl_network_free(state->moments[i]);
    free(state->carried);
    *state = (struct kl_training_state){0};
}
