#include "db/migrations/from_4.h"

#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/training/settings.h"
#include "db/file/database.h"
#include "db/file/rows.h"
#include "db/file/run_row.h"
#include "db/other_setting.h"

/* The name of a layer, and what format 4 called the states of parameters. */
#define LAYER_NAME                                                                                 \
    "(SELECT CASE WHEN l.layer = (SELECT max(layer) FROM layer) THEN 'output' "                    \
    "WHEN l.activation = 'lstm' THEN 'lstm' || l.layer ELSE 'hidden' || l.layer END "              \
    "FROM layer AS l WHERE l.layer = t.layer)"
#define STATE                                                                                      \
    "CASE t.state WHEN 'velocity' THEN 'first_moment' WHEN 'squares' THEN 'second_moment' "        \
    "ELSE t.state END"
#define LAST "t.layer = (SELECT max(layer) FROM layer)"

/* Every table, and what of format 4 its columns are, in order. */
static const struct {
    const char *table, *select;
} copies[] = {
    {"dataset", "SELECT dataset, name, kind, width, height, channels, classes, train_samples, "
                "validation_samples, test_samples FROM dataset ORDER BY dataset"},
    {"class", "SELECT dataset, label, name FROM class ORDER BY dataset, label"},
    {"channel", "SELECT dataset, channel, mean, deviation FROM channel ORDER BY dataset, channel"},
    {"corpus",
     "SELECT dataset, CASE tokens WHEN 'spaced' THEN 'whitespace' ELSE tokens END, unknown "
     "FROM corpus"},
    {"vocabulary", "SELECT token, text, count FROM vocabulary ORDER BY token"},
    {"document", "SELECT document, split, name, first, count FROM document ORDER BY document"},
    {"token_chunk", "SELECT split, first, count, data FROM token_chunk ORDER BY id"},
    {"sample",
     "SELECT sample, dataset, split, position, label, true_label, target, NULL, predicted, "
     "probability FROM sample ORDER BY sample"},
    {"image_chunk", "SELECT first, count, width, data FROM image_chunk ORDER BY first"},
    {"layer", "SELECT t.layer, " LAYER_NAME ", t.inputs, t.outputs, 1, 1, 0, t.activation, t.keys, "
              "CASE WHEN optimiser = 'adam' THEN 'none' WHEN " LAST " THEN "
              "CASE error_entries WHEN 0 THEN 'whole' ELSE 'entries' END "
              "WHEN t.activation = 'lstm' AND NOT gate_errors THEN 'none' ELSE 'whole' END "
              "FROM layer AS t, run ORDER BY t.layer"},
    {"tensor",
     "SELECT NULL, 'embedding', 'embedding', " STATE ", t.step, t.tokens || ',' || t.width, "
     "'float32', t.data FROM embedding AS t"},
    {"tensor", "SELECT NULL, 'carried', 'carried', 'carried', 0, CAST(length(data) / 4 AS TEXT), "
               "'float32', data FROM carried"},
    {"tensor", "SELECT t.layer, " LAYER_NAME ", 'weights', " STATE
               ", 0, t.outputs || ',' || t.inputs, 'float32', t.weights FROM parameters AS t"},
    {"tensor", "SELECT t.layer, " LAYER_NAME ", 'bias', " STATE
               ", 0, CAST(t.outputs AS TEXT), 'float32', t.biases FROM parameters AS t"},
    {"tensor",
     "SELECT t.layer, " LAYER_NAME ", 'weights', 'snapshot', t.step, t.outputs || ',' || t.inputs, "
     "'float32', t.weights FROM snapshot AS t"},
    {"tensor", "SELECT t.layer, " LAYER_NAME ", 'bias', 'snapshot', t.step, "
               "CAST(t.outputs AS TEXT), 'float32', t.biases FROM snapshot AS t"},
    {"step", "SELECT step, first_pattern, count, loss FROM step ORDER BY step"},
    {"rule",
     "SELECT step, 0, learning_rate, momentum, weight_decay, clip_factor FROM step ORDER BY step"},
    {"curve", "SELECT step, dataset, accuracy, loss FROM curve ORDER BY step, dataset"},
    {"showing_chunk", "SELECT first, count, data FROM pattern_chunk ORDER BY id"},
    {"key_chunk",
     "SELECT layer, first, count, width, dtype, exponent, stored, data FROM key_chunk ORDER BY id"},
    {"error_chunk", "SELECT layer, first, count, width, dtype, exponent, stored, data "
                    "FROM error_chunk ORDER BY id"},
    {"sparse_error_chunk",
     "SELECT layer, first, count, entries, dtype, exponent, data, kept, left_out "
     "FROM sparse_error_chunk ORDER BY id"},
};

struct work {
    sqlite3 *old, *db;
    uint64_t done_bytes, total_bytes;
    void (*progress)(void *self, uint64_t done, uint64_t total);
    void *self;
};

static enum kl_status copy_table(struct work *work, const char *table, const char *select,
                                 struct kl_error *err)
{
    sqlite3_stmt *from = NULL, *to = NULL;
    int row = 1;
    enum kl_status status = kl_db_prepare(work->old, select, &from, err);

    if (!status)
        status = kl_rows_insert(work->db, table, 0, &to, err);
    while (!status && !(status = kl_db_next(from, &row, err)) && row) {
        for (int c = 0; c < sqlite3_column_count(from); c++) {
            sqlite3_bind_value(to, c + 1, sqlite3_column_value(from, c));
            work->done_bytes += sqlite3_column_type(from, c) == SQLITE_BLOB
                                    ? (uint64_t)sqlite3_column_bytes(from, c)
                                    : 8;
        }
        status = kl_db_run(to, err);
        if (work->progress && work->done_bytes < work->total_bytes)
            work->progress(work->self, work->done_bytes, work->total_bytes);
    }
    sqlite3_finalize(to);
    sqlite3_finalize(from);
    return status;
}

static enum kl_status damaged(sqlite3 *db, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: its run row makes no sense; restore it from a copy or train it "
                   "again",
                   sqlite3_db_filename(db, "main"));
}

/* One column of a row as a setting. */
static enum kl_status take_setting(sqlite3 *old, sqlite3_stmt *row, int column,
                                   struct kl_training *training, struct kl_error *err)
{
    const struct kl_setting *setting = kl_setting_find(sqlite3_column_name(row, column));
    const unsigned char *found;
    char text[KL_VALUE_BYTES];

    if (!setting) /* steps_done, and others that are no settings */
        return KL_OK;
    if (sqlite3_column_type(row, column) == SQLITE_FLOAT) {
        snprintf(text, sizeof text, "%.17g", sqlite3_column_double(row, column));
    } else {
        found = sqlite3_column_text(row, column);
        snprintf(text, sizeof text, "%s", found ? (const char *)found : "");
        kl_utf8_repair(text);
    }
    return kl_setting_parse(setting, text, training, err) ? damaged(old, err) : KL_OK;
}

/* The settings that the run row has, and what the other tables tell of them. */
static enum kl_status read_settings(sqlite3 *old, struct kl_training *training,
                                    struct kl_error *err)
{
    static const char *const selects[] = {
        "SELECT * FROM run",
        "SELECT coalesce(group_concat(width, ','), 'none') AS hidden FROM (SELECT CASE activation "
        "WHEN 'lstm' THEN outputs / 4 ELSE outputs END AS width FROM layer WHERE layer < "
        "(SELECT max(layer) FROM layer) ORDER BY layer)",
        "SELECT validation_samples AS validation FROM dataset WHERE kind = 'images' LIMIT 1",
        "SELECT tokens FROM corpus",
    };
    enum kl_status status = KL_OK;

    kl_settings_default(training);
    for (size_t i = 0; !status && i < sizeof selects / sizeof selects[0]; i++) {
        sqlite3_stmt *statement = NULL;
        int row = 0;

        status = kl_db_prepare(old, selects[i], &statement, err);
        if (!status)
            status = kl_db_next(statement, &row, err);
        if (!status && i == 0 && !row)
            status = damaged(old, err);
        for (int c = 0; !status && row && c < sqlite3_column_count(statement); c++)
            status = take_setting(old, statement, c, training, err);
        sqlite3_finalize(statement);
    }
    return status;
}

static enum kl_status insert_setting(sqlite3_stmt *insert, const char *key, const char *value,
                                     struct kl_error *err)
{
    sqlite3_bind_text(insert, 1, key, -1, SQLITE_TRANSIENT);
    sqlite3_bind_text(insert, 2, value, -1, SQLITE_TRANSIENT);
    return kl_db_run(insert, err);
}

/* Under its old fingerprint, addresses that people keep go on to work. */
static enum kl_status write_settings(const struct work *work, struct kl_error *err)
{
    sqlite3_stmt *insert = NULL, *before = NULL;
    const struct kl_setting *setting;
    struct kl_training training;
    char value[KL_VALUE_BYTES];
    int row = 0;
    enum kl_status status = read_settings(work->old, &training, err);

    if (status)
        goto out;
    status = kl_rows_insert(work->db, "setting", 0, &insert, err);
    if (status)
        goto out;
    for (uint32_t i = 0; !status && (setting = kl_setting_at(i)); i++) {
        if (!kl_setting_applies(setting, &training))
            continue;
        kl_setting_format(setting, &training, value);
        status = insert_setting(insert, setting->name, value, err);
    }
    if (status)
        goto out;
    status = kl_db_prepare(work->old, "SELECT fingerprint FROM run WHERE fingerprint IS NOT NULL",
                           &before, err);
    if (status)
        goto out;
    status = kl_db_next(before, &row, err);
    if (status)
        goto out;
    if (row)
        status = insert_setting(insert, KL_FINGERPRINT_BEFORE,
                                (const char *)sqlite3_column_text(before, 0), err);
out:
    sqlite3_finalize(before);
    sqlite3_finalize(insert);
    return status;
}

static enum kl_status write_run(const struct work *work, struct kl_error *err)
{
    sqlite3_int64 steps_done = 0, finished = 0;
    char sql[80];
    enum kl_status status =
        kl_db_integer(work->old, "SELECT steps_done FROM run", &steps_done, err);

    if (!status)
        status = kl_db_integer(work->old, "SELECT finished FROM run", &finished, err);
    snprintf(sql, sizeof sql, "UPDATE run SET steps_done = %lld", (long long)steps_done);
    if (!status)
        status = kl_run_row_begin(work->db, err);
    if (!status)
        status = kl_db_exec(work->db, sql, err);
    if (!status)
        status = kl_rows_sign(work->db, "run", "id = 1", err);
    return status || !finished ? status : kl_run_row_finish(work->db, work->db, err);
}

enum kl_status kl_rewrite_from_4(sqlite3 *old, sqlite3 *db, uint64_t total_bytes,
                                 void (*progress)(void *self, uint64_t done, uint64_t total),
                                 void *self, struct kl_error *err)
{
    struct work work = {
        .old = old, .db = db, .total_bytes = total_bytes, .progress = progress, .self = self};
    enum kl_status status = write_settings(&work, err);

    for (size_t i = 0; !status && i < sizeof copies / sizeof copies[0]; i++)
        status = copy_table(&work, copies[i].table, copies[i].select, err);
    if (!status)
        status = write_run(&work, err);
    if (!status && progress)
        progress(self, total_bytes, total_bytes);
    return status;
}
