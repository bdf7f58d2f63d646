/* The history file: what is written is read, the dual form holds, damage is found, a cut-off
 * training goes on as if nothing had happened. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/explain/verify/layers.h"
#include "db/check.h"
#include "db/run.h"
#include "db/samples.h"
#include "db/follow.h"
#include "db/writer.h"
#include "tests/lib/run_file.h"
#include "core/training/loop.h"
#include "tests/lib/suite.h"

START_TEST(the_dual_form_of_every_layer_is_the_stored_network)
{
    const double bounds[] = {2e-3, 1e-4};

    for (int i = 0; i < 2; i++) {
        struct opened opened;
        struct kl_layer_check check;
        struct kl_error err;

        write_run(i ? KL_F32 : KL_F16);
        opened = open_run();
        ck_ok(kl_check_run(opened.pool, opened.run, &err), err);
        for (uint32_t l = 0; l < 3; l++) {
            ck_ok(kl_layer_check(opened.pool, &opened.run->history, l, &check, &err), err);
            ck_assert_double_lt(check.weight_distance, bounds[i]);
            ck_assert_double_lt(check.output_distance, 20 * bounds[i]);
            ck_assert_double_gt(check.weight_distance, 0);
            ck_assert_uint_eq(check.non_finite, 0);
        }
        close_run(&opened);
    }
}
END_TEST

START_TEST(a_changed_history_breaks_the_dual_form)
{
    struct opened opened;
    struct kl_layer_check check;
    struct kl_error err;

    write_run(KL_F32);
    execute("UPDATE rule SET learning_rate = learning_rate * 1.1 WHERE step = 20");
    opened = open_run();
    ck_ok(kl_layer_check(opened.pool, &opened.run->history, 1, &check, &err), err);
    ck_assert_double_gt(check.weight_distance, 1e-4);
    close_run(&opened);
}
END_TEST

START_TEST(what_was_trained_is_what_is_read)
{
    struct small_run small;
    struct opened opened;
    struct kl_error err;
    uint8_t pixels[12];

    small_run_create(&small, KL_F32);
    small_run_write(&small, fresh_path(), 0);
    opened = open_run();
    ck_assert_mem_eq(opened.run->final->parameters, small.state.network->parameters,
                     small.state.network->n_parameters * sizeof(float));
    ck_assert_str_eq(opened.run->training.name, "small");
    ck_assert_str_eq(opened.run->data.datasets[0]->class_names[1], "class \"1\"");
    ck_assert_uint_eq(opened.run->history.n_patterns, 400);
    ck_assert_uint_eq(opened.run->n_curve, 7); /* steps 0, 7, .. 35 and 40 */
    ck_assert_uint_eq(opened.run->curve[6].step, 40);
    for (uint32_t id = 0; id < 30; id++) {
        const struct kl_image_set *set =
            &small.data.datasets[0]->splits[id >= 24 ? KL_SPLIT_TEST : KL_SPLIT_TRAIN];

        ck_ok(kl_run_image(opened.run, id, pixels, &err), err);
        ck_assert_mem_eq(pixels, set->pixels + (id >= 24 ? id - 24 : id) * 12, 12);
    }
    ck_assert_int_eq(kl_run_image(opened.run, 30, pixels, &err), KL_ERR_NOT_FOUND);
    close_run(&opened);
    small_run_clear(&small);
}
END_TEST

START_TEST(every_pass_over_the_data_shows_every_sample_once)
{
    struct opened opened;

    write_run(KL_F16);
    opened = open_run();
    for (uint32_t pass = 0; pass < 16; pass++) { /* 400 patterns are 16 whole passes of 24 */
        uint32_t seen[24] = {0};

        for (uint32_t i = 0; i < 24; i++)
            seen[opened.run->history.samples[pass * 24 + i]]++;
        for (int i = 0; i < 24; i++)
            ck_assert_uint_eq(seen[i], 1);
    }
    close_run(&opened);
}
END_TEST

/* All tables that training fills, as one text. */
static void dump(char *out, size_t n_bytes)
{
    static const char *const queries[] = {
        "SELECT name, role, state, step, shape, hex(data) FROM tensor ORDER BY checksum",
        "SELECT * FROM setting ORDER BY key",
        "SELECT * FROM rule ORDER BY step",
        "SELECT * FROM step ORDER BY step",
        "SELECT first, count, hex(data) FROM showing_chunk ORDER BY first",
        "SELECT layer, first, count, hex(data) FROM key_chunk ORDER BY layer, first",
        "SELECT layer, first, count, exponent, hex(data) FROM error_chunk ORDER BY layer, first",
        "SELECT step, dataset, accuracy, loss FROM curve ORDER BY step",
        "SELECT * FROM sample ORDER BY sample",
        "SELECT fingerprint, finished FROM run"};
    sqlite3 *db = NULL;
    size_t used = 0;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    for (size_t q = 0; q < sizeof queries / sizeof queries[0]; q++) {
        sqlite3_stmt *statement = NULL;

        ck_assert_int_eq(sqlite3_prepare_v2(db, queries[q], -1, &statement, NULL), SQLITE_OK);
        while (sqlite3_step(statement) == SQLITE_ROW)
            for (int c = 0; c < sqlite3_column_count(statement); c++)
                used += (size_t)snprintf(out + used, n_bytes - used, "%s|",
                                         (const char *)sqlite3_column_text(statement, c));
        sqlite3_finalize(statement);
    }
    ck_assert_uint_lt(used, n_bytes);
    sqlite3_close(db);
}

START_TEST(a_resumed_training_ends_as_if_it_had_never_stopped)
{
    enum { ROOM = 1 << 20 };
    char *whole = malloc(ROOM), *resumed = malloc(ROOM);
    struct small_run small, empty;
    struct kl_writer *writer = NULL;
    struct kl_recorder recorder;
    struct kl_error err;

    write_run(KL_F16);
    dump(whole, ROOM);
    small_run_create(&small, KL_F16);
    small_run_write(&small, fresh_path(), 16); /* between checkpoints */
    small_run_clear(&small);
    ck_ok(kl_writer_resume(path, 0, &writer, &empty.training, &empty.data, &empty.state, &err),
          err);
    ck_assert_uint_eq(empty.state.steps_done, 12);
    recorder = kl_writer_recorder(writer);
    ck_ok(kl_train(NULL, &empty.training, &empty.data, &empty.state, &recorder, NULL, &err), err);
    kl_writer_close(writer);
    dump(resumed, ROOM);
    ck_assert_str_eq(whole, resumed);
    small_run_clear(&empty);
    free(whole);
    free(resumed);
    remove_path();
}
END_TEST

START_TEST(an_unfinished_run_is_told_apart_and_a_finished_one_not_resumed)
{
    struct small_run small, other;
    struct kl_writer *writer = NULL;
    struct kl_run *run = NULL;
    struct kl_error err;

    small_run_create(&small, KL_F16);
    small_run_write(&small, fresh_path(), 13);
    small_run_clear(&small);
    ck_assert_int_eq(kl_run_open(path, 1, &run, &err), KL_ERR_UNFINISHED);
    ck_assert_ptr_nonnull(strstr(err.message, "step 12 of 40"));
    remove_path();
    write_run(KL_F16);
    ck_assert_int_eq(
        kl_writer_resume(path, 0, &writer, &other.training, &other.data, &other.state, &err),
        KL_ERR_EXISTS);
    remove_path();
}
END_TEST

/* Whether the dual form of a run is that of its weights, in every layer. */
static void check_dual_form(struct opened *opened, double bound)
{
    struct kl_layer_check check;
    struct kl_error err;

    for (uint32_t l = 0; l < opened->run->training.shape.n_layers; l++) {
        ck_ok(kl_layer_check(opened->pool, &opened->run->history, l, &check, &err), err);
        ck_assert_double_lt(check.weight_distance, bound);
    }
}

START_TEST(an_unfinished_run_is_opened_as_of_its_last_checkpoint)
{
    struct small_run small;
    struct opened opened = {0};
    char draft[80], version[17];
    struct kl_error err;

    small_run_create(&small, KL_F32);
    small_run_write(&small, fresh_path(), 16); /* between checkpoints */
    snprintf(draft, sizeof draft, "%s.part", path);
    ck_ok(kl_pool_create(2, &opened.pool, &err), err);
    ck_ok(kl_follow_open(draft, 2, &opened.run, &err), err);
    ck_assert_uint_eq(opened.run->training.n_steps, 12);
    ck_assert_uint_eq(opened.run->planned_steps, 40);
    ck_assert_uint_eq(opened.run->history.n_patterns, 120);
    ck_assert_uint_eq(opened.run->curve[opened.run->n_curve - 1].step, 12);
    ck_assert_str_eq(opened.run->fingerprint, opened.run->birth);
    ck_assert_str_ne(opened.run->version, opened.run->birth);
    check_dual_form(&opened, 1e-5);
    memcpy(version, opened.run->version, sizeof version);
    kl_run_close(opened.run);
    ck_ok(kl_follow_open(draft, 2, &opened.run, &err), err); /* nothing has changed by it */
    ck_assert_str_eq(opened.run->version, version);
    memcpy(version, opened.run->birth, sizeof version);
    kl_run_close(opened.run);
    write_run(KL_F32); /* from begin to end */
    ck_ok(kl_run_open(path, 2, &opened.run, &err), err);
    ck_assert_str_eq(opened.run->birth, version);
    ck_assert_uint_eq(opened.run->planned_steps, 0);
    small_run_clear(&small);
    close_run(&opened);
}
END_TEST

/* A recorder around another one, which looks at the file after every step. */
struct looking {
    struct kl_recorder inner;
    const char *draft;
    uint32_t n_looks, last_steps;
};

static enum kl_status look_at_evaluation(void *self, uint32_t step, uint32_t dataset,
                                         const struct kl_evaluation *evaluation,
                                         struct kl_error *err)
{
    struct looking *looking = self;

    return looking->inner.evaluation(looking->inner.self, step, dataset, evaluation, err);
}

static enum kl_status look_at_snapshot(void *self, uint32_t step, const struct kl_network *network,
                                       struct kl_error *err)
{
    struct looking *looking = self;

    return looking->inner.snapshot(looking->inner.self, step, network, err);
}

static enum kl_status look_at_checkpoint(void *self, const struct kl_training_state *state,
                                         struct kl_error *err)
{
    struct looking *looking = self;

    return looking->inner.checkpoint(looking->inner.self, state, err);
}

static enum kl_status look_at_finish(void *self, const struct kl_training_state *state,
                                     const struct kl_prediction *predictions, struct kl_error *err)
{
    struct looking *looking = self;

    return looking->inner.finish(looking->inner.self, state, predictions, err);
}

static enum kl_status look_at_step(void *self, const struct kl_step_record *record,
                                   struct kl_error *err)
{
    struct looking *looking = self;
    struct opened opened = {0};
    struct kl_error own;
    enum kl_status status = looking->inner.step(looking->inner.self, record, err);

    ck_ok(kl_pool_create(1, &opened.pool, &own), own);
    if (!kl_follow_open(looking->draft, 1, &opened.run, &own)) {
        ck_assert_uint_eq(opened.run->training.n_steps, (record->step - 1) / 4 * 4);
        check_dual_form(&opened, 1e-5);
        looking->n_looks++;
        looking->last_steps = opened.run->training.n_steps;
        kl_run_close(opened.run);
    } else {
        ck_assert_msg(own.status == KL_ERR_UNFINISHED, "%s",
                      own.message); /* before the first checkpoint */
        ck_assert_uint_le(record->step, 4);
    }
    kl_pool_free(opened.pool);
    return status;
}

START_TEST(a_run_is_looked_at_while_it_is_written)
{
    struct small_run small;
    struct looking looking = {0};
    struct kl_writer *writer = NULL;
    struct kl_recorder recorder;
    char draft[80];
    struct kl_error err;

    small_run_create(&small, KL_F32);
    small.training.checkpoint_steps = 4;
    ck_ok(kl_writer_create(fresh_path(), 0, &small.training, &small.data, &small.state, &writer,
                           &err),
          err);
    snprintf(draft, sizeof draft, "%s.part", path);
    ck_assert_int_eq(kl_follow_is_written(draft), 1);
    looking.inner = recorder = kl_writer_recorder(writer);
    looking.draft = draft;
    recorder.self = &looking;
    recorder.step = look_at_step;
    recorder.evaluation = look_at_evaluation;
    recorder.snapshot = look_at_snapshot;
    recorder.checkpoint = look_at_checkpoint;
    recorder.finish = look_at_finish;
    ck_ok(kl_train(NULL, &small.training, &small.data, &small.state, &recorder, NULL, &err), err);
    kl_writer_close(writer);
    ck_assert_uint_gt(looking.n_looks, 30);
    ck_assert_uint_eq(looking.last_steps, 36);
    ck_assert_int_eq(kl_follow_is_written(draft), 0);
    small_run_clear(&small);
    {
        struct opened opened = open_run();

        check_dual_form(&opened, 1e-5);
        close_run(&opened);
    }
}
END_TEST

START_TEST(an_existing_file_is_never_overwritten)
{
    struct small_run small;
    struct kl_writer *writer = NULL;
    struct kl_error err;
    FILE *file = fopen(fresh_path(), "w");

    fputs("precious", file);
    fclose(file);
    small_run_create(&small, KL_F16);
    ck_assert_int_eq(
        kl_writer_create(path, 0, &small.training, &small.data, &small.state, &writer, &err),
        KL_ERR_EXISTS);
    ck_assert_int_eq(access(path, F_OK), 0);
    small_run_clear(&small);
    remove_path();
}
END_TEST

struct damage {
    const char *sql;
    enum kl_status status;
};

static const struct damage damages[] = {
    {"PRAGMA application_id = 1", KL_ERR_FOREIGN},
    {"PRAGMA user_version = 99", KL_ERR_NEWER},
    {"PRAGMA user_version = 0", KL_ERR_DAMAGED},
    {"DROP TABLE step", KL_ERR_DAMAGED},
    {"DELETE FROM step WHERE step = 3", KL_ERR_DAMAGED},
    {"DELETE FROM key_chunk WHERE layer = 2 AND first > 0", KL_OK},
    {"DELETE FROM error_chunk WHERE layer = 1", KL_OK},
    {"UPDATE key_chunk SET first = first + 1 WHERE layer = 3", KL_OK},
    {"DELETE FROM showing_chunk WHERE first = 0", KL_ERR_DAMAGED},
    {"UPDATE showing_chunk SET data = CAST(zeroblob(4 * count - 4) || x'ffffff7f' AS BLOB) WHERE "
     "first = 0",
     KL_ERR_DAMAGED},
    {"UPDATE sample SET label = 77 WHERE sample = 2", KL_ERR_DAMAGED},
    {"DELETE FROM sample WHERE sample = 29", KL_ERR_DAMAGED},
    {"UPDATE tensor SET data = CAST(zeroblob(length(data) - 4) || x'0000c07f' AS BLOB) "
     "WHERE layer = 2 AND state = 'current' AND role = 'weights'",
     KL_ERR_DAMAGED},
    {"DELETE FROM tensor WHERE state = 'initial'", KL_ERR_DAMAGED},
    {"UPDATE layer SET places = 4 WHERE layer = 2", KL_ERR_DAMAGED},
    {"UPDATE layer SET inputs = 10 WHERE layer = 2", KL_ERR_DAMAGED},
    {"UPDATE layer SET outputs = 100000000 WHERE layer = 3", KL_ERR_DAMAGED},
    {"UPDATE dataset SET width = 4000", KL_ERR_DAMAGED},
    {"UPDATE dataset SET train_samples = 2000000000", KL_ERR_DAMAGED},
    {"UPDATE run SET fingerprint = 'XXXXXXXXXXXXXXXX'", KL_ERR_DAMAGED},
    {"DELETE FROM run", KL_ERR_DAMAGED},
    {"UPDATE setting SET value = '2' WHERE key = 'momentum'", KL_ERR_DAMAGED},
    {"UPDATE setting SET value = '-1' WHERE key = 'seed'", KL_ERR_DAMAGED},
    {"UPDATE setting SET value = 'abacus' WHERE key = 'architecture'", KL_ERR_DAMAGED},
    {"UPDATE rule SET learning_rate = 1e308", KL_ERR_DAMAGED},
    {"DELETE FROM rule WHERE step = 3", KL_ERR_DAMAGED},
    {"PRAGMA ignore_check_constraints = 1; UPDATE error_chunk SET exponent = -2147483648", KL_OK},
    /* Three data sets whose sizes sum to 7000 more than 2^32: a 32-bit sum would wrap. */
    {"UPDATE dataset SET train_samples = 1073741823, test_samples = 1073741823;"
     "INSERT INTO dataset VALUES (1, 'b', 'images', 3, 4, 1, 3, 1073741823, 0, 1073741823, 0);"
     "INSERT INTO dataset VALUES (2, 'c', 'images', 3, 4, 1, 3, 34, 0, 0, 0);"
     "INSERT INTO channel VALUES (1, 0, 1, 1, 0), (2, 0, 1, 1, 0);"
     "UPDATE sample SET split = 'train', position = sample",
     KL_ERR_DAMAGED},
};

START_TEST(damaged_foreign_and_newer_files_are_refused)
{
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct kl_run *run = NULL;
        struct kl_error err = {0};

        write_run(KL_F16);
        execute(damages[i].sql);
        ck_assert_msg(kl_run_open(path, 1, &run, &err) == damages[i].status, "%s: %s",
                      damages[i].sql, err.message);
        if (damages[i].status) {
            ck_assert_ptr_null(run);
            ck_assert_ptr_nonnull(strstr(err.message, path));
        } else { /* the rest of the run is whole */
            ck_assert_msg(run->n_damaged > 0, "%s", damages[i].sql);
            ck_assert_ptr_nonnull(strstr(run->damage[0].what, "chunk"));
            kl_run_close(run);
        }
    }
    remove_path();
}
END_TEST

START_TEST(a_chunk_of_the_wrong_size_is_refused_by_the_file_itself)
{
    sqlite3 *db = NULL;

    write_run(KL_F16);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "UPDATE key_chunk SET count = count + 1", NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    ck_assert_int_eq(sqlite3_exec(db, "UPDATE error_chunk SET data = x''", NULL, NULL, NULL),
                     SQLITE_CONSTRAINT);
    sqlite3_close(db);
    remove_path();
}
END_TEST

/* As verify looks at a run. */
static void is_found(const char *change)
{
    struct kl_run *run = NULL;
    struct kl_error err = {0};
    enum kl_status status = kl_check_rows(path, &err);

    if (!status)
        status = kl_run_open(path, 1, &run, &err);
    if (!status)
        status = kl_check_run(NULL, run, &err);
    ck_assert_msg(status == KL_ERR_DAMAGED, "%s: %s", change, err.message);
    kl_run_close(run);
}

START_TEST(verify_finds_other_weights_and_missing_predictions)
{
    static const char *const changes[] = {
        "UPDATE tensor SET data = zeroblob(length(data)) WHERE layer = 1 AND state = 'current' AND "
        "role = 'bias'",
        "UPDATE sample SET predicted = NULL, probability = NULL WHERE sample = 3",
        "UPDATE sample SET predicted = 77", "UPDATE sample SET probability = 0.2 WHERE sample = 5",
        "UPDATE curve SET accuracy = 0.01"};

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        write_run(KL_F16);
        execute(changes[i]);
        is_found(changes[i]);
    }
    remove_path();
}
END_TEST

/* Every table that a run fills, with a column of it: what is changed there without its checksum is
 * found by verify, if not before. */
START_TEST(what_is_changed_anywhere_is_found_by_its_checksum)
{
    static const char *const changes[] = {
        "UPDATE run SET steps_done = 39",
        "UPDATE setting SET value = '8' WHERE key = 'evaluation_steps'",
        "UPDATE dataset SET name = 'smell'",
        "UPDATE class SET name = 'classy' WHERE label = 1",
        "UPDATE channel SET mean = mean + 1e-9",
        "UPDATE sample SET probability = probability + 1e-9 WHERE sample = 7",
        "UPDATE image_chunk SET data = CAST(x'01' || substr(data, 2) AS BLOB)",
        "UPDATE layer SET name = 'hidden9' WHERE layer = 2",
        "UPDATE tensor SET data = CAST(x'01' || substr(data, 2) AS BLOB) WHERE state = 'snapshot'",
        "UPDATE step SET loss = loss + 1e-9 WHERE step = 9",
        "UPDATE rule SET clip_factor = clip_factor + 1e-9 WHERE step = 9",
        "UPDATE showing_chunk SET data = CAST(x'01' || substr(data, 2) AS BLOB)",
        "UPDATE key_chunk SET data = CAST(substr(data, 1, length(data) - 1) || x'01' AS BLOB) "
        "WHERE "
        "layer = 3",
        "UPDATE error_chunk SET exponent = exponent + 1 WHERE layer = 1",
        "UPDATE curve SET loss = loss + 1e-9 WHERE step = 7",
        "DELETE FROM curve WHERE step = 7"};

    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        write_run(KL_F16);
        execute_unsigned(changes[i]);
        is_found(changes[i]);
    }
    remove_path();
}
END_TEST

START_TEST(a_setting_that_nobody_knows_is_kept_and_shown)
{
    struct opened opened;

    write_run(KL_F16);
    execute("INSERT INTO setting VALUES ('warmup', '17 steps', 0)");
    opened = open_run();
    ck_assert_uint_eq(opened.run->n_other_settings, 1);
    ck_assert_str_eq(opened.run->other_settings[0].key, "warmup");
    ck_assert_str_eq(opened.run->other_settings[0].value, "17 steps");
    close_run(&opened);
}
END_TEST

START_TEST(samples_are_found_by_what_is_known_of_them)
{
    struct kl_sample samples[30], one;
    struct kl_sample_filter filter = {KL_ANY, KL_SPLIT_TRAIN, 1,    KL_ANY, KL_ANY,
                                      KL_ANY, KL_ANY,         NULL, NULL};
    struct kl_certainty certainty = {0};
    struct opened opened;
    struct kl_error err;
    uint32_t n, right, wrong, *ids = NULL;

    write_run(KL_F16);
    opened = open_run();
    ck_ok(kl_samples_choose(opened.run, &filter, KL_ORDER_STORED, NULL, &ids, &n, &err), err);
    ck_assert_uint_eq(n, 8);
    ck_assert_uint_eq(ids[5], 16);
    ck_assert_uint_eq(ids[7], 22);
    free(ids);
    filter = (struct kl_sample_filter){0, KL_ANY, KL_ANY, KL_ANY, 1, KL_ANY, KL_ANY, NULL, NULL};
    ck_ok(kl_samples_choose(opened.run, &filter, KL_ORDER_MOST_SURE, NULL, &ids, &right, &err),
          err);
    ck_ok(kl_samples_some(opened.run, ids, right, samples, &err), err);
    for (uint32_t i = 0; i < right; i++) {
        ck_assert_uint_eq(samples[i].label, samples[i].predicted);
        ck_assert(i == 0 || samples[i].probability <= samples[i - 1].probability);
    }
    free(ids);
    filter.correct = 0;
    ck_ok(kl_samples_choose(opened.run, &filter, KL_ORDER_LEAST_SURE, NULL, &ids, &wrong, &err),
          err);
    ck_assert_uint_eq(right + wrong, 30);
    free(ids);
    filter.correct = KL_ANY;
    ck_ok(kl_run_read_images(opened.run, &err), err);
    ck_ok(kl_certainty(&opened.run->history, &certainty, &err), err);
    ck_ok(kl_samples_choose(opened.run, &filter, KL_ORDER_LOSS, &certainty, &ids, &n, &err), err);
    ck_ok(kl_samples_some(opened.run, ids, n, samples, &err), err);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t id = samples[i].id;
        int is_right = samples[i].target == samples[i].predicted;

        ck_assert(i == 0 || certainty.losses[id] <= certainty.losses[samples[i - 1].id]);
        ck_assert((certainty.margins[id] > 0) == is_right);
        if (is_right)
            ck_assert_double_eq_tol(exp(-(double)certainty.losses[id]), samples[i].probability,
                                    1e-5);
    }
    free(ids);
    filter.name = "nowhere";
    ck_ok(kl_samples_choose(opened.run, &filter, KL_ORDER_STORED, NULL, &ids, &n, &err), err);
    ck_assert_uint_eq(n, 0);
    free(ids);
    kl_certainty_clear(&certainty);
    ck_ok(kl_samples_get(opened.run, 25, &one, &err), err);
    ck_assert_uint_eq(one.place.index, 1);
    ck_assert_int_eq(one.place.split, KL_SPLIT_TEST);
    ck_assert_int_eq(kl_samples_get(opened.run, 30, &one, &err), KL_ERR_NOT_FOUND);
    close_run(&opened);
}
END_TEST

MAIN("history", the_dual_form_of_every_layer_is_the_stored_network,
     a_changed_history_breaks_the_dual_form, what_was_trained_is_what_is_read,
     every_pass_over_the_data_shows_every_sample_once,
     a_resumed_training_ends_as_if_it_had_never_stopped,
     an_unfinished_run_is_told_apart_and_a_finished_one_not_resumed,
     an_unfinished_run_is_opened_as_of_its_last_checkpoint, a_run_is_looked_at_while_it_is_written,
     an_existing_file_is_never_overwritten, damaged_foreign_and_newer_files_are_refused,
     a_chunk_of_the_wrong_size_is_refused_by_the_file_itself,
     verify_finds_other_weights_and_missing_predictions,
     what_is_changed_anywhere_is_found_by_its_checksum,
     a_setting_that_nobody_knows_is_kept_and_shown, samples_are_found_by_what_is_known_of_them)
