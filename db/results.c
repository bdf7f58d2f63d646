#include "db/results.h"

#include <string.h>

#include "core/base/utf8.h"
#include "db/beside.h"
#include "db/file/database.h"

static const struct kl_beside results_file = {
    .suffix = KL_RESULTS_SUFFIX,
    .what = "results",
    .application_id = 0x6b6c7273, /* "klrs" */
    .version = 1,
    .tables = "CREATE TABLE IF NOT EXISTS result (number INTEGER PRIMARY KEY, kind TEXT NOT NULL,"
              " question TEXT NOT NULL, answer TEXT NOT NULL,"
              " time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP, UNIQUE (kind, question)) STRICT;",
    .value_bytes = 8 << 20};

static enum kl_status write_result(sqlite3 *db, const char *kind, const char *question,
                                   const char *answer, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    enum kl_status status = kl_db_prepare(
        db, "INSERT OR REPLACE INTO result (kind, question, answer) VALUES (?1, ?2, ?3)",
        &statement, err);

    if (status)
        return status;
    sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, question, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 3, answer, -1, SQLITE_STATIC);
    status = kl_db_run(statement, err);
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_results_keep(const struct kl_run *run, const char *kind, const char *question,
                               const char *answer, struct kl_error *err)
{
    sqlite3 *db = NULL;
    enum kl_status status;

    if (run->history.n_missing)
        return KL_OK;
    status = kl_beside_open(&results_file, run, 1, &db, err);
    if (!status)
        status = write_result(db, kind, question, answer, err);
    return kl_beside_close(&results_file, db, status, err);
}

static enum kl_status read_result(sqlite3 *db, const char *kind, const char *question,
                                  char **answer, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    enum kl_status status =
        kl_db_prepare(db,
                      "SELECT answer FROM result WHERE kind = ?1 AND (?2 IS NULL OR question = ?2)"
                      " ORDER BY number DESC LIMIT 1",
                      &statement, err);

    if (status)
        return status;
    sqlite3_bind_text(statement, 1, kind, -1, SQLITE_STATIC);
    sqlite3_bind_text(statement, 2, question, -1, SQLITE_STATIC);
    status = kl_db_next(statement, &row, err);
    if (!status && row && sqlite3_column_type(statement, 0) == SQLITE_TEXT)
        status = kl_copy_text(answer, (const char *)sqlite3_column_text(statement, 0), err);
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_results_find(const struct kl_run *run, const char *kind, const char *question,
                               char **answer, struct kl_error *err)
{
    sqlite3 *db = NULL;
    enum kl_status status;

    *answer = NULL;
    if (run->history.n_missing)
        return KL_OK;
    status = kl_beside_open(&results_file, run, 0, &db, err);
    if (!status && db)
        status = read_result(db, kind, question, answer, err);
    return kl_beside_close(&results_file, db, status, err);
}

enum kl_status kl_results_set_aside(const char *path, char **moved, struct kl_error *err)
{
    return kl_beside_set_aside(&results_file, path, moved, err);
}
