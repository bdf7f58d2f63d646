#include "db/tables/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/training/settings.h"
#include "db/file/database.h"
#include "db/file/rows.h"

static enum kl_status damaged(sqlite3 *db, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s; restore it from a copy or train it again",
                   sqlite3_db_filename(db, "main"), what);
}

/* A value may be one that a later program has. */
static enum kl_status no_sense(sqlite3 *db, const char *key, const char *value,
                               struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged, or of a newer keylight: its %s is '%.40s', which makes no sense "
                   "here; use a newer keylight, or restore the file from a copy",
                   sqlite3_db_filename(db, "main"), key, value);
}

static enum kl_status write_settings(sqlite3 *db, const struct kl_training *training,
                                     struct kl_error *err)
{
    sqlite3_stmt *insert = NULL;
    const struct kl_setting *setting;
    char value[KL_VALUE_BYTES];
    enum kl_status status = kl_rows_insert(db, "setting", 0, &insert, err);

    for (uint32_t i = 0; !status && (setting = kl_setting_at(i)); i++) {
        if (!kl_setting_applies(setting, training))
            continue;
        kl_setting_format(setting, training, value);
        sqlite3_bind_text(insert, 1, setting->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 2, value, -1, SQLITE_TRANSIENT);
        status = kl_db_run(insert, err);
    }
    sqlite3_finalize(insert);
    return status;
}

static enum kl_status write_layers(sqlite3 *db, const struct kl_training *training,
                                   struct kl_error *err)
{
    const struct kl_shape *shape = &training->shape;
    sqlite3_stmt *insert = NULL;
    struct kl_layout layout;
    char name[KL_NAME_MAX];
    enum kl_status status = kl_rows_insert(db, "layer", 0, &insert, err);

    kl_training_layout(training, &layout);
    for (uint32_t l = 0; !status && l < shape->n_layers; l++) {
        int is_last = l + 1 == shape->n_layers;
        const char *errors = !layout.errors[l]           ? "none"
                             : is_last && layout.entries ? "entries"
                                                         : "whole";

        kl_shape_layer_name(shape, l, name);
        sqlite3_bind_int64(insert, 1, l + 1);
        sqlite3_bind_text(insert, 2, name, -1, SQLITE_TRANSIENT);
        sqlite3_bind_int64(insert, 3, shape->inputs[l]);
        sqlite3_bind_int64(insert, 4, shape->outputs[l]);
        sqlite3_bind_int64(insert, 5, 1); /* it has a bias, */
        sqlite3_bind_int64(insert, 6, 1); /* a row a showing, */
        sqlite3_bind_int64(insert, 7, 0); /* and is of the only group */
        sqlite3_bind_text(insert, 8, is_last ? "softmax" : shape->model->inner, -1, SQLITE_STATIC);
        sqlite3_bind_text(insert, 9, kl_shape_reads_samples(shape, l) ? "samples" : "chunks", -1,
                          SQLITE_STATIC);
        sqlite3_bind_text(insert, 10, errors, -1, SQLITE_STATIC);
        status = kl_db_run(insert, err);
    }
    sqlite3_finalize(insert);
    return status;
}

enum kl_status kl_settings_write(sqlite3 *db, const struct kl_training *training,
                                 struct kl_error *err)
{
    enum kl_status status = write_settings(db, training, err);

    return status ? status : write_layers(db, training, err);
}

/* One that this program does not know is kept as it is, as far as there is room. */
static void keep_other(const char *key, const char *value, struct kl_other_setting *other)
{
    snprintf(other->key, sizeof other->key, "%s", key);
    snprintf(other->value, sizeof other->value, "%s", value);
    kl_utf8_repair(other->key);
    kl_utf8_repair(other->value);
}

enum kl_status kl_settings_read(sqlite3 *db, struct kl_training *training,
                                struct kl_other_setting **out, uint32_t *n_others,
                                struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    struct kl_other_setting *others = NULL;
    sqlite3_int64 n = 0;
    uint32_t found = 0;
    int row = 1;
    enum kl_status status = kl_db_integer(db, "SELECT count(*) FROM setting", &n, err);

    kl_settings_default(training);
    if (status)
        goto out;
    if (n > KL_OTHER_SETTINGS_MAX) {
        status = damaged(db, "it has more settings than there can be", err);
        goto out;
    }
    status = kl_alloc(&others, (size_t)n, sizeof *others, "the settings", err);
    if (status)
        goto out;
    status = kl_db_prepare(db, "SELECT key, value FROM setting ORDER BY key", &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        const char *key = (const char *)sqlite3_column_text(statement, 0);
        const char *value = (const char *)sqlite3_column_text(statement, 1);
        const struct kl_setting *setting = key ? kl_setting_find(key) : NULL;

        if (!key || !value || found == (uint32_t)n)
            status = damaged(db, "a setting is missing", err);
        else if (!setting)
            keep_other(key, value, &others[found++]);
        else if (kl_setting_parse(setting, value, training, err))
            status = no_sense(db, key, value, err);
    }
    if (!status)
        status = kl_db_integer(db, "SELECT count(*) FROM layer WHERE errors <> 'none'", &n, err);
    training->attention_only |= n == 0; /* Adam's runs of before its dual form say it only so */
out:
    sqlite3_finalize(statement);
    if (status) {
        free(others);
        return status;
    }
    *out = others;
    *n_others = found;
    return KL_OK;
}

/* Whether a row of layer, as kl_layers_check selects it, is layer l of the shape. */
static int is_layer(sqlite3_stmt *row, const struct kl_shape *shape, uint32_t l)
{
    const char *keys = (const char *)sqlite3_column_text(row, 3);

    return l < shape->n_layers && sqlite3_column_int64(row, 0) == l + 1 &&
           sqlite3_column_int64(row, 1) == shape->inputs[l] &&
           sqlite3_column_int64(row, 2) == shape->outputs[l] && keys &&
           !strcmp(keys, kl_shape_reads_samples(shape, l) ? "samples" : "chunks") &&
           sqlite3_column_int64(row, 4) == 1 && sqlite3_column_int64(row, 5) == 1;
}

enum kl_status kl_layers_check(sqlite3 *db, const struct kl_collection *data,
                               struct kl_training *training, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    uint32_t l = 0, entries = training->error_entries;
    int row = 1;
    enum kl_status status = KL_OK;

    /* What nobody could have trained with is damage here. */
    if (kl_training_check(training, err))
        return damaged(db, "it has settings that cannot be", err);
    if (kl_training_fit(training, data, err) || training->error_entries != entries)
        return damaged(db, "its settings do not fit its data", err);
    if (kl_training_check_schedule(training, data->n_datasets, err))
        return damaged(db, "its schedule does not fit its data sets", err);
    status = kl_db_prepare(
        db, "SELECT layer, inputs, outputs, keys, bias, places FROM layer ORDER BY layer",
        &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row)
        if (!is_layer(statement, &training->shape, l++))
            status = damaged(db, "its layers are not those of its settings", err);
    sqlite3_finalize(statement);
    if (!status && l != training->shape.n_layers)
        status = damaged(db, "its layers are not those of its settings", err);
    return status;
}
