#include "db/database.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "db/mapping.h"
#include "db/schema.h"

static const char *file_of(sqlite3 *db)
{
    const char *path = sqlite3_db_filename(db, "main");

    return path && *path ? path : "the run file";
}

enum kl_status kl_db_fail(sqlite3 *db, struct kl_error *err)
{
    const char *path = file_of(db);

    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_FULL:
        return kl_fail(err, KL_ERR_FULL,
                       "no space left on the disk of %s: free some; a training goes on from its "
                       "last checkpoint with 'keylight train --resume'",
                       path);
    case SQLITE_NOTADB:
        return kl_fail(err, KL_ERR_FOREIGN,
                       "%s is not a keylight run: name a file that "
                       "'keylight train' wrote",
                       path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return kl_fail(err, KL_ERR_BUSY,
                       "%s is being written by another keylight: wait until its training is done",
                       path);
    case SQLITE_CORRUPT:
        return kl_fail(err, KL_ERR_DAMAGED,
                       "%s is damaged (%s): restore it from a copy or train it again", path,
                       sqlite3_errmsg(db));
    case SQLITE_CONSTRAINT:
    case SQLITE_ERROR:
    case SQLITE_MISMATCH:
        return kl_fail(err, KL_ERR_DAMAGED,
                       "%s does not have the tables of a keylight run (%s): restore it from a copy "
                       "or train it again",
                       path, sqlite3_errmsg(db));
    case SQLITE_NOMEM:
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory to read %s: close other programs",
                       path);
    case SQLITE_CANTOPEN:
        return kl_fail(err, KL_ERR_IO,
                       "cannot open %s: check that the file and its folder exist "
                       "and are yours to use",
                       path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return kl_fail(err, KL_ERR_IO,
                       "cannot write %s: check the permissions of the file and its "
                       "folder",
                       path);
    default:
        return kl_fail(err, KL_ERR_IO,
                       "cannot read or write %s (%s): check that its disk has space left and works",
                       path, sqlite3_errmsg(db));
    }
}

enum kl_status kl_db_exec(sqlite3 *db, const char *sql, struct kl_error *err)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? KL_OK : kl_db_fail(db, err);
}

enum kl_status kl_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement,
                             struct kl_error *err)
{
    return sqlite3_prepare_v2(db, sql, -1, statement, NULL) == SQLITE_OK ? KL_OK
                                                                         : kl_db_fail(db, err);
}

enum kl_status kl_db_next(sqlite3_stmt *statement, int *row, struct kl_error *err)
{
    int code = sqlite3_step(statement);

    if (code != SQLITE_ROW && code != SQLITE_DONE)
        return kl_db_fail(sqlite3_db_handle(statement), err);
    *row = code == SQLITE_ROW;
    return KL_OK;
}

enum kl_status kl_db_run(sqlite3_stmt *statement, struct kl_error *err)
{
    int row;
    enum kl_status status = kl_db_next(statement, &row, err);

    sqlite3_reset(statement);
    return status;
}

enum kl_status kl_db_integer(sqlite3 *db, const char *sql, sqlite3_int64 *value,
                             struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    enum kl_status status = kl_db_prepare(db, sql, &statement, err);

    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && !row)
        status =
            kl_fail(err, KL_ERR_DAMAGED,
                    "%s misses its run row: restore it from a copy or train it again", file_of(db));
    if (!status)
        *value = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return status;
}

/* Percent-encodes what has a meaning in a file: URI. */
static void write_uri(const char *path, const char *query, char *uri, size_t n_bytes)
{
    size_t used = (size_t)snprintf(uri, n_bytes, "file:");

    while (path[0] == '/' && path[1] == '/') /* "//" would start a host name */
        path++;
    for (; *path && used + 4 < n_bytes; path++) {
        if (strchr("%?#", *path))
            used += (size_t)snprintf(uri + used, n_bytes - used, "%%%02X", (unsigned char)*path);
        else
            uri[used++] = *path;
    }
    snprintf(uri + used, n_bytes - used, "?%s", query);
}

static enum kl_status check_identity(sqlite3 *db, const char *path, struct kl_error *err)
{
    sqlite3_int64 application = 0, version = 0;
    enum kl_status status = kl_db_integer(db, "PRAGMA application_id", &application, err);

    if (!status)
        status = kl_db_integer(db, "PRAGMA user_version", &version, err);
    if (!status && application != KL_APPLICATION_ID)
        status = kl_fail(err, KL_ERR_FOREIGN,
                         "%s is not a keylight run: name a file that 'keylight train' wrote", path);
    if (!status && version > KL_FORMAT_VERSION)
        status = kl_fail(err, KL_ERR_NEWER,
                         "%s has format version %lld, this keylight reads up to %d: use a newer "
                         "keylight",
                         path, (long long)version, KL_FORMAT_VERSION);
    if (!status && version >= 1 && version < KL_FORMAT_VERSION)
        status = kl_fail(err, KL_ERR_FOREIGN,
                         "%s was written by an earlier keylight (format version %lld, this one "
                         "reads %d): train it again",
                         path, (long long)version, KL_FORMAT_VERSION);
    if (!status && version < 1)
        status = kl_fail(err, KL_ERR_DAMAGED, "%s has no format version: it is damaged", path);
    return status;
}

enum kl_status kl_db_open(const char *path, enum kl_open_mode mode, sqlite3 **out,
                          struct kl_error *err)
{
    static const char *const queries[] = {"mode=rwc", "mode=rw", "mode=ro&immutable=1"};
    char uri[4096 * 3 + 64];
    const char *vfs = NULL; /* the system's */
    struct stat info;
    sqlite3 *db = NULL;
    enum kl_status status = KL_OK;
    int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX;

    flags |= mode == KL_OPEN_WRITE  ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
             : mode == KL_OPEN_READ ? SQLITE_OPEN_READWRITE /* or read only, if it has to be */
                                    : SQLITE_OPEN_READONLY;
    if (strlen(path) >= 4096)
        return kl_fail(err, KL_ERR_USAGE, "the path of the run file is too long");
    if (mode != KL_OPEN_WRITE && stat(path, &info))
        return kl_fail(err, KL_ERR_NOT_FOUND,
                       "there is no file %s: check the name, or make it with 'keylight train "
                       "--output %s'",
                       path, path);
    if (mode != KL_OPEN_WRITE && info.st_size == 0 && S_ISREG(info.st_mode))
        return kl_fail(
            err, KL_ERR_FOREIGN,
            "%s is empty: it is not a keylight run, or its training was cut off before it "
            "began; train it again with --force",
            path);
    if (stat(path, &info) == 0 && S_ISDIR(info.st_mode))
        return kl_fail(err, KL_ERR_FOREIGN, "%s is a folder, not a run file", path);
    if (mode == KL_OPEN_IMMUTABLE && kl_mapping_vfs(&vfs, err))
        return err->status;
    write_uri(path, queries[mode], uri, sizeof uri);
    if (sqlite3_open_v2(uri, &db, flags, vfs) != SQLITE_OK) {
        status = db ? kl_db_fail(db, err)
                    : kl_fail(err, KL_ERR_MEMORY, "not enough memory to open %s", path);
    } else if (mode != KL_OPEN_WRITE) {
        status = check_identity(db, path, err);
        if (!status && mode == KL_OPEN_IMMUTABLE) /* fetch pages, whatever the number says */
            status = kl_db_exec(db, "PRAGMA mmap_size = 1", err);
    }
    if (status) {
        sqlite3_close(db);
        return status;
    }
    *out = db;
    return KL_OK;
}
