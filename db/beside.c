#define _GNU_SOURCE /* renameat2 */
#include "db/beside.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "db/file/database.h"

#define PATIENCE_MS 5000 /* for another server of the same run */

/* One connection at a time: these files come from people's hands, and what takes seconds. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

char *kl_beside_path(const struct kl_beside *kind, const char *run_path)
{
    size_t n_bytes = strlen(run_path) + strlen(kind->suffix) + 1;
    char *path = malloc(n_bytes);

    if (path)
        snprintf(path, n_bytes, "%s%s", run_path, kind->suffix);
    return path;
}

static enum kl_status create(const struct kl_beside *kind, sqlite3 *db, const struct kl_run *run,
                             struct kl_error *err)
{
    char sql[1600];

    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE;"
             "PRAGMA application_id = %d; PRAGMA user_version = %d;"
             "CREATE TABLE IF NOT EXISTS run (fingerprint TEXT NOT NULL) STRICT;"
             "%s"
             "INSERT INTO run SELECT '%s' WHERE NOT EXISTS (SELECT 1 FROM run); COMMIT",
             kind->application_id, kind->version, kind->tables, run->fingerprint);
    return kl_db_exec(db, sql, err);
}

/* Whether an open file is of the kind, and of this run. */
static enum kl_status check(const struct kl_beside *kind, sqlite3 *db, const char *path,
                            const struct kl_run *run, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 id = 0, version = 0;
    int row = 0, is_same = 0;
    enum kl_status status = kl_db_integer(db, "PRAGMA application_id", &id, err);

    if (!status)
        status = kl_db_integer(db, "PRAGMA user_version", &version, err);
    if (!status && (id != kind->application_id || version != kind->version))
        return kl_fail(err, KL_ERR_FOREIGN,
                       "%s is no file of %s that this keylight reads: move it away", path,
                       kind->what);
    if (!status)
        status = kl_db_prepare(db, "SELECT fingerprint FROM run", &statement, err);
    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && row) {
        const char *fingerprint = (const char *)sqlite3_column_text(statement, 0);

        is_same = fingerprint && !strcmp(fingerprint, run->fingerprint);
    }
    sqlite3_finalize(statement);
    if (!status && !is_same)
        status = kl_fail(err, KL_ERR_FOREIGN,
                         "%s has the %s of another run, which %s replaced: move it away", path,
                         kind->what, run->path);
    return status;
}

/* What SQLite refused, in words of the kind; sentences of our own stay. */
static enum kl_status reword(const struct kl_beside *kind, sqlite3 *db, enum kl_status status,
                             const char *path, struct kl_error *err)
{
    switch (db ? sqlite3_errcode(db) & 0xff : SQLITE_OK) {
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return kl_fail(
            err, KL_ERR_IO,
            "%s cannot be written: its folder, or the file itself, is not yours to write", path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return kl_fail(err, KL_ERR_BUSY, "%s is being written by another keylight: try again",
                       path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_TOOBIG:
        return kl_fail(err, KL_ERR_DAMAGED, "%s cannot be read as %s (%s): move it away", path,
                       kind->what, sqlite3_errmsg(db));
    default:
        return status;
    }
}

enum kl_status kl_beside_open(const struct kl_beside *kind, const struct kl_run *run, int makes,
                              sqlite3 **db, struct kl_error *err)
{
    char *path = kl_beside_path(kind, run->path);
    struct stat info;
    int is_found = path && lstat(path, &info) == 0, is_there = is_found && info.st_size > 0;
    enum kl_status status = path ? KL_OK : kl_fail(err, KL_ERR_MEMORY, "not enough memory");

    pthread_mutex_lock(&lock);
    *db = NULL;
    if (!status && is_found && (!S_ISREG(info.st_mode) || info.st_nlink != 1))
        status = kl_fail(err, KL_ERR_FOREIGN, "%s is no file of its own: move it away", path);
    if (status || (!is_there && !makes))
        goto out;
    status = kl_db_open(path, KL_OPEN_WRITE, db, err);
    if (status == KL_ERR_NOT_FOUND || status == KL_ERR_IO)
        status = kl_fail(err, KL_ERR_IO,
                         "%s cannot be opened: its folder, or the file itself, is not yours to "
                         "write",
                         path);
    if (!status) {
        sqlite3_busy_timeout(*db, PATIENCE_MS);
        sqlite3_limit(*db, SQLITE_LIMIT_LENGTH, kind->value_bytes);
    }
    if (!status && !is_there)
        status = create(kind, *db, run, err);
    if (!status)
        status = check(kind, *db, path, run, err);
    if (status) {
        status = reword(kind, *db, status, path, err);
        sqlite3_close(*db);
        *db = NULL;
    }
out:
    free(path);
    return status;
}

enum kl_status kl_beside_close(const struct kl_beside *kind, sqlite3 *db, enum kl_status status,
                               struct kl_error *err)
{
    if (status && db)
        status = reword(kind, db, status, sqlite3_db_filename(db, "main"), err);
    sqlite3_close(db);
    pthread_mutex_unlock(&lock);
    return status;
}

enum kl_status kl_beside_set_aside(const struct kl_beside *kind, const char *path, char **moved,
                                   struct kl_error *err)
{
    size_t n_bytes = strlen(path) + strlen(kind->suffix) + sizeof ".old.4294967295";
    char *from = kl_beside_path(kind, path), *to = malloc(n_bytes);
    enum kl_status status = KL_OK;
    int failure = EEXIST;

    *moved = NULL;
    if (!from || !to) {
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory");
        goto out;
    }
    for (uint32_t i = 1; failure == EEXIST; i++) {
        if (i == 1)
            snprintf(to, n_bytes, "%s.old", from);
        else
            snprintf(to, n_bytes, "%s.old.%u", from, i);
        failure = renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) ? errno : 0;
    }
    if (failure && failure != ENOENT && failure != ENOTDIR) {
        status =
            kl_fail(err, KL_ERR_IO, "cannot move %s out of the way: %s", from, strerror(failure));
    } else if (!failure) {
        *moved = to;
        to = NULL;
    }
out:
    free(from);
    free(to);
    return status;
}
