#include "db/file/objects.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "db/file/checksum.h"
#include "db/file/create.h"
#include "db/file/database.h"
#include "db/file/schema.h"

#define KNOWN_MAX 64 /* of what a schema defines: more than any does */

/* All but what SQLite keeps for itself: the indices of UNIQUE, which have no SQL, and statistics.
 */
#define OF_A_FILE                                                                                  \
    "SELECT type, name, tbl_name, sql FROM sqlite_schema "                                         \
    "WHERE NOT (type = 'index' AND sql IS NULL AND name GLOB 'sqlite_autoindex_*') "               \
    "AND NOT (type = 'table' AND name IN ('sqlite_stat1', 'sqlite_stat4'))"

/* A row of what a file defines. */
struct object {
    char *type, *name, *table, *sql;
};

/* What this version's schema makes of an empty run: found once, by whoever is first, and kept while
 * the process lives. */
static struct {
    pthread_mutex_t lock;
    struct object objects[KNOWN_MAX];
    size_t n;
} known = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* A name as it can be shown: a stranger chose it. */
static enum kl_status refuse(sqlite3 *db, sqlite3_stmt *found, struct kl_error *err)
{
    const char *type = (const char *)sqlite3_column_text(found, 0);
    const char *name = (const char *)sqlite3_column_text(found, 1);
    char shown[41] = "";

    for (size_t i = 0; name && name[i] && i + 1 < sizeof shown; i++)
        shown[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s has a %.10s %s that no keylight wrote: another program has changed it; "
                   "restore it from a copy or train it again",
                   sqlite3_db_filename(db, "main"), type ? type : "part", shown);
}

/* The tables of a run, in memory. */
static enum kl_status open_empty(sqlite3 **empty, struct kl_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;

    if (sqlite3_open_v2(":memory:", empty, flags, NULL) || kl_checksum_register(*empty, err))
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory to read a run: close others");
    return kl_db_exec(*empty, kl_schema, err) ? err->status
                                              : kl_db_advance(*empty, KL_SCHEMA_VERSION, err);
}

static enum kl_status copy_text(sqlite3_stmt *row, int column, char **copy, struct kl_error *err)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    *copy = strdup(text ? text : "");
    return *copy ? KL_OK
                 : kl_fail(err, KL_ERR_MEMORY, "not enough memory to read a run: close others");
}

static enum kl_status copy_object(sqlite3_stmt *row, struct object *object, struct kl_error *err)
{
    enum kl_status status = copy_text(row, 0, &object->type, err);

    status = status ? status : copy_text(row, 1, &object->name, err);
    status = status ? status : copy_text(row, 2, &object->table, err);
    return status ? status : copy_text(row, 3, &object->sql, err);
}

static void forget(void)
{
    for (size_t i = 0; i < known.n; i++) {
        free(known.objects[i].type);
        free(known.objects[i].name);
        free(known.objects[i].table);
        free(known.objects[i].sql);
        known.objects[i] = (struct object){0};
    }
    known.n = 0;
}

static enum kl_status find_known(struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3 *empty = NULL;
    int row = 1;
    enum kl_status status = open_empty(&empty, err);

    if (!status)
        status = kl_db_prepare(empty, OF_A_FILE, &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row && known.n < KNOWN_MAX)
        status = copy_object(statement, &known.objects[known.n++], err);
    assert(status || !row);
    sqlite3_finalize(statement);
    sqlite3_close(empty);
    if (status)
        forget();
    return status;
}

static int is_text(sqlite3_stmt *row, int column, const char *known_text)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text && !strcmp(text, known_text);
}

static int is_known(sqlite3_stmt *row)
{
    for (size_t i = 0; i < known.n; i++) {
        const struct object *object = &known.objects[i];

        if (is_text(row, 1, object->name))
            return is_text(row, 0, object->type) && is_text(row, 2, object->table) &&
                   is_text(row, 3, object->sql);
    }
    return 0;
}

enum kl_status kl_objects_check(sqlite3 *db, struct kl_error *err)
{
    sqlite3_stmt *found = NULL;
    int row = 1;
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&known.lock);
    if (!known.n)
        status = find_known(err);
    pthread_mutex_unlock(&known.lock);
    if (!status)
        status = kl_db_prepare(db, OF_A_FILE, &found, err);
    while (!status && !(status = kl_db_next(found, &row, err)) && row)
        if (!is_known(found))
            status = refuse(db, found, err);
    sqlite3_finalize(found);
    return status;
}

static enum kl_status forbidden(sqlite3 *db, const char *table, sqlite3_int64 row, const char *why,
                                struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: row %lld of its table %s is none that a run can have (%.100s); "
                   "restore it from a copy or train it again",
                   sqlite3_db_filename(db, "main"), (long long)row, table, why);
}

/* The values of a row into an INSERT of the same table; of a blob its length is all that matters.
 */
static void bind_row(sqlite3_stmt *row, sqlite3_stmt *insert)
{
    for (int c = 1; c < sqlite3_column_count(row); c++) {
        if (sqlite3_column_type(row, c) == SQLITE_BLOB)
            sqlite3_bind_zeroblob(insert, c, sqlite3_column_bytes(row, c));
        else
            sqlite3_bind_value(insert, c, sqlite3_column_value(row, c));
    }
}

/* Inserts every row of a table into the same table of an empty run, which keeps none. */
static enum kl_status try_table(sqlite3 *db, sqlite3 *empty, const char *table,
                                struct kl_error *err)
{
    sqlite3_stmt *row = NULL, *insert = NULL, *empty_again = NULL;
    char sql[400];
    size_t used;
    int is_row = 0;
    enum kl_status status;

    snprintf(sql, sizeof sql, "SELECT rowid, * FROM %s", table);
    status = kl_db_prepare(db, sql, &row, err);
    if (!status)
        status = kl_db_next(row, &is_row, err);
    if (status || !is_row) {
        sqlite3_finalize(row);
        return status;
    }
    used = (size_t)snprintf(sql, sizeof sql, "INSERT INTO %s VALUES (?1", table);
    for (int c = 2; !status && c < sqlite3_column_count(row); c++)
        used += (size_t)snprintf(sql + used, sizeof sql - used, ", ?%d", c);
    snprintf(sql + used, sizeof sql - used, ")");
    if (!status)
        status = kl_db_prepare(empty, sql, &insert, err);
    snprintf(sql, sizeof sql, "DELETE FROM %s", table);
    if (!status)
        status = kl_db_prepare(empty, sql, &empty_again, err);
    while (!status && is_row) {
        bind_row(row, insert);
        status = kl_db_run(insert, err);
        if (status == KL_ERR_DAMAGED)
            forbidden(db, table, sqlite3_column_int64(row, 0), sqlite3_errmsg(empty), err);
        if (!status)
            status = kl_db_run(empty_again, err);
        if (!status)
            status = kl_db_next(row, &is_row, err);
    }
    sqlite3_finalize(empty_again);
    sqlite3_finalize(insert);
    sqlite3_finalize(row);
    return status;
}

static enum kl_status check_references(sqlite3 *db, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    enum kl_status status = kl_db_prepare(
        db, "SELECT \"table\", rowid FROM pragma_foreign_key_check LIMIT 1", &statement, err);

    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && row)
        status = forbidden(db, (const char *)sqlite3_column_text(statement, 0),
                           sqlite3_column_int64(statement, 1), "it refers to one that is not there",
                           err);
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_objects_check_rows(sqlite3 *db, struct kl_error *err)
{
    sqlite3_stmt *tables = NULL;
    sqlite3 *empty = NULL;
    int row = 1;
    enum kl_status status = open_empty(&empty, err);

    if (!status)
        status = kl_db_prepare(
            db,
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "
            "ESCAPE '\\' ORDER BY name",
            &tables, err);
    while (!status && !(status = kl_db_next(tables, &row, err)) && row)
        status = try_table(db, empty, (const char *)sqlite3_column_text(tables, 0), err);
    sqlite3_finalize(tables);
    sqlite3_close(empty);
    return status ? status : check_references(db, err);
}
