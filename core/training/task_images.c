#include "core/training/task.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/random.h"

#define EVALUATION_BATCH 500

/* Random streams of a seed: initial weights use the layer's number, passes these. */
#define ORDER_STREAM(phase, epoch) (UINT64_C(1) << 32 | (uint64_t)(phase) << 48 | (epoch))

/* The order of one pass over the training samples of one phase: all of them, or, in a sequential
 * schedule, those of one data set. */
struct order {
    uint32_t *permutation; /* of positions among the phase's samples */
    uint32_t phase, n;     /* n: samples of the phase; 0: none has begun */
    uint64_t epoch;
};

struct images {
    const struct kl_training *training;
    const struct kl_collection *data;
    struct order order;
    struct kl_activations *batch, *evaluation_batch;
    uint32_t *samples, *targets; /* (batch_size) */
};

/* The phase that a step belongs to: 0, or the data set of a sequential schedule. */
static uint32_t phase_at(const struct kl_training *training, uint32_t step)
{
    uint32_t phase = 0;

    while (phase < training->n_switches && step > training->switches[phase])
        phase++;
    return phase;
}

/* The id of the sample shown as pattern number i of a step. */
static uint32_t sample_at(struct images *images, uint32_t step, uint32_t i)
{
    const struct kl_training *training = images->training;
    int sequential = training->data_schedule == KL_DATA_SEQUENTIAL;
    uint32_t phase = sequential ? phase_at(training, step) : 0;
    uint32_t first_step = phase ? training->switches[phase - 1] + 1 : 1;
    uint64_t pattern = (uint64_t)(step - first_step) * training->batch_size + i;
    struct order *order = &images->order;
    uint32_t n = sequential ? images->data->datasets[phase]->splits[KL_SPLIT_TRAIN].count
                            : kl_collection_train_size(images->data);
    struct kl_random random;

    if (order->n == 0 || order->phase != phase || order->epoch != pattern / n) {
        order->phase = phase;
        order->n = n;
        order->epoch = pattern / n;
        kl_random_seed(&random, training->seed, ORDER_STREAM(phase, order->epoch));
        kl_random_permutation(&random, order->permutation, n);
    }
    if (sequential)
        return kl_collection_id(
            images->data,
            (struct kl_sample_place){phase, KL_SPLIT_TRAIN, order->permutation[pattern % n]});
    return kl_collection_train_id(images->data, order->permutation[pattern % n]);
}

static void load_minibatch(struct images *images, uint32_t step)
{
    for (uint32_t i = 0; i < images->training->batch_size; i++) {
        uint32_t id = sample_at(images, step, i);
        struct kl_sample_place place = kl_collection_place(images->data, id);
        const struct kl_dataset *dataset = images->data->datasets[place.dataset];
        size_t size = kl_dataset_image_size(dataset);

        images->samples[i] = id;
        images->targets[i] = kl_collection_target(images->data, id);
        kl_dataset_standardise(dataset, dataset->splits[place.split].pixels + place.index * size,
                               images->batch->keys[0] + i * size);
    }
}

static enum kl_status step(void *self, struct kl_training_state *state,
                           struct kl_step_record *record, struct kl_network *gradient,
                           struct kl_error *err)
{
    struct images *images = self;
    struct kl_activations *batch = images->batch;
    const struct kl_network *network = state->network;
    uint32_t n = images->training->batch_size, last = network->shape.n_layers - 1;

    (void)err;
    load_minibatch(images, record->step);
    kl_network_forward(network, n, batch);
    record->loss = kl_cross_entropy(batch->keys[last + 1], n, network->shape.outputs[last],
                                    images->targets, batch->errors[last]);
    kl_network_backward(network, n, batch);
    kl_network_gradient(network, n, batch, gradient);
    record->count = n;
    record->samples = images->samples;
    for (uint32_t l = 0; l <= last; l++) {
        record->keys[l] = batch->keys[l];
        record->errors[l] = batch->errors[l];
    }
    return KL_OK;
}

static enum kl_status evaluate(void *self, const struct kl_network *network, uint32_t dataset,
                               struct kl_evaluation *evaluation, struct kl_error *err)
{
    struct images *images = self;

    (void)err;
    kl_evaluate(network, images->data, dataset, KL_SPLIT_TEST, images->evaluation_batch, evaluation,
                NULL);
    return KL_OK;
}

static enum kl_status predict(void *self, const struct kl_network *network,
                              struct kl_prediction **out, struct kl_error *err)
{
    struct images *images = self;
    struct kl_prediction *predictions = NULL, *next;
    enum kl_status status = kl_alloc(&predictions, kl_collection_size(images->data),
                                     sizeof *predictions, "the predictions", err);

    if (status)
        return status;
    next = predictions;
    for (uint32_t d = 0; d < images->data->n_datasets; d++) {
        for (int s = 0; s < KL_N_SPLITS; s++) {
            struct kl_evaluation evaluation;

            kl_evaluate(network, images->data, d, (enum kl_split)s, images->evaluation_batch,
                        &evaluation, next);
            next += images->data->datasets[d]->splits[s].count;
        }
    }
    *out = predictions;
    return KL_OK;
}

static void end(void *self)
{
    struct images *images = self;

    kl_activations_free(images->evaluation_batch);
    kl_activations_free(images->batch);
    free(images->targets);
    free(images->samples);
    free(images->order.permutation);
    free(images);
}

enum kl_status kl_image_task(const struct kl_training *training, const struct kl_collection *data,
                             struct kl_task *task, struct kl_error *err)
{
    struct images *images = NULL;
    struct kl_network *network = NULL; /* of the right shape, for the batches */
    enum kl_status status = kl_alloc(&images, 1, sizeof *images, "the training", err);

    if (status)
        return status;
    images->training = training;
    images->data = data;
    status = kl_alloc(&images->order.permutation, kl_collection_train_size(data), sizeof(uint32_t),
                      "the order", err);
    if (!status)
        status = kl_alloc(&images->samples, training->batch_size, sizeof(uint32_t), "a batch", err);
    if (!status)
        status = kl_alloc(&images->targets, training->batch_size, sizeof(uint32_t), "a batch", err);
    if (!status)
        status = kl_network_create(&training->shape, &network, err);
    if (!status)
        status = kl_activations_create(network, training->batch_size, &images->batch, err);
    if (!status)
        status = kl_activations_create(network, EVALUATION_BATCH, &images->evaluation_batch, err);
    kl_network_free(network);
    if (status) {
        end(images);
        return status;
    }
    *task = (struct kl_task){images, step, evaluate, predict, end};
    return KL_OK;
}
