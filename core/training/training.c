#include "core/training/training.h"

#include <math.h>
#include <stdlib.h>

#include "core/models/adam.h"
#include "core/training/background.h"
#include "core/training/task.h"
#include "core/models/lstm.h"
#include "core/base/memory.h"
#include "core/models/sgd.h"

struct loop {
    const struct kl_training *training;
    const struct kl_collection *data;
    struct kl_training_state *state;
    const struct kl_recorder *recorder;
    const struct kl_progress *progress;
    struct kl_task task;
    struct kl_network *gradient;
};

static enum kl_status run_step(struct loop *loop, uint32_t step, double *loss, struct kl_error *err)
{
    const struct kl_training *training = loop->training;
    struct kl_training_state *state = loop->state;
    struct kl_step_record record = {
        .step = step,
        .first_pattern = (uint64_t)(step - 1) * kl_training_patterns(training),
        .rule = {kl_training_learning_rate(training, step), training->momentum,
                 training->weight_decay, 1},
    };
    enum kl_status status = loop->task.step(loop->task.self, state, &record, loop->gradient, err);

    if (status)
        return status;
    if (!isfinite(record.loss))
        return kl_fail(err, KL_ERR_INPUT,
                       "training diverged at step %u (the loss is no longer a number): use a "
                       "smaller --lr or a --clip",
                       step);
    record.rule.clip_factor = kl_sgd_clip_factor(loop->gradient, training->clip_norm);
    if (loop->recorder && loop->recorder->step(loop->recorder->self, &record, err))
        return err->status;
    if (training->optimiser == KL_ADAM)
        kl_adam_update(&record.rule, step, loop->gradient, state->velocity, state->squares,
                       state->network);
    else
        kl_sgd_update(&record.rule, loop->gradient, state->velocity, state->network);
    state->steps_done = step;
    *loss = record.loss;
    return loop->recorder && kl_training_is_snapshot(training, step)
               ? loop->recorder->snapshot(loop->recorder->self, step, state->network, err)
               : KL_OK;
}

static enum kl_status evaluate(struct loop *loop, uint32_t step, struct kl_error *err)
{
    for (uint32_t d = 0; d < loop->data->n_datasets; d++) {
        struct kl_evaluation evaluation = {0};
        enum kl_status status =
            loop->task.evaluate(loop->task.self, loop->state->network, d, &evaluation, err);

        if (!status && loop->recorder)
            status = loop->recorder->evaluation(loop->recorder->self, step, d, &evaluation, err);
        if (status)
            return status;
        if (loop->progress && loop->progress->evaluation)
            loop->progress->evaluation(loop->progress->self, step, loop->data->datasets[d],
                                       &evaluation);
    }
    return KL_OK;
}

static enum kl_status finish(struct loop *loop, struct kl_error *err)
{
    struct kl_prediction *predictions = NULL;
    enum kl_status status;

    if (!loop->recorder)
        return KL_OK;
    status = loop->task.predict(loop->task.self, loop->state->network, &predictions, err);
    if (!status)
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
        stop = !status && loop->progress && loop->progress->step(loop->progress->self, step, loss);
        if (!status && (step % training->evaluation_steps == 0 || step == training->n_steps))
            status = evaluate(loop, step, err);
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
    struct loop loop = {training, data, state, recorder, progress, {0}, NULL};
    struct kl_background *background = NULL;
    struct kl_recorder background_recorder;
    struct kl_error late; /* of a record that was still waiting when the loop ended */
    enum kl_status status = training->shape.architecture == KL_LSTM
                                ? kl_text_task(training, data, &loop.task, err)
                                : kl_image_task(training, data, &loop.task, err);

    if (!status)
        status = kl_network_create(&training->shape, &loop.gradient, err);
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
    if (loop.task.free)
        loop.task.free(loop.task.self);
    return status;
}

enum kl_status kl_training_state_create(const struct kl_training *training,
                                        struct kl_training_state *state, struct kl_error *err)
{
    struct kl_training_state fresh = {0};
    enum kl_status status = kl_network_create(&training->shape, &fresh.network, err);

    if (!status)
        status = kl_network_create(&training->shape, &fresh.velocity, err);
    if (!status && training->optimiser == KL_ADAM)
        status = kl_network_create(&training->shape, &fresh.squares, err);
    if (training->shape.architecture == KL_LSTM)
        fresh.n_carried = kl_lstm_carried_size(&training->shape, training->batch_size);
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

    if (!status && training->shape.architecture == KL_LSTM)
        kl_lstm_initialise(state->network, training->seed);
    else if (!status)
        kl_network_initialise(state->network, training->initialisation, training->seed);
    return status;
}

void kl_training_state_clear(struct kl_training_state *state)
{
    kl_network_free(state->network);
    kl_network_free(state->velocity);
    kl_network_free(state->squares);
    free(state->carried);
    *state = (struct kl_training_state){0};
}
