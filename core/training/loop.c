#include "core/training/loop.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/training/background.h"
#include "core/training/task.h"

struct loop {
    struct kl_pool *pool;
    const struct kl_training *training;
    const struct kl_collection *data;
    struct kl_training_state *state;
    const struct kl_recorder *recorder;
    const struct kl_progress *progress;
    const struct kl_model *model;
    void *trainer; /* the model's */
    struct kl_task task;
    struct kl_network *gradient;
    struct kl_prediction *predictions; /* by sample id: of the test splits, once they are evaluated
                                          at the end; or NULL */
    const uint8_t *without;            /* (samples of the run) 1: it weighs nothing; or NULL, */
    uint8_t *ignored;                  /* and (rows) the same of a minibatch */
};

static enum kl_status run_step(struct loop *loop, uint32_t step, double *loss, struct kl_error *err)
{
    const struct kl_training *training = loop->training;
    struct kl_training_state *state = loop->state;
    struct kl_step_record record = {
        .step = step,
        .first_pattern = (uint64_t)(step - 1) * kl_training_patterns(training),
        .rule = kl_training_rule(training, step),
    };
    struct kl_minibatch minibatch;
    enum kl_status status;

    loop->task.load(loop->task.self, step, &minibatch, &record.samples);
    record.count = minibatch.n;
    for (uint32_t i = 0; loop->without && i < minibatch.n; i++)
        loop->ignored[i] = loop->without[record.samples[i]];
    minibatch.ignored = loop->without ? loop->ignored : NULL;
    status = loop->model->step(loop->trainer, state->network, &minibatch, state->carried,
                               loop->gradient, &record.result, err);
    if (status)
        return status;
    if (!isfinite(record.result.loss))
        return kl_fail(err, KL_ERR_DIVERGED,
                       "training diverged at step %u: the loss is no longer a number", step);
    record.rule.clip_factor = kl_clip_factor(loop->pool, loop->gradient, training->clip_norm);
    if (loop->recorder && loop->recorder->step(loop->recorder->self, &record, err))
        return err->status;
    kl_optimiser_update(loop->pool, kl_training_optimiser(training), &record.rule, step,
                        loop->gradient, state->moments, state->network);
    state->steps_done = step;
    *loss = record.result.loss;
    return loop->recorder && kl_training_is_snapshot(training, step)
               ? loop->recorder->snapshot(loop->recorder->self, step, state->network, err)
               : KL_OK;
}

/* Room for what the network says in the end of every sample of the run, by id. */
static enum kl_status expect_predictions(struct loop *loop, struct kl_error *err)
{
    if (!loop->recorder || !loop->model->has_predictions || loop->predictions)
        return KL_OK;
    return kl_alloc(&loop->predictions, kl_collection_size(loop->data), sizeof *loop->predictions,
                    "the predictions", err);
}

/* Where the predictions of a split begin; NULL: none are wanted. */
static struct kl_prediction *predictions_of(const struct loop *loop, uint32_t dataset, int split)
{
    struct kl_prediction *at = loop->predictions;

    for (uint32_t d = 0; at && d <= dataset; d++)
        for (int s = 0; s < (d < dataset ? KL_N_SPLITS : split); s++)
            at += loop->data->datasets[d]->splits[s].count;
    return at;
}

static enum kl_status evaluate(struct loop *loop, uint32_t step, struct kl_error *err)
{
    enum kl_status status = step == loop->training->n_steps ? expect_predictions(loop, err) : KL_OK;

    for (uint32_t d = 0; !status && d < loop->data->n_datasets; d++) {
        struct kl_evaluation evaluation = {0};

        status =
            loop->model->evaluate(loop->pool, loop->state->network, loop->data, d, KL_SPLIT_TEST,
                                  &evaluation, predictions_of(loop, d, KL_SPLIT_TEST), err);
        if (!status && !isfinite(evaluation.loss))
            status = kl_fail(err, KL_ERR_DIVERGED,
                             "training diverged at step %u: the loss on the test split of %s is "
                             "no longer a number",
                             step, loop->data->datasets[d]->name);
        if (!status && loop->recorder)
            status = loop->recorder->evaluation(loop->recorder->self, step, d, &evaluation, err);
        if (!status && loop->progress && loop->progress->evaluation)
            loop->progress->evaluation(loop->progress->self, step, loop->data->datasets[d],
                                       &evaluation);
    }
    return status;
}

/* The predictions of what is not in the test splits, which evaluate has made. */
static enum kl_status predict(struct loop *loop, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (uint32_t d = 0; !status && d < loop->data->n_datasets; d++) {
        for (int s = 0; !status && s < KL_N_SPLITS; s++) {
            struct kl_evaluation evaluation;

            if (s != KL_SPLIT_TEST)
                status = loop->model->evaluate(loop->pool, loop->state->network, loop->data, d,
                                               (enum kl_split)s, &evaluation,
                                               predictions_of(loop, d, s), err);
        }
    }
    return status;
}

static enum kl_status finish(struct loop *loop, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    if (!loop->recorder)
        return KL_OK;
    if (loop->model->has_predictions)
        status = predict(loop, err);
    return status
               ? status
               : loop->recorder->finish(loop->recorder->self, loop->state, loop->predictions, err);
}

static enum kl_status run(struct loop *loop, struct kl_error *err)
{
    const struct kl_training *training = loop->training;
    struct kl_training_state *state = loop->state;
    enum kl_status status = KL_OK;

    /* Before the first step, and where a training ends that was cut off, or at a checkpoint. */
    if (state->steps_done == 0 ||
        (state->steps_done == training->n_steps && loop->model->has_predictions))
        status = evaluate(loop, state->steps_done, err);
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
        if (!status && stop && step < training->n_steps && !loop->recorder)
            status =
                kl_fail(err, KL_ERR_INTERRUPTED, "the training was interrupted at step %u of %u",
                        step, training->n_steps);
        else if (!status && stop && step < training->n_steps)
            status = kl_fail(err, KL_ERR_INTERRUPTED,
                             "the training was interrupted; %u of %u steps are kept",
                             step - step % training->checkpoint_steps, training->n_steps);
    }
    return status ? status : finish(loop, err);
}

static enum kl_status run_in_worker(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    (void)worker;
    (void)task;
    return run(job, err);
}

static enum kl_status prepare(struct loop *loop, struct kl_error *err)
{
    const struct kl_training *training = loop->training;
    struct kl_layout layout;
    struct kl_trainer_settings settings = {.shape = training->shape,
                                           .streams = training->batch_size,
                                           .unroll = training->unroll,
                                           .pool = loop->pool,
                                           .seed = training->seed,
                                           .dropout = training->dropout};
    enum kl_status status = kl_task_create(training, loop->data, &loop->task, err);

    kl_training_layout(training, &layout);
    settings.records_last = layout.errors[layout.n_layers - 1] > 0;
    settings.entries = layout.entries;
    if (!status)
        status = loop->model->trainer_create(&settings, &loop->trainer, err);
    return status ? status : kl_network_create(&training->shape, &loop->gradient, err);
}

static void end(struct loop *loop)
{
    kl_network_free(loop->gradient);
    free(loop->predictions);
    if (loop->trainer)
        loop->model->trainer_free(loop->trainer);
    if (loop->task.free)
        loop->task.free(loop->task.self);
}

enum kl_status kl_train(struct kl_pool *pool, const struct kl_training *training,
                        const struct kl_collection *data, struct kl_training_state *state,
                        const struct kl_recorder *recorder, const struct kl_progress *progress,
                        struct kl_error *err)
{
    struct loop loop = {.pool = pool,
                        .training = training,
                        .data = data,
                        .state = state,
                        .progress = progress,
                        .model = kl_training_model(training)};
    struct kl_background *background = NULL;
    struct kl_recorder background_recorder;
    struct kl_error late; /* of a record that was still waiting when the loop ended */
    enum kl_status status = prepare(&loop, err);

    if (!status && recorder) {
        status = kl_background_start(pool, recorder, training, &background, err);
        if (!status) {
            background_recorder = kl_background_recorder(background);
            loop.recorder = &background_recorder;
        }
    }
    if (!status)
        status = kl_pool_run(pool, run_in_worker, &loop, 1, err);
    if (kl_background_stop(background, &late) && (!status || status == KL_ERR_INTERRUPTED)) {
        *err = late;
        status = late.status;
    }
    end(&loop);
    return status;
}

enum kl_status kl_retrain(struct kl_pool *pool, const struct kl_training *training,
                          const struct kl_collection *data, const struct kl_network *initial,
                          const uint8_t *without, const struct kl_progress *progress,
                          struct kl_network **network, struct kl_error *err)
{
    struct kl_training again = *training;
    struct kl_training_state state = {0};
    struct loop loop = {.pool = pool,
                        .training = &again,
                        .data = data,
                        .state = &state,
                        .progress = progress,
                        .model = kl_training_model(training),
                        .without = without};
    enum kl_status status;

    if (kl_collection_kind(data) == KL_DATA_DESCRIBED || !loop.model->step)
        return kl_fail(err, KL_ERR_USAGE, "only what keylight trained can be trained again");
    again.evaluation_steps = again.n_steps; /* only at the end */
    status = kl_training_start(&again, &state, err);
    if (!status && initial)
        memcpy(state.network->parameters, initial->parameters,
               initial->n_parameters * sizeof(float));
    if (!status)
        status = kl_alloc(&loop.ignored, kl_training_patterns(training), 1, "a minibatch", err);
    if (!status)
        status = prepare(&loop, err);
    if (!status)
        status = run(&loop, err);
    if (!status) {
        *network = state.network;
        state.network = NULL;
    }
    kl_training_state_clear(&state);
    free(loop.ignored);
    end(&loop);
    return status;
}
