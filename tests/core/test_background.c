/* Recording in a thread of its own: what arrives is what was given, in its order, however slow the
 * recorder and whatever the giver does with its own memory next. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/training/background.h"
#include "tests/lib/small_run.h"
#include "tests/lib/suite.h"

#define STEPS 60
#define BATCH 10
#define FAILS_AT 17

/* What has arrived. */
struct sink {
    struct kl_layout layout;
    uint32_t next_step, n_evaluations, n_snapshots, n_checkpoints, finished_after, fails_at;
    int is_wrong;
};

/* The i-th of what step's record holds in some place. */
static float number(uint32_t step, unsigned place, size_t i)
{
    return (float)(step * 1000 + place * 100 + i % 97);
}

static enum kl_status take_step(void *self, const struct kl_step_record *record,
                                struct kl_error *err)
{
    struct sink *sink = self;

    usleep(200);
    if (record->step == sink->fails_at)
        return kl_fail(err, KL_ERR_FULL, "the disk is full");
    sink->is_wrong |= record->step != sink->next_step++ || record->count != BATCH ||
                      record->rule.learning_rate != (double)record->step ||
                      record->rule.momentum != 0.5;
    for (uint32_t i = 0; i < BATCH; i++)
        sink->is_wrong |= record->samples[i] != record->step + i;
    for (uint32_t l = 0; l < sink->layout.n_layers; l++) {
        for (size_t i = 0; i < (size_t)BATCH * sink->layout.keys[l]; i++)
            sink->is_wrong |= record->result.keys[l][i] != number(record->step, 2 * l, i);
        for (size_t i = 0; i < (size_t)BATCH * sink->layout.errors[l]; i++)
            sink->is_wrong |= record->result.errors[l][i] != number(record->step, 2 * l + 1, i);
    }
    return KL_OK;
}

static enum kl_status take_evaluation(void *self, uint32_t step, uint32_t dataset,
                                      const struct kl_evaluation *evaluation, struct kl_error *err)
{
    struct sink *sink = self;

    (void)err;
    sink->is_wrong |=
        step + 1 != sink->next_step || dataset != step % 3 || evaluation->loss != (double)step;
    sink->n_evaluations++;
    return KL_OK;
}

static enum kl_status take_snapshot(void *self, uint32_t step, const struct kl_network *network,
                                    struct kl_error *err)
{
    struct sink *sink = self;

    (void)err;
    sink->is_wrong |= step + 1 != sink->next_step || network->parameters[3] != (float)step;
    sink->n_snapshots++;
    return KL_OK;
}

static enum kl_status take_checkpoint(void *self, const struct kl_training_state *state,
                                      struct kl_error *err)
{
    struct sink *sink = self;

    (void)err;
    sink->is_wrong |= state->steps_done + 1 != sink->next_step ||
                      state->network->parameters[3] != (float)state->steps_done ||
                      state->moments[0]->parameters[5] != (float)state->steps_done;
    sink->n_checkpoints++;
    return KL_OK;
}

static enum kl_status take_finish(void *self, const struct kl_training_state *state,
                                  const struct kl_prediction *predictions, struct kl_error *err)
{
    struct sink *sink = self;

    (void)state;
    (void)err;
    sink->is_wrong |= predictions != NULL;
    sink->finished_after = sink->next_step - 1;
    return KL_OK;
}

/* The giver's side: a record of room that is used again for every step. */
struct giver {
    struct small_run run;
    struct kl_layout layout;
    uint32_t samples[BATCH];
    float *keys[KL_LAYERS_MAX], *errors[KL_LAYERS_MAX];
};

static void giver_create(struct giver *giver)
{
    memset(giver, 0, sizeof *giver);
    small_run_create(&giver->run, KL_F32);
    kl_training_layout(&giver->run.training, &giver->layout);
    for (uint32_t l = 0; l < giver->layout.n_layers; l++) {
        giver->keys[l] = calloc((size_t)BATCH * giver->layout.keys[l] + 1, sizeof(float));
        giver->errors[l] = calloc((size_t)BATCH * giver->layout.errors[l] + 1, sizeof(float));
    }
}

static void giver_clear(struct giver *giver)
{
    for (uint32_t l = 0; l < giver->layout.n_layers; l++) {
        free(giver->keys[l]);
        free(giver->errors[l]);
    }
    small_run_clear(&giver->run);
}

/* Gives a step's record, and whatever else is due after it, then spoils all of it. */
static enum kl_status give(struct giver *giver, const struct kl_recorder *recorder, uint32_t step,
                           struct kl_error *err)
{
    struct kl_training_state *state = &giver->run.state;
    struct kl_step_record record = {.step = step, .count = BATCH, .samples = giver->samples};
    struct kl_evaluation evaluation = {.loss = step};
    enum kl_status status;

    for (uint32_t i = 0; i < BATCH; i++)
        giver->samples[i] = step + i;
    for (uint32_t l = 0; l < giver->layout.n_layers; l++) {
        for (size_t i = 0; i < (size_t)BATCH * giver->layout.keys[l]; i++)
            giver->keys[l][i] = number(step, 2 * l, i);
        for (size_t i = 0; i < (size_t)BATCH * giver->layout.errors[l]; i++)
            giver->errors[l][i] = number(step, 2 * l + 1, i);
        record.result.keys[l] = giver->keys[l];
        record.result.errors[l] = giver->errors[l];
    }
    record.rule = (struct kl_step_rule){
        .learning_rate = step, .momentum = 0.5, .weight_decay = 0.25, .clip_factor = 1};
    state->steps_done = step;
    state->network->parameters[3] = state->moments[0]->parameters[5] = (float)step;
    status = recorder->step(recorder->self, &record, err);
    if (!status && step % 3 == 0)
        status = recorder->evaluation(recorder->self, step, step % 3, &evaluation, err);
    if (!status && step % 5 == 0)
        status = recorder->snapshot(recorder->self, step, state->network, err);
    if (!status && step % 4 == 0)
        status = recorder->checkpoint(recorder->self, state, err);
    memset(giver->samples, 0xff, sizeof giver->samples);
    for (uint32_t l = 0; l < giver->layout.n_layers; l++) {
        memset(giver->keys[l], 0xff, (size_t)BATCH * giver->layout.keys[l] * sizeof(float));
        memset(giver->errors[l], 0xff, (size_t)BATCH * giver->layout.errors[l] * sizeof(float));
    }
    memset(&record.rule, 0xff, sizeof record.rule);
    state->network->parameters[3] = state->moments[0]->parameters[5] = -1;
    return status;
}

static struct kl_recorder recorder_of(struct sink *sink)
{
    return (struct kl_recorder){sink,          take_step,       take_evaluation,
                                take_snapshot, take_checkpoint, take_finish};
}

struct gift {
    struct giver *giver;
    const struct kl_recorder *recorder;
};

/* Gives all steps: as a task, too, as a training does. */
static enum kl_status give_all(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct gift *gift = job;
    enum kl_status status = KL_OK;

    (void)worker;
    (void)task;
    for (uint32_t step = 1; !status && step <= STEPS; step++)
        status = give(gift->giver, gift->recorder, step, err);
    return status
               ? status
               : gift->recorder->finish(gift->recorder->self, &gift->giver->run.state, NULL, err);
}

static void check_all_arrives(struct kl_pool *pool)
{
    struct giver giver;
    struct sink sink = {.next_step = 1};
    struct kl_recorder inner = recorder_of(&sink), recorder;
    struct gift gift = {&giver, &recorder};
    struct kl_background *background = NULL;
    struct kl_error err;

    giver_create(&giver);
    sink.layout = giver.layout;
    ck_ok(kl_background_start(pool, &inner, &giver.run.training, &background, &err), err);
    recorder = kl_background_recorder(background);
    if (pool)
        ck_ok(kl_pool_run(pool, give_all, &gift, 1, &err), err);
    else
        ck_ok(give_all(&gift, 0, 0, &err), err);
    ck_assert_uint_eq(sink.finished_after, STEPS);
    ck_ok(kl_background_stop(background, &err), err);
    ck_assert(!sink.is_wrong);
    ck_assert_uint_eq(sink.n_evaluations, STEPS / 3);
    ck_assert_uint_eq(sink.n_snapshots, STEPS / 5);
    ck_assert_uint_eq(sink.n_checkpoints, STEPS / 4);
    giver_clear(&giver);
}

/* Without a pool, over workers, and where the only worker may be who gives. */
START_TEST(everything_arrives_whole_and_in_order)
{
    struct kl_pool *pool = NULL;
    struct kl_error err;

    check_all_arrives(NULL);
    for (unsigned n_workers = 1; n_workers <= 2; n_workers++) {
        ck_ok(kl_pool_create(n_workers, &pool, &err), err);
        check_all_arrives(pool);
        kl_pool_free(pool);
    }
}
END_TEST

START_TEST(stopping_waits_for_what_was_given)
{
    struct giver giver;
    struct sink sink = {.next_step = 1};
    struct kl_recorder inner = recorder_of(&sink), recorder;
    struct kl_background *background = NULL;
    struct kl_error err;

    giver_create(&giver);
    sink.layout = giver.layout;
    ck_ok(kl_background_start(NULL, &inner, &giver.run.training, &background, &err), err);
    recorder = kl_background_recorder(background);
    for (uint32_t step = 1; step <= 6; step++)
        ck_ok(give(&giver, &recorder, step, &err), err);
    ck_ok(kl_background_stop(background, &err), err);
    ck_assert_uint_eq(sink.next_step, 7);
    ck_assert(!sink.is_wrong);
    ck_ok(kl_background_stop(NULL, &err), err);
    giver_clear(&giver);
}
END_TEST

/* The giver hears of it at a later call, in the recorder's words, and nothing is handed on after:
 * what comes behind a gap is no history. */
static void check_failure(struct kl_pool *pool)
{
    struct giver giver;
    struct sink sink = {.next_step = 1, .fails_at = FAILS_AT};
    struct kl_recorder inner = recorder_of(&sink), recorder;
    struct kl_background *background = NULL;
    struct kl_error err = {0};
    uint32_t step = 1;

    giver_create(&giver);
    sink.layout = giver.layout;
    ck_ok(kl_background_start(pool, &inner, &giver.run.training, &background, &err), err);
    recorder = kl_background_recorder(background);
    while (step <= STEPS && !give(&giver, &recorder, step, &err))
        step++;
    ck_assert_uint_gt(step, FAILS_AT - 1);
    ck_assert_uint_le(step, FAILS_AT + 9); /* eight wait, one is being recorded */
    ck_assert_int_eq(err.status, KL_ERR_FULL);
    ck_assert_str_eq(err.message, "the disk is full");
    ck_assert_int_eq(recorder.finish(recorder.self, &giver.run.state, NULL, &err), KL_ERR_FULL);
    ck_assert_uint_eq(sink.finished_after, 0);
    ck_assert_int_eq(kl_background_stop(background, &err), KL_ERR_FULL);
    ck_assert_uint_eq(sink.next_step, FAILS_AT);
    ck_assert(!sink.is_wrong);
    giver_clear(&giver);
}

START_TEST(a_failure_is_reported_and_nothing_follows_it)
{
    struct kl_pool *pool = NULL;
    struct kl_error err;

    check_failure(NULL);
    ck_ok(kl_pool_create(2, &pool, &err), err);
    check_failure(pool);
    kl_pool_free(pool);
}
END_TEST

MAIN("background", everything_arrives_whole_and_in_order, stopping_waits_for_what_was_given,
     a_failure_is_reported_and_nothing_follows_it)
