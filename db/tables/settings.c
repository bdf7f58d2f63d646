#include "db/tables/settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/training/settings.h"
#include "db/file/database.h"
#include "db/file/rows.h"
#include "db/tables/layers.h"

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

enum kl_status kl_settings_write(sqlite3 *db, const struct kl_training *training,
                                 struct kl_error *err)
{
    enum kl_status status = write_settings(db, training, err);

    return status ? status : kl_layers_write(db, training, err);
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
    enum kl_status status = kl_db_integer(db, "SELECT count(rowid) FROM setting", &n, err);

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
