#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/training/task.h"

/* Random streams of a seed: initial weights use the layer's number, passes these. */
#define ORDER_STREAM(phase, epoch) (UINT64_C(1) << 32 | (uint64_t)(phase) << 48 | (epoch))

/* The order of one pass over the training samples of one phase: all of them, or, in a sequential
 * schedule, those of one data set. */
struct order {
    uint32_t *permutation; /* of positions among the phase's samples */
    uint32_t phase, n;     /* n: samples of the phase; 0: none has begun */
    uint64_t epoch;
};

struct samples {
    const struct kl_training *training;
    const struct kl_collection *data;
    struct order order;
    uint32_t *samples, *targets; /* (batch_size) */
    float *inputs;               /* (batch_size, inputs of the first layer) */
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
static uint32_t sample_at(struct samples *task, uint32_t step, uint32_t i)
{
    const struct kl_training *training = task->training;
    int sequential = training->data_schedule == KL_DATA_SEQUENTIAL;
    uint32_t phase = sequential ? phase_at(training, step) : 0;
    uint32_t first_step = phase ? training->switches[phase - 1] + 1 : 1;
    uint64_t pattern = (uint64_t)(step - first_step) * training->batch_size + i;
    struct order *order = &task->order;
    uint32_t n = sequential ? task->data->datasets[phase]->splits[KL_SPLIT_TRAIN].count
                            : kl_collection_train_size(task->data);
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
            task->data,
            (struct kl_sample_place){phase, KL_SPLIT_TRAIN, order->permutation[pattern % n]});
    return kl_collection_train_id(task->data, order->permutation[pattern % n]);
}

static void load(void *self, uint32_t step, struct kl_minibatch *minibatch,
                 const uint32_t **samples)
{
    struct samples *task = self;
    uint32_t n = task->training->batch_size;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = sample_at(task, step, i);
        struct kl_sample_place place = kl_collection_place(task->data, id);
        const struct kl_dataset *dataset = task->data->datasets[place.dataset];
        size_t size = kl_dataset_image_size(dataset);

        task->samples[i] = id;
        task->targets[i] = kl_collection_target(task->data, id);
        kl_dataset_standardise(dataset, dataset->splits[place.split].pixels + place.index * size,
                               task->inputs + i * size);
    }
    *minibatch = (struct kl_minibatch){
        .step = step, .n = n, .inputs = task->inputs, .targets = task->targets};
    *samples = task->samples;
}

static void end(void *self)
{
    struct samples *task = self;

    free(task->inputs);
    free(task->targets);
    free(task->samples);
    free(task->order.permutation);
    free(task);
}

enum kl_status kl_sample_task(const struct kl_training *training, const struct kl_collection *data,
                              struct kl_task *out, struct kl_error *err)
{
    size_t n = training->batch_size;
    struct samples *task = NULL;
    enum kl_status status = kl_alloc(&task, 1, sizeof *task, "the training", err);

    if (status)
        return status;
    task->training = training;
    task->data = data;
    status = kl_alloc(&task->order.permutation, kl_collection_train_size(data), sizeof(uint32_t),
                      "the order", err);
    if (!status)
        status = kl_alloc(&task->samples, n, sizeof(uint32_t), "a minibatch", err);
    if (!status)
        status = kl_alloc(&task->targets, n, sizeof(uint32_t), "a minibatch", err);
    if (!status)
        status = kl_alloc(&task->inputs, n * training->shape.inputs[0], sizeof(float),
                          "a minibatch", err);
    if (status) {
        end(task);
        return status;
    }
    *out = (struct kl_task){task, load, end};
    return KL_OK;
}
