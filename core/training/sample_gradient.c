#include "core/training/sample_gradient.h"

#include <stdlib.h>

#include "core/base/memory.h"

/* One step of a model over what is read whole. */
static enum kl_status step(const struct kl_network *network, struct kl_minibatch *minibatch,
                           uint32_t unroll, struct kl_network *gradient, struct kl_error *err)
{
    const struct kl_model *model = network->shape.model;
    const struct kl_trainer_settings settings = {
        .shape = network->shape, .streams = 1, .unroll = unroll};
    struct kl_step_result result = {0};
    void *trainer = NULL;
    float *carried = NULL;
    enum kl_status status = model->trainer_create(&settings, &trainer, err);

    if (!status && model->carried_size)
        status = kl_alloc(&carried, model->carried_size(&network->shape, 1), sizeof(float),
                          "the state", err);
    if (!status)
        status = model->step(trainer, network, minibatch, carried, gradient, &result, err);
    free(carried);
    if (trainer)
        model->trainer_free(trainer);
    return status;
}

static enum kl_status of_image(const struct kl_network *network, const struct kl_collection *data,
                               uint32_t sample, uint32_t target, struct kl_network *gradient,
                               struct kl_error *err)
{
    float *inputs = NULL;
    struct kl_minibatch minibatch = {.step = 1, .n = 1, .targets = &target};
    enum kl_status status =
        kl_alloc(&inputs, network->shape.inputs[0], sizeof *inputs, "a sample", err);

    if (status)
        return status;
    kl_dataset_standardise(data->datasets[kl_collection_place(data, sample).dataset],
                           kl_collection_pixels(data, sample), inputs);
    minibatch.inputs = inputs;
    status = step(network, &minibatch, 1, gradient, err);
    free(inputs);
    return status;
}

/* Reads all its tokens, of which only the last one's loss weighs; steps take the mean over all. */
static enum kl_status of_position(const struct kl_network *network,
                                  const struct kl_collection *data, uint32_t sample,
                                  uint32_t target, struct kl_network *gradient,
                                  struct kl_error *err)
{
    struct kl_subject subject = {0};
    uint32_t *targets = NULL, n;
    uint8_t *ignored = NULL;
    enum kl_status status;

    kl_subject_at(data, sample, &subject);
    n = subject.n_tokens;
    status = kl_alloc(&targets, n, sizeof *targets, "a text", err);
    if (!status)
        status = kl_alloc(&ignored, n, sizeof *ignored, "a text", err);
    for (uint32_t i = 0; !status && i < n; i++)
        ignored[i] = i + 1 < n;
    if (!status) {
        struct kl_minibatch minibatch = {.step = 1,
                                         .n = n,
                                         .tokens = subject.tokens,
                                         .targets = targets,
                                         .ignored = ignored,
                                         .begins = 1};

        targets[n - 1] = target;
        status = step(network, &minibatch, n, gradient, err);
    }
    for (size_t i = 0; !status && i < gradient->n_parameters; i++)
        gradient->parameters[i] *= (float)n;
    free(targets);
    free(ignored);
    return status;
}

enum kl_status kl_sample_gradient(const struct kl_network *network,
                                  const struct kl_collection *data, uint32_t sample,
                                  uint32_t target, struct kl_network *gradient,
                                  struct kl_error *err)
{
    return kl_collection_kind(data) == KL_DATA_TEXT
               ? of_position(network, data, sample, target, gradient, err)
               : of_image(network, data, sample, target, gradient, err);
}
