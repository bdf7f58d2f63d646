#include "core/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/background.h"
#include "core/memory.h"
#include "core/random.h"
#include "core/sgd.h"

#define EVALUATION_BATCH 500

/* Random streams of a seed: initial weights use the layer's number, passes these. */
#define ORDER_STREAM(phase, epoch) (UINT64_C(1) << 32 | (uint64_t)(phase) << 48 | (epoch))

/* The order of one pass over the training samples of one phase: all of them, or, in a sequential
 * schedule, those of one data set. */
struct order {
    uint32_t *permutation; /* of positions among the phase's samples */
    uint32_t phase, n;     /* n: samples of the phase; 0: none has begun */
    uint64_t epoch, seed;
};

struct loop {
    const struct kl_training *training;
    const struct kl_collection *data;
    struct kl_training_state *state;
    const struct kl_recorder *recorder;
    const struct kl_progress *progress;
    struct order order;
    struct kl_batch *batch, *evaluation_batch;
    struct kl_network *gradient;
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
static uint32_t sample_at(struct loop *loop, uint32_t step, uint32_t i)
{
    const struct kl_training *training = loop->training;
    int sequential = training->data_schedule == KL_DATA_SEQUENTIAL;
    uint32_t phase = sequential ? phase_at(training, step) : 0;
    uint32_t first_step = phase ? training->switches[phase - 1] + 1 : 1;
    uint64_t pattern = (uint64_t)(step - first_step) * training->batch_size + i;
    struct order *order = &loop->order;
    uint32_t n = sequential ? loop->data->datasets[phase]->splits[KL_SPLIT_TRAIN].count
                            : kl_collection_train_size(loop->data);
    struct kl_random random;

    if (order->n == 0 || order->phase != phase || order->epoch != pattern / n) {
        order->phase = phase;
        order->n = n;
        order->epoch = pattern / n;
        kl_random_seed(&random, order->seed, ORDER_STREAM(phase, order->epoch));
        kl_random_permutation(&random, order->permutation, n);
    }
    if (sequential)
        return kl_collection_id(
            loop->data,
            (struct kl_sample_place){phase, KL_SPLIT_TRAIN, order->permutation[pattern % n]});
    return kl_collection_train_id(loop->data, order->permutation[pattern % n]);
}

static void load_minibatch(struct loop *loop, uint32_t step)
{
    for (uint32_t i = 0; i < loop->training->batch_size; i++) {
        uint32_t id = sample_at(loop, step, i);
        struct kl_sample_place place = kl_collection_place(loop->data, id);
        const struct kl_dataset *dataset = loop->data->datasets[place.dataset];
        size_t size = kl_dataset_image_size(dataset);

        loop->samples[i] = id;
        loop->targets[i] = kl_collection_target(loop->data, id);
        kl_dataset_standardise(dataset, dataset->splits[place.split].pixels + place.index * size,
                               loop->batch->keys[0] + i * size);
    }
}

static enum kl_status run_step(struct loop *loop, uint32_t step, double *loss, struct kl_error *err)
{
    const struct kl_training *training = loop->training;
    struct kl_network *network = loop->state->network;
    uint32_t n = training->batch_size, last = network->n_layers - 1;
    struct kl_step_record record = {
        .step = step,
        .count = n,
        .first_pattern = (uint64_t)(step - 1) * n,
        .samples = loop->samples,
        .batch = loop->batch,
        .rule = {kl_training_learning_rate(training, step), training->momentum,
                 training->weight_decay, 1},
    };

    load_minibatch(loop, step);
    kl_network_forward(network, n, loop->batch);
    record.loss = kl_cross_entropy(loop->batch->keys[last + 1], n, network->widths[last + 1],
                                   loop->targets, loop->batch->errors[last]);
    if (!isfinite(record.loss))
        return kl_fail(err, KL_ERR_INPUT,
                       "training diverged at step %u (the loss is no longer a number): use a "
                       "smaller --lr or a --clip",
                       step);
    kl_network_backward(network, n, loop->batch);
    kl_network_gradient(network, n, loop->batch, loop->gradient);
    record.rule.clip_factor = kl_sgd_clip_factor(loop->gradient, training->clip_norm);
    kl_sgd_update(&record.rule, loop->gradient, loop->state->velocity, network);
    loop->state->steps_done = step;
    *loss = record.loss;
    if (!loop->recorder || loop->recorder->step(loop->recorder->self, &record, err))
        return loop->recorder ? err->status : KL_OK;
    return kl_training_is_snapshot(training, step)
               ? loop->recorder->snapshot(loop->recorder->self, step, network, err)
               : KL_OK;
}

static enum kl_status evaluate(struct loop *loop, uint32_t step, struct kl_error *err)
{
    for (uint32_t d = 0; d < loop->data->n_datasets; d++) {
        const struct kl_dataset *dataset = loop->data->datasets[d];
        struct kl_evaluation evaluation;
        enum kl_status status = KL_OK;

        kl_evaluate(loop->state->network, loop->data, d, KL_SPLIT_TEST, loop->evaluation_batch,
                    &evaluation, NULL);
        if (loop->recorder)
            status = loop->recorder->evaluation(loop->recorder->self, step, d, &evaluation, err);
        if (status)
            return status;
        if (loop->progress && loop->progress->evaluation)
            loop->progress->evaluation(loop->progress->self, step, dataset, &evaluation);
    }
    return KL_OK;
}

static enum kl_status finish(struct loop *loop, struct kl_error *err)
{
    struct kl_prediction *predictions = NULL, *next;
    enum kl_status status;

    if (!loop->recorder)
        return KL_OK;
    status = kl_alloc(&predictions, kl_collection_size(loop->data), sizeof *predictions,
                      "the predictions", err);
    if (status)
        return status;
    next = predictions;
    for (uint32_t d = 0; d < loop->data->n_datasets; d++) {
        for (int s = 0; s < KL_N_SPLITS; s++) {
            struct kl_evaluation evaluation;

            kl_evaluate(loop->state->network, loop->data, d, (enum kl_split)s,
                        loop->evaluation_batch, &evaluation, next);
            next += loop->data->datasets[d]->splits[s].count;
        }
    }
    status = loop->recorder->finish(loop->recorder->self, loop->state, predictions, err);
    free(predictions);
    return status;
}

static enum kl_status run(struct loop *loop, struct kl_error *err)
{
    const struct kl_training *training = loop->training;
    struct kl_training_state *state = loop->state;
    enum kl_status status = KL_OK;

    if (state->steps_done == 0)
        status = evaluate(loop, 0, err);
    while (!status && state->steps_done < training->n_steps) {
        uint32_t step = state->steps_done + 1;
        double loss = 0;
        int stop;

        status = run_step(loop, step, &loss, err);
        if (!status && (step % training->evaluation_steps == 0 || step == training->n_steps))
            status = evaluate(loop, step, err);
        stop = !status && loop->progress && loop->progress->step(loop->progress->self, step, loss);
        if (!status && loop->recorder &&
            (step % training->checkpoint_steps == 0 || step == training->n_steps))
            status = loop->recorder->checkpoint(loop->recorder->self, state, err);
        if (!status && stop && step < training->n_steps)
            status = kl_fail(err, KL_ERR_INTERRUPTED,
                             "the training was interrupted; %u of %u steps are kept",
                             step - step % training->checkpoint_steps, training->n_steps);
    }
    return status ? status : finish(loop, err);
}

enum kl_status kl_train(const struct kl_training *training, const struct kl_collection *data,
                        struct kl_training_state *state, const struct kl_recorder *recorder,
                        const struct kl_progress *progress, struct kl_error *err)
{
    struct loop loop = {training, data, state, recorder, progress, {0},
                        NULL,     NULL, NULL,  NULL,     NULL};
    struct kl_background *background = NULL;
    struct kl_recorder background_recorder;
    struct kl_error late; /* of a record that was still waiting when the loop ended */
    enum kl_status status;

    loop.order.seed = training->seed;
    status = kl_alloc(&loop.order.permutation, kl_collection_train_size(data), sizeof(uint32_t),
                      "the order", err);
    if (!status)
        status = kl_alloc(&loop.samples, training->batch_size, sizeof(uint32_t), "a batch", err);
    if (!status)
        status = kl_alloc(&loop.targets, training->batch_size, sizeof(uint32_t), "a batch", err);
    if (!status)
        status = kl_batch_create(state->network, training->batch_size, &loop.batch, err);
    if (!status)
        status = kl_batch_create(state->network, EVALUATION_BATCH, &loop.evaluation_batch, err);
    if (!status)
        status = kl_network_create(training->n_layers, training->widths, &loop.gradient, err);
    if (!status && recorder)
        status = kl_background_start(recorder, training, &background, err);
    if (!status) {
        if (background) {
            background_recorder = kl_background_recorder(background);
            loop.recorder = &background_recorder;
        }
        status = run(&loop, err);
    }
    if (kl_background_stop(background, &late) && (!status || status == KL_ERR_INTERRUPTED)) {
        *err = late;
        status = late.status;
    }
    kl_network_free(loop.gradient);
    kl_batch_free(loop.evaluation_batch);
    kl_batch_free(loop.batch);
    free(loop.targets);
    free(loop.samples);
    free(loop.order.permutation);
    return status;
}

enum kl_status kl_training_start(const struct kl_training *training,
                                 struct kl_training_state *state, struct kl_error *err)
{
    struct kl_training_state fresh = {NULL, NULL, 0};
    enum kl_status status =
        kl_network_create(training->n_layers, training->widths, &fresh.network, err);

    if (!status)
        status = kl_network_create(training->n_layers, training->widths, &fresh.velocity, err);
    if (status) {
        kl_training_state_clear(&fresh);
        return status;
    }
    kl_network_initialise(fresh.network, training->initialisation, training->seed);
    *state = fresh;
    return KL_OK;
}

void kl_training_state_clear(struct kl_training_state *state)
{
    kl_network_free(state->network);
    kl_network_free(state->velocity);
    state->network = state->velocity = NULL;
}
