#include "db/writer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/training/loop.h"
#include "db/file/database.h"
#include "db/file/committed.h"
#include "db/file/draft.h"
#include "db/tables/images.h"
#include "db/tables/layers.h"
#include "db/tables/tensors.h"
#include "db/tables/patterns.h"
#include "db/file/create.h"
#include "db/file/rows.h"
#include "db/file/unfinished.h"
#include "db/run.h"
#include "db/file/run_row.h"
#include "db/tables/datasets.h"
#include "db/tables/settings.h"

/* The file is ours alone. A rollback journal suits what only grows: new pages are written once,
 * into the file itself, and the journal holds but the few old ones that change; the write-ahead log
 * would have all of them written twice. */
#define LOCKED "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE; "

#define POSTPONED "postponed_checkpoint"
#define POSTPONED_MAX_MS 60e3 /* a copy of some ten gigabytes */

/* What the optimiser keeps of every parameter is called in the file. */
static const char *const moment_states[KL_MOMENTS_MAX] = {"first_moment", "second_moment"};

struct kl_writer {
    sqlite3 *db;
    struct kl_draft *draft;
    int replaces; /* what stands at the target, if anything does */
    struct kl_training training;
    struct kl_patterns *patterns;
    uint32_t steps_kept; /* by the last checkpoint */
    /* The checkpoint that waits because somebody copies the file: its steps, and since when. */
    uint32_t steps_postponed;
    double postponed_ms;
    sqlite3_stmt *insert_step, *insert_rule, *insert_curve;
};

static enum kl_status prepare_statements(struct kl_writer *writer, struct kl_error *err)
{
    enum kl_status status = kl_rows_insert(writer->db, "step", 0, &writer->insert_step, err);

    if (!status)
        status = kl_rows_insert(writer->db, "rule", 0, &writer->insert_rule, err);
    return status ? status : kl_rows_insert(writer->db, "curve", 1, &writer->insert_curve, err);
}

static enum kl_status record_step(void *self, const struct kl_step_record *record,
                                  struct kl_error *err)
{
    struct kl_writer *writer = self;
    sqlite3_stmt *step = writer->insert_step, *rule = writer->insert_rule;
    enum kl_status status;

    sqlite3_bind_int64(step, 1, record->step);
    sqlite3_bind_int64(step, 2, (sqlite3_int64)record->first_pattern);
    sqlite3_bind_int64(step, 3, record->count);
    sqlite3_bind_double(step, 4, record->result.loss);
    sqlite3_bind_int64(rule, 1, record->step);
    sqlite3_bind_int64(rule, 2, 0); /* the only group of parameters */
    sqlite3_bind_double(rule, 3, record->rule.learning_rate);
    sqlite3_bind_double(rule, 4, record->rule.momentum);
    sqlite3_bind_double(rule, 5, record->rule.weight_decay);
    sqlite3_bind_double(rule, 6, record->rule.clip_factor);
    status = kl_db_run(step, err);
    if (!status)
        status = kl_db_run(rule, err);
    return status ? status : kl_patterns_add(writer->patterns, record, err);
}

static enum kl_status record_evaluation(void *self, uint32_t step, uint32_t dataset,
                                        const struct kl_evaluation *evaluation,
                                        struct kl_error *err)
{
    sqlite3_stmt *insert = ((struct kl_writer *)self)->insert_curve;

    sqlite3_bind_int64(insert, 1, step);
    sqlite3_bind_int64(insert, 2, dataset);
    sqlite3_bind_double(insert, 3, evaluation->accuracy);
    sqlite3_bind_double(insert, 4, evaluation->loss);
    return kl_db_run(insert, err);
}

static enum kl_status record_snapshot(void *self, uint32_t step, const struct kl_network *network,
                                      struct kl_error *err)
{
    return kl_tensors_write(((struct kl_writer *)self)->db, "snapshot", step, network, err);
}

static enum kl_status write_state(struct kl_writer *writer, const struct kl_training_state *state,
                                  struct kl_error *err)
{
    char sql[80];
    enum kl_status status = kl_tensors_write(writer->db, "current", 0, state->network, err);

    for (uint32_t i = 0; !status && i < KL_MOMENTS_MAX && state->moments[i]; i++)
        status = kl_tensors_write(writer->db, moment_states[i], 0, state->moments[i], err);
    if (!status && state->carried)
        status = kl_carried_write(writer->db, state->carried, state->n_carried, err);
    snprintf(sql, sizeof sql, "UPDATE run SET steps_done = %u", state->steps_done);
    if (!status)
        status = kl_db_exec(writer->db, sql, err);
    return status ? status : kl_rows_sign(writer->db, "run", "id = 1", err);
}

/* Whoever copies the file, to look at it as it is, is not disturbed, and the training does not
 * wait: the checkpoint is a savepoint first. */
static enum kl_status postpone(struct kl_writer *writer, uint32_t steps, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    if (writer->steps_postponed)
        status = kl_db_exec(writer->db, "RELEASE " POSTPONED, err);
    else
        writer->postponed_ms = kl_now_ms();
    if (!status)
        status = kl_db_exec(writer->db, "SAVEPOINT " POSTPONED, err);
    if (!status)
        writer->steps_postponed = steps;
    return status;
}

static enum kl_status checkpoint(void *self, const struct kl_training_state *state,
                                 struct kl_error *err)
{
    struct kl_writer *writer = self;
    enum kl_status status = kl_patterns_flush(writer->patterns, err);

    if (!status)
        status = write_state(writer, state, err);
    if (status)
        return status;
    if (kl_committed_is_wanted(kl_draft_file(writer->draft)) &&
        (!writer->steps_postponed || kl_now_ms() - writer->postponed_ms < POSTPONED_MAX_MS))
        return postpone(writer, state->steps_done, err);
    status = kl_db_exec(writer->db, "COMMIT; BEGIN IMMEDIATE", err);
    if (status)
        return status;
    writer->steps_kept = state->steps_done;
    writer->steps_postponed = 0;
    return KL_OK;
}

static enum kl_status write_predictions(struct kl_writer *writer,
                                        const struct kl_prediction *predictions,
                                        struct kl_error *err)
{
    sqlite3_stmt *update = NULL;
    sqlite3_int64 n_samples = 0;
    enum kl_status status =
        kl_db_integer(writer->db, "SELECT count(rowid) FROM sample", &n_samples, err);

    if (!status)
        status = kl_db_prepare(
            writer->db, "UPDATE sample SET predicted = ?2, probability = ?3 WHERE sample = ?1",
            &update, err);
    for (sqlite3_int64 id = 0; !status && id < n_samples; id++) {
        sqlite3_bind_int64(update, 1, id);
        sqlite3_bind_int64(update, 2, predictions[id].predicted);
        sqlite3_bind_double(update, 3, predictions[id].probability);
        status = kl_db_run(update, err);
    }
    sqlite3_finalize(update);
    return status ? status : kl_rows_sign(writer->db, "sample", "1", err);
}

static void close_file(struct kl_writer *writer)
{
    kl_patterns_free(writer->patterns);
    sqlite3_finalize(writer->insert_step);
    sqlite3_finalize(writer->insert_rule);
    sqlite3_finalize(writer->insert_curve);
    sqlite3_close(writer->db); /* rolls back what no checkpoint has committed */
    writer->patterns = NULL;
    writer->insert_step = writer->insert_rule = writer->insert_curve = NULL;
    writer->db = NULL;
}

/* What is committed is read from the mapped file: the fingerprint is of numbers that stand behind
 * the chunks' data, which nobody copies there. */
static enum kl_status sign(struct kl_writer *writer, struct kl_error *err)
{
    sqlite3 *reader = NULL;
    enum kl_status status =
        kl_db_open(sqlite3_db_filename(writer->db, "main"), KL_OPEN_IMMUTABLE, &reader, err);

    if (!status)
        status = kl_run_row_finish(writer->db, reader, err);
    sqlite3_close(reader);
    return status;
}

/* The journal is gone before the file is called finished: a reader of a finished run opens the file
 * alone. */
static enum kl_status finish(void *self, const struct kl_training_state *state,
                             const struct kl_prediction *predictions, struct kl_error *err)
{
    struct kl_writer *writer = self;
    enum kl_status status = predictions ? write_predictions(writer, predictions, err) : KL_OK;

    (void)state; /* the last checkpoint has it */
    if (!status)
        status = kl_tensors_end(writer->db, err);
    if (!status)
        status = kl_db_exec(writer->db, "COMMIT", err);
    if (!status)
        status = kl_db_exec(writer->db, "PRAGMA journal_mode = DELETE", err);
    if (!status)
        status = sign(writer, err);
    if (status)
        return status;
    close_file(writer);
    return writer->draft ? kl_draft_publish(writer->draft, 0, writer->replaces, err) : KL_OK;
}

struct kl_recorder kl_writer_recorder(struct kl_writer *writer)
{
    return (struct kl_recorder){writer,          record_step, record_evaluation,
                                record_snapshot, checkpoint,  finish};
}

static enum kl_status write_start(struct kl_writer *writer, const struct kl_collection *data,
                                  const struct kl_training_state *state, struct kl_error *err)
{
    enum kl_status status = kl_db_exec(writer->db, LOCKED, err);

    if (!status)
        status = kl_db_create(writer->db, err);
    if (!status)
        status = kl_run_row_begin(writer->db, err);
    if (!status)
        status = kl_settings_write(writer->db, &writer->training, err);
    if (!status)
        status = kl_datasets_write(writer->db, data, err);
    if (!status)
        status = kl_images_write(writer->db, data, err);
    if (!status)
        status = kl_tensors_write(writer->db, "initial", 0, state->network, err);
    if (!status)
        status = write_state(writer, state, err);
    return status ? status : kl_db_exec(writer->db, "COMMIT; BEGIN IMMEDIATE", err);
}

enum kl_status kl_writer_create(const char *path, int replaces, const struct kl_training *training,
                                const struct kl_collection *data,
                                const struct kl_training_state *state, struct kl_writer **out,
                                struct kl_error *err)
{
    struct kl_writer *writer = NULL;
    enum kl_status status = kl_draft_check_target(path, replaces, err);

    if (!status)
        status = kl_alloc(&writer, 1, sizeof *writer, "the history", err);
    if (status)
        return status;
    writer->training = *training;
    writer->replaces = replaces;
    status = kl_draft_begin(path, KL_PART, replaces ? KL_LEFTOVER_REPLACED : KL_LEFTOVER_KEPT,
                            &writer->draft, err);
    if (status) {
        kl_writer_close(writer);
        return status;
    }
    status = kl_db_open(kl_draft_name(writer->draft), KL_OPEN_WRITE, &writer->db, err);
    if (!status)
        status = write_start(writer, data, state, err);
    if (!status)
        status = prepare_statements(writer, err);
    if (!status)
        status = kl_patterns_create(writer->db, training, 0, &writer->patterns, err);
    if (status) {
        kl_writer_drop(writer);
        return status;
    }
    *out = writer;
    return KL_OK;
}

/* Settings, data and how far the training came. */
static enum kl_status read_start(struct kl_writer *writer, struct kl_collection *data,
                                 uint32_t *steps_done, struct kl_error *err)
{
    struct kl_other_setting *others = NULL;
    struct kl_layer_facts *facts = NULL;
    uint32_t n_others;
    int is_recorded = 0;
    enum kl_status status = kl_rows_check_small(writer->db, err);

    if (!status)
        status = kl_settings_read(writer->db, &writer->training, &others, &n_others, err);
    for (uint32_t i = 0; !status && i < n_others; i++)
        is_recorded |= !strcmp(others[i].key, "framework");
    free(others); /* they stay in the file */
    if (!status)
        status = kl_datasets_read(writer->db, kl_training_model(&writer->training),
                                  (enum kl_heads)writer->training.heads, data, err);
    if (!status)
        status = kl_layers_read(writer->db, data, &writer->training, &facts, err);
    if (!status && (facts || is_recorded))
        status =
            kl_fail(err, KL_ERR_USAGE, "%s was recorded by another program: go on with it there",
                    sqlite3_db_filename(writer->db, "main"));
    free(facts);
    return status ? status : kl_run_row_read(writer->db, writer->training.n_steps, steps_done, err);
}

/* What is to be gone on with: the target's draft, or, of an earlier keylight, what stands at the
 * target itself. */
static enum kl_status take_draft(struct kl_writer *writer, const char *path, struct kl_error *err)
{
    struct stat info;
    enum kl_status status = kl_draft_take(path, KL_PART, &writer->draft, err);

    if (status == KL_ERR_NOT_FOUND)
        return kl_draft_take(path, "", &writer->draft, err);
    if (!status && !writer->replaces && !stat(path, &info))
        status = kl_fail(err, KL_ERR_EXISTS,
                         "%s exists, and the training that is to go on, in %s, would replace it: "
                         "move it away, or say that it may be replaced (force)",
                         path, kl_draft_name(writer->draft));
    return status;
}

/* A run that is finished is given its name, if it was cut off before it had it. */
static enum kl_status end_finished(struct kl_writer *writer, struct kl_error *err)
{
    const char *name = kl_draft_name(writer->draft), *target = kl_draft_target(writer->draft);
    enum kl_status status = KL_OK;

    close_file(writer);
    if (strcmp(name, target) != 0)
        status = kl_draft_publish(writer->draft, 0, writer->replaces, err);
    return status
               ? status
               : kl_fail(err, KL_ERR_EXISTS, "%s is finished: there is nothing to resume", target);
}

/* Everything to go on with, from an open database. On failure nothing is left in *data, *state. */
static enum kl_status read_unfinished(struct kl_writer *writer, struct kl_collection *data,
                                      struct kl_training_state *state, struct kl_error *err)
{
    struct kl_training_state resumed = {0};
    struct kl_collection read = {0};
    uint32_t steps_done = 0;
    enum kl_status status = read_start(writer, &read, &steps_done, err);

    if (!status)
        status = kl_images_read(writer->db, &read, err);
    if (!status)
        status = kl_training_state_create(&writer->training, &resumed, err);
    if (!status)
        status = kl_tensors_read(writer->db, "current", 0, resumed.network, err);
    if (!status && steps_done < writer->training.n_steps) {
        for (uint32_t i = 0; !status && i < KL_MOMENTS_MAX && resumed.moments[i]; i++)
            status = kl_tensors_read(writer->db, moment_states[i], 0, resumed.moments[i], err);
        if (!status && resumed.carried)
            status = kl_carried_read(writer->db, resumed.carried, resumed.n_carried, err);
    }
    kl_db_trust(writer->db);
    if (status) {
        kl_training_state_clear(&resumed);
        kl_collection_clear(&read);
        return status;
    }
    writer->steps_kept = resumed.steps_done = steps_done;
    *data = read;
    *state = resumed;
    return KL_OK;
}

enum kl_status kl_writer_resume(const char *path, int replaces, struct kl_writer **out,
                                struct kl_training *training, struct kl_collection *data,
                                struct kl_training_state *state, struct kl_error *err)
{
    struct kl_writer *writer = NULL;
    sqlite3_int64 finished = 0;
    enum kl_status status = kl_alloc(&writer, 1, sizeof *writer, "the history", err);

    if (status)
        return status;
    writer->replaces = replaces;
    status = take_draft(writer, path, err);
    if (!status)
        status = kl_unfinished_open(kl_draft_name(writer->draft), &writer->db, &finished, err);
    if (!status && !finished)
        status = kl_db_exec(writer->db, LOCKED "BEGIN IMMEDIATE", err);
    if (!status && finished)
        status = end_finished(writer, err);
    if (!status)
        status = read_unfinished(writer, data, state, err);
    if (status) {
        kl_writer_close(writer);
        return status;
    }
    status =
        kl_patterns_create(writer->db, &writer->training,
                           (uint64_t)writer->steps_kept * kl_training_patterns(&writer->training),
                           &writer->patterns, err);
    if (!status)
        status = prepare_statements(writer, err);
    if (status) {
        kl_training_state_clear(state);
        kl_collection_clear(data);
        kl_writer_close(writer);
        return status;
    }
    *training = writer->training;
    *out = writer;
    return KL_OK;
}

/* The last weights are those that the run has, and no snapshot. */
static enum kl_status drop_last_snapshot(sqlite3 *db, uint32_t step, struct kl_error *err)
{
    char sql[100];

    snprintf(sql, sizeof sql, "DELETE FROM tensor WHERE state = 'snapshot' AND step = %u", step);
    return kl_db_exec(db, sql, err);
}

enum kl_status kl_writer_complete(const char *path, struct kl_error *err)
{
    struct kl_writer writer = {0};
    struct kl_recorder recorder = kl_writer_recorder(&writer);
    struct kl_collection data = {0};
    struct kl_training_state state = {0};
    enum kl_status status = kl_db_open(path, KL_OPEN_WRITE, &writer.db, err);

    if (!status)
        kl_db_distrust(writer.db);
    if (!status)
        status = kl_db_exec(writer.db,
                            "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;"
                            "BEGIN IMMEDIATE",
                            err);
    if (!status)
        status = read_unfinished(&writer, &data, &state, err);
    if (!status && state.steps_done == 0)
        status = kl_fail(err, KL_ERR_UNFINISHED, "it has no checkpoint yet");
    if (!status)
        status = drop_last_snapshot(writer.db, state.steps_done, err);
    if (!status)
        status = prepare_statements(&writer, err);
    if (!status) {
        writer.training.n_steps = state.steps_done; /* so that all that is left is to finish */
        status = kl_train(NULL, &writer.training, &data, &state, &recorder, NULL, err);
    }
    close_file(&writer);
    kl_training_state_clear(&state);
    kl_collection_clear(&data);
    return status;
}

uint32_t kl_writer_settle(struct kl_writer *writer)
{
    struct kl_error ignored; /* what was kept before still is */

    if (writer->db && writer->steps_postponed &&
        !kl_db_exec(writer->db, "ROLLBACK TO " POSTPONED "; COMMIT", &ignored))
        writer->steps_kept = writer->steps_postponed;
    writer->steps_postponed = 0;
    return writer->steps_kept;
}

void kl_writer_close(struct kl_writer *writer)
{
    if (!writer)
        return;
    (void)kl_writer_settle(writer);
    close_file(writer);
    kl_draft_free(writer->draft);
    free(writer);
}

void kl_writer_drop(struct kl_writer *writer)
{
    close_file(writer);
    kl_draft_remove(writer->draft);
    kl_writer_close(writer);
}
