#include "db/file/rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "db/file/checksum.h"
#include "db/file/database.h"

#define SQL_BYTES 2000
#define COLUMNS_MAX 40 /* of a table: more than any of a run has */

static enum kl_status damaged(sqlite3 *db, const char *table, struct kl_error *err)
{
    return kl_fail(
        err, KL_ERR_DAMAGED,
        "%s is damaged: it has no proper table %.40s; restore it from a copy or train it "
        "again",
        sqlite3_db_filename(db, "main"), table);
}

/* The columns of a table but the checksum, which is the last, as "a, b, c", or, numbered, as
 * "?1, ?2, ?3"; *n of them. */
static enum kl_status list_columns(sqlite3 *db, const char *table, char names[SQL_BYTES / 4],
                                   int *n, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    size_t used = 0;
    int row = 1, has_checksum = 0;
    enum kl_status status =
        kl_db_prepare(db, "SELECT name FROM pragma_table_info(?1) ORDER BY cid", &statement, err);

    *n = 0;
    names[0] = '\0';
    if (!status)
        sqlite3_bind_text(statement, 1, table, -1, SQLITE_STATIC);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);

        if (has_checksum || !name || strspn(name, "abcdefghijklmnopqrstuvwxyz_") != strlen(name) ||
            used + strlen(name) + 3 > SQL_BYTES / 4 || *n == COLUMNS_MAX) {
            status = damaged(db, table, err);
        } else if (!strcmp(name, "checksum")) {
            has_checksum = 1;
        } else {
            used +=
                (size_t)snprintf(names + used, SQL_BYTES / 4 - used, "%s%s", *n ? ", " : "", name);
            ++*n;
        }
    }
    sqlite3_finalize(statement);
    return status || (has_checksum && *n) ? status : damaged(db, table, err);
}

enum kl_status kl_rows_insert(sqlite3 *db, const char *table, int or_replace,
                              sqlite3_stmt **statement, struct kl_error *err)
{
    char columns[SQL_BYTES / 4], values[SQL_BYTES / 4] = "", sql[SQL_BYTES];
    size_t used = 0;
    int n = 0;
    enum kl_status status = list_columns(db, table, columns, &n, err);

    for (int i = 1; i <= n; i++)
        used +=
            (size_t)snprintf(values + used, sizeof values - used, "%s?%d", i > 1 ? ", " : "", i);
    snprintf(sql, sizeof sql, "INSERT%s INTO %s (%s, checksum) VALUES (%s, row_checksum('%s', %s))",
             or_replace ? " OR REPLACE" : "", table, columns, values, table, values);
    return status ? status : kl_db_prepare(db, sql, statement, err);
}

enum kl_status kl_rows_sign(sqlite3 *db, const char *table, const char *condition,
                            struct kl_error *err)
{
    char columns[SQL_BYTES / 4], sql[SQL_BYTES];
    int n = 0;
    enum kl_status status = list_columns(db, table, columns, &n, err);

    snprintf(sql, sizeof sql, "UPDATE %s SET checksum = row_checksum('%s', %s) WHERE %s", table,
             table, columns, condition);
    return status ? status : kl_db_exec(db, sql, err);
}

enum kl_status kl_rows_check(sqlite3 *db, const char *table, struct kl_error *err)
{
    char columns[SQL_BYTES / 4], sql[SQL_BYTES];
    sqlite3_stmt *statement = NULL;
    int n = 0, row = 0;
    enum kl_status status = list_columns(db, table, columns, &n, err);

    snprintf(sql, sizeof sql,
             "SELECT rowid FROM %s WHERE checksum <> row_checksum('%s', %s) LIMIT 1", table, table,
             columns);
    if (!status)
        status = kl_db_prepare(db, sql, &statement, err);
    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && row)
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "%s is damaged: row %lld of its table %s is not what was written (its "
                         "checksum is another); restore it from a copy or train it again",
                         sqlite3_db_filename(db, "main"),
                         (long long)sqlite3_column_int64(statement, 0), table);
    sqlite3_finalize(statement);
    return status;
}

/* Calls take with every table of the run, by name: one without checksums is SQLite's own, or was
 * added by somebody else and says nothing of the run. */
enum kl_status kl_rows_each_table(sqlite3 *db,
                                  enum kl_status (*take)(void *self, sqlite3 *db, const char *table,
                                                         struct kl_error *err),
                                  void *self, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 1;
    enum kl_status status =
        kl_db_prepare(db,
                      "SELECT name FROM sqlite_schema AS part WHERE type = 'table' "
                      "AND name NOT LIKE 'sqlite_%' AND 'checksum' IN (SELECT "
                      "name FROM pragma_table_info(part.name)) ORDER BY name",
                      &statement, err);

    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        const char *name = (const char *)sqlite3_column_text(statement, 0);

        if (!name || strlen(name) > 40 ||
            strspn(name, "abcdefghijklmnopqrstuvwxyz_") != strlen(name))
            status = damaged(db, name ? name : "", err);
        else
            status = take(self, db, name, err);
    }
    sqlite3_finalize(statement);
    return status;
}

struct check {
    void (*progress)(void *self, const char *table);
    void *self;
};

static enum kl_status check_table(void *argument, sqlite3 *db, const char *table,
                                  struct kl_error *err)
{
    const struct check *check = argument;
    enum kl_status status = kl_rows_check(db, table, err);

    if (!status && check->progress)
        check->progress(check->self, table);
    return status;
}

enum kl_status kl_rows_check_all(sqlite3 *db, void (*progress)(void *self, const char *table),
                                 void *self, struct kl_error *err)
{
    struct check check = {progress, self};

    return kl_rows_each_table(db, check_table, &check, err);
}

/* Sorted, so that it does not matter in which order rows were written. */
static enum kl_status add_rows(struct kl_checksum *sum, sqlite3 *db, const char *table,
                               const char *condition, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    char sql[300];
    int row = 1;
    enum kl_status status;

    snprintf(sql, sizeof sql, "SELECT checksum FROM %s WHERE %s ORDER BY checksum", table,
             condition);
    status = kl_db_prepare(db, sql, &statement, err);
    kl_checksum_text(sum, table);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row)
        kl_checksum_integer(sum, sqlite3_column_int64(statement, 0));
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status add_table(void *argument, sqlite3 *db, const char *table,
                                struct kl_error *err)
{
    return strcmp(table, "run") ? add_rows(argument, db, table, "1", err) : KL_OK;
}

static enum kl_status add_all(struct kl_checksum *sum, sqlite3 *db, struct kl_error *err)
{
    return kl_rows_each_table(db, add_table, sum, err);
}

static enum kl_status add_birth(struct kl_checksum *sum, sqlite3 *db, struct kl_error *err)
{
    enum kl_status status = add_rows(sum, db, "setting",
                                     /* a recorder learns these as it goes on */
                                     "key NOT IN ('steps', 'batch_size', 'evaluation_steps', "
                                     "'checkpoint_steps', 'framework') OR "
                                     "NOT EXISTS (SELECT 1 FROM setting WHERE key = 'framework')",
                                     err);

    if (!status)
        status = add_rows(sum, db, "dataset", "1", err);
    return status ? status : add_rows(sum, db, "tensor", "state = 'initial'", err);
}

static enum kl_status digest(sqlite3 *db,
                             enum kl_status (*add)(struct kl_checksum *sum, sqlite3 *db,
                                                   struct kl_error *err),
                             char text[17], struct kl_error *err)
{
    struct kl_checksum *sum = NULL;
    int64_t number;
    enum kl_status status = kl_checksum_begin("", &sum, err);

    if (status)
        return status;
    status = add(sum, db, err);
    number = kl_checksum_end(sum);
    if (!status)
        snprintf(text, 17, "%016" PRIx64, (uint64_t)number);
    return status;
}

enum kl_status kl_rows_birth(sqlite3 *db, char birth[17], struct kl_error *err)
{
    return digest(db, add_birth, birth, err);
}

enum kl_status kl_rows_fingerprint(sqlite3 *db, char fingerprint[17], struct kl_error *err)
{
    return digest(db, add_all, fingerprint, err);
}
