#include "tests/lib/run_file.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "db/file/checksum.h"
#include "core/training/settings.h"
#include "db/file/rows.h"
#include "tests/lib/suite.h"

char path[64];

void remove_path(void)
{
    static const char *const suffixes[] = {"", "-journal", ".part", ".part-journal"};
    char name[80];

    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
}

const char *fresh_path(void)
{
    snprintf(path, sizeof path, "tests-history-%d.keylight", (int)getpid());
    remove_path();
    return path;
}

void write_run(enum kl_dtype dtype)
{
    struct small_run small;

    small_run_create(&small, dtype);
    small_run_write(&small, fresh_path(), 0);
    small_run_clear(&small);
}

void write_run_with(enum kl_dtype dtype, const char *optimiser, const char *weight_decay)
{
    const char *const settings[][2] = {{"optimiser", optimiser},
                                       {"weight_decay", weight_decay},
                                       {"learning_rate", "0.02"},
                                       {"momentum", "0"}};
    struct small_run small;
    struct kl_error err;

    small_run_create(&small, dtype);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        ck_ok(kl_setting_parse(kl_setting_find(settings[i][0]), settings[i][1], &small.training,
                               &err),
              err);
    kl_training_state_clear(&small.state);
    ck_ok(kl_training_start(&small.training, &small.state, &err), err);
    small_run_write(&small, fresh_path(), 0);
    small_run_clear(&small);
}

void execute_unsigned(const char *sql)
{
    sqlite3 *db = NULL;
    char *message = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_exec(db, sql, NULL, NULL, &message);
    ck_assert_msg(!message, "%s: %s", sql, message);
    sqlite3_close(db);
}

void execute(const char *sql)
{
    static const char *const tables[] = {"run",       "setting",     "dataset",     "class",
                                         "channel",   "sample",      "image_chunk", "layer",
                                         "tensor",    "step",        "rule",        "showing_chunk",
                                         "key_chunk", "error_chunk", "curve"};
    sqlite3 *db = NULL;
    char fingerprint[17], set[80];
    struct kl_error err;

    execute_unsigned(sql);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_ok(kl_checksum_register(db, &err), err);
    sqlite3_exec(db, "PRAGMA ignore_check_constraints = 1", NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        (void)kl_rows_sign(db, tables[i], "1", &err); /* one may be gone */
    if (!strstr(sql, "fingerprint") && !kl_rows_fingerprint(db, fingerprint, &err)) {
        snprintf(set, sizeof set, "UPDATE run SET fingerprint = '%s'", fingerprint);
        sqlite3_exec(db, set, NULL, NULL, NULL);
        (void)kl_rows_sign(db, "run", "1", &err);
    }
    sqlite3_close(db);
}

struct opened open_run(void)
{
    struct opened opened = {0};
    struct kl_error err;

    ck_ok(kl_pool_create(2, &opened.pool, &err), err);
    ck_ok(kl_run_open(path, 2, &opened.run, &err), err);
    return opened;
}

void load_run(struct opened *opened)
{
    struct kl_error err;

    ck_ok(kl_keeper_create(opened->pool, (uint64_t)1 << 30, KL_KEEPER_TIMES, &opened->keeper, &err),
          err);
    ck_ok(kl_run_keep(opened->run, opened->keeper, NULL, &err), err);
    kl_keeper_fill(opened->keeper);
    ck_assert_uint_gt(kl_keeper_bytes(opened->keeper), 0);
}

void close_run(struct opened *opened)
{
    kl_run_close(opened->run);
    kl_keeper_free(opened->keeper);
    kl_pool_free(opened->pool);
    remove_path();
}
