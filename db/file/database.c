#include "db/file/database.h"

#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "db/file/checksum.h"
#include "db/file/formats.h"
#include "db/file/schema.h"
#include "db/file/vfs.h"

static const char *file_of(sqlite3 *db)
{
    const char *path = sqlite3_db_filename(db, "main");

    return path && *path ? path : "the run file";
}

static enum kl_status cannot_open(const char *path, int number, struct kl_error *err)
{
    if (number == EMFILE || number == ENFILE)
        return kl_fail(err, KL_ERR_IO,
                       "cannot open %s: too many files are open; raise the limit (ulimit -n), or "
                       "split a run into fewer shards",
                       path);
    return kl_fail(err, KL_ERR_IO,
                   "cannot open %s: check that the file and its folder exist and are yours to use",
                   path);
}

enum kl_status kl_db_fail(sqlite3 *db, struct kl_error *err)
{
    const char *path = file_of(db);

    switch (sqlite3_errcode(db) & 0xff) {
    case SQLITE_FULL:
        return kl_fail(err, KL_ERR_FULL,
                       "no space left on the disk of %s, or for a file as large (ulimit -f): free "
                       "some, or raise the limit",
                       path);
    case SQLITE_NOTADB:
        return kl_fail(err, KL_ERR_FOREIGN, "%s is not a keylight run: name one", path);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return kl_fail(err, KL_ERR_BUSY,
                       "%s is being written by another keylight: wait until its training is done",
                       path);
    case SQLITE_CORRUPT:
        return kl_fail(err, KL_ERR_DAMAGED,
                       "%s is damaged: %s; restore it from a copy or train it again", path,
                       sqlite3_errmsg(db));
    case SQLITE_INTERRUPT: /* by its limit of steps */
        return kl_fail(err, KL_ERR_DAMAGED,
                       "%s is damaged: a table of it has more rows than the file has room for; "
                       "restore it from a copy or train it again",
                       path);
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
        return cannot_open(path, sqlite3_system_errno(db), err);
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

    kl_db_rewind(statement);
    return status;
}

void kl_db_rewind(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_stmt_status(statement, SQLITE_STMTSTATUS_VM_STEP, 1);
}

int kl_db_uint32(sqlite3_stmt *statement, int column, uint32_t most, uint32_t *value)
{
    sqlite3_int64 found = sqlite3_column_int64(statement, column);
    int is_good =
        sqlite3_column_type(statement, column) == SQLITE_INTEGER && found >= 0 && found <= most;

    *value = is_good ? (uint32_t)found : 0;
    return is_good;
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

/* The first bytes of a SQLite file (its fileformat2 document, section 1.3): what says that it is a
 * run is looked at before SQLite is let near it. */
enum {
    HEADER_BYTES = 100,
    AT_USER_VERSION = 60,
    AT_APPLICATION_ID = 68,
};

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static enum kl_status check_version(const char *path, uint32_t version, struct kl_error *err)
{
    if (version > INT32_MAX || version < 1)
        return kl_fail(err, KL_ERR_DAMAGED,
                       "%s has no format version: it is being written just now, or was cut off "
                       "before its first step, or is damaged; wait, or train it again",
                       path);
    if ((int)version > kl_format_version())
        return kl_fail(err, KL_ERR_NEWER,
                       "%s has format version %u, this keylight reads up to %d: use a newer "
                       "keylight",
                       path, version, kl_format_version());
    if (version < KL_OLDEST_FORMAT)
        return kl_fail(err, KL_ERR_FOREIGN,
                       "%s was written by an early keylight (format version %u, this one reads %d "
                       "and can bring %d up to date): train it again",
                       path, version, kl_format_version(), KL_OLDEST_FORMAT);
    if ((int)version < kl_format_version())
        return kl_fail(err, KL_ERR_OLDER,
                       "%s was written by an earlier keylight (format version %u, this one reads "
                       "%d)",
                       path, version, kl_format_version());
    return KL_OK;
}

/* Another program may have put a run into write-ahead mode: as long as its log is empty everything
 * is in the file, and it can be read. */
static enum kl_status check_log(const char *path, const unsigned char *header, struct kl_error *err)
{
    char *real = realpath(path, NULL), name[4096 + 8];
    struct stat info;
    int has_log;

    snprintf(name, sizeof name, "%s-wal", real ? real : path);
    free(real);
    if (header[KL_AT_WRITE_VERSION] == 1 && header[KL_AT_READ_VERSION] == 1)
        return KL_OK;
    has_log = stat(name, &info) == 0 && info.st_size > 0;
    if (!has_log && header[KL_AT_WRITE_VERSION] == 2 && header[KL_AT_READ_VERSION] == 2)
        return KL_OK;
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s has a write-ahead log, which keylight does not read: another program has "
                   "changed it; restore it from a copy, or have that program put it into rollback "
                   "mode (PRAGMA journal_mode = DELETE)",
                   path);
}

static enum kl_status check_header(const char *path, int may_be_older, struct kl_error *err)
{
    unsigned char header[HEADER_BYTES] = {0};
    static const unsigned char zeros[HEADER_BYTES];
    struct stat info;
    size_t n;
    FILE *file;

    if (stat(path, &info))
        return kl_fail(err, KL_ERR_NOT_FOUND, "there is no file %s", path);
    if (S_ISDIR(info.st_mode))
        return kl_fail(err, KL_ERR_FOREIGN, "%s is a folder, not a run file", path);
    if (!S_ISREG(info.st_mode))
        return kl_fail(err, KL_ERR_FOREIGN, "%s is not a file on a disk: name a run file", path);
    file = fopen(path, "rbe");
    if (!file)
        return cannot_open(path, errno, err);
    n = fread(header, 1, sizeof header, file);
    fclose(file);
    if (n == 0 || memcmp(header, zeros, sizeof header) == 0)
        return kl_fail(err, KL_ERR_EMPTY,
                       "%s is empty: it is not a keylight run, or its training was cut off before "
                       "it began",
                       path);
    if (n < sizeof header || memcmp(header, "SQLite format 3", 16) != 0 ||
        big_endian(header + AT_APPLICATION_ID) != KL_APPLICATION_ID)
        return kl_fail(err, KL_ERR_FOREIGN, "%s is not a keylight run: name one", path);
    if (check_version(path, big_endian(header + AT_USER_VERSION), err) &&
        !(may_be_older && err->status == KL_ERR_OLDER))
        return err->status;
    return check_log(path, header, err);
}

/* What stands beside a run under the name of its journal. */
enum journal {
    JOURNAL_NONE,    /* nothing that SQLite would take for one */
    JOURNAL_HOT,     /* of a writer that was cut off: it holds what the run was before */
    JOURNAL_FOREIGN, /* not a file of this run's alone, or one that names a super-journal */
};

static enum journal find_journal(const char *path)
{
    static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    unsigned char first = 0, tail[8] = {0};
    enum journal found = JOURNAL_NONE;
    struct stat info;
    FILE *file;

    if (lstat(path, &info))
        return JOURNAL_NONE;
    if (!S_ISREG(info.st_mode) || info.st_nlink != 1)
        return JOURNAL_FOREIGN;
    file = info.st_size > 0 ? fopen(path, "rbe") : NULL;
    if (!file)
        return info.st_size > 0 ? JOURNAL_FOREIGN : JOURNAL_NONE;
    if (fread(&first, 1, 1, file) == 1 && first)
        found = JOURNAL_HOT;
    if (fseek(file, -(long)sizeof tail, SEEK_END) == 0 &&
        fread(tail, 1, sizeof tail, file) == sizeof tail && !memcmp(tail, magic, sizeof magic))
        found = JOURNAL_FOREIGN; /* a name of a super-journal ends with these bytes */
    fclose(file);
    return found;
}

/* Takes a look at the file, so that whoever writes it is noticed, and at its journal: where that is
 * hot, what the file itself says may make no sense. */
static enum kl_status check_at_rest(sqlite3 *db, const char *path, struct kl_error *err)
{
    sqlite3_int64 version = 0;
    enum kl_status status = kl_db_integer(db, "PRAGMA user_version", &version, err);

    if (status != KL_ERR_BUSY &&
        find_journal(sqlite3_filename_journal(sqlite3_db_filename(db, "main"))) != JOURNAL_NONE)
        status = kl_fail(err, KL_ERR_UNFINISHED,
                         "%s is not finished: its training was cut off while it wrote (%s-journal "
                         "is there)",
                         path, path);
    return status;
}

/* A writer takes back what its journal says, if it is its own. */
static enum kl_status check_own_journal(const char *path, struct kl_error *err)
{
    char *real = realpath(path, NULL), *name = NULL;
    size_t n_bytes = strlen(real ? real : path) + sizeof "-journal";
    enum kl_status status = kl_alloc(&name, n_bytes, 1, "a name", err);

    if (!status) {
        snprintf(name, n_bytes, "%s-journal", real ? real : path);
        if (find_journal(name) == JOURNAL_FOREIGN)
            status = kl_fail(err, KL_ERR_FOREIGN,
                             "%s is not the journal of %s (it is no file of its own, or it names "
                             "another file to be removed): remove it",
                             name, path);
    }
    free(name);
    free(real);
    return status;
}

/* A row takes some ten bytes at least and some forty steps at most; what is small has some to begin
 * with. */
#define STEPS_OF_BYTE 4
#define STEPS_TO_BEGIN 10000000

static int too_many_steps(void *unused)
{
    (void)unused;
    return 1;
}

void kl_db_distrust(sqlite3 *db)
{
    struct stat info;
    uint64_t steps = STEPS_TO_BEGIN;

    if (!stat(file_of(db), &info))
        steps += STEPS_OF_BYTE * (uint64_t)info.st_size;
    sqlite3_progress_handler(db, steps < INT32_MAX ? (int)steps : INT32_MAX, too_many_steps, NULL);
}

void kl_db_trust(sqlite3 *db)
{
    sqlite3_progress_handler(db, 0, NULL, NULL);
}

/* What a stranger's file defines is not run, and what is read of it has an end. */
static void confine(sqlite3 *db, enum kl_open_mode mode)
{
    static const struct {
        int limit, value;
    } limits[] = {{SQLITE_LIMIT_ATTACHED, 0},        {SQLITE_LIMIT_SQL_LENGTH, 20000},
                  {SQLITE_LIMIT_COLUMN, 64},         {SQLITE_LIMIT_EXPR_DEPTH, 64},
                  {SQLITE_LIMIT_COMPOUND_SELECT, 4}, {SQLITE_LIMIT_FUNCTION_ARG, 64},
                  {SQLITE_LIMIT_TRIGGER_DEPTH, 0},   {SQLITE_LIMIT_VARIABLE_NUMBER, 64},
                  {SQLITE_LIMIT_WORKER_THREADS, 0},  {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 100}};

    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        sqlite3_limit(db, limits[i].limit, limits[i].value);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (mode != KL_OPEN_WRITE)
        kl_db_distrust(db);
}

enum kl_status kl_db_open(const char *path, enum kl_open_mode mode, sqlite3 **out,
                          struct kl_error *err)
{
    static const char *const queries[] = {"mode=rwc", "mode=ro", "mode=ro&immutable=1", "mode=ro"};
    char uri[4096 * 3 + 64];
    const char *vfs = NULL;
    sqlite3 *db = NULL;
    enum kl_status status = KL_OK;
    int flags =
        SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
        (mode == KL_OPEN_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);

    if (strlen(path) >= 4096)
        return kl_fail(err, KL_ERR_USAGE, "the path of the run file is too long");
    if (mode == KL_OPEN_WRITE ? check_own_journal(path, err)
                              : check_header(path, mode == KL_OPEN_OLDER, err))
        return err->status;
    if (kl_vfs(&vfs, err))
        return err->status;
    write_uri(path, queries[mode], uri, sizeof uri);
    if (sqlite3_open_v2(uri, &db, flags, vfs) != SQLITE_OK)
        status = db ? kl_db_fail(db, err)
                    : kl_fail(err, KL_ERR_MEMORY, "not enough memory to open %s", path);
    if (!status) {
        confine(db, mode);
        status = kl_checksum_register(db, err);
    }
    if (!status && (mode == KL_OPEN_READ || mode == KL_OPEN_OLDER))
        status = check_at_rest(db, path, err);
    if (!status && mode == KL_OPEN_IMMUTABLE) /* fetch pages, whatever the number says */
        status = kl_db_exec(db, "PRAGMA mmap_size = 1", err);
    if (status) {
        sqlite3_close(db);
        return status;
    }
    *out = db;
    return KL_OK;
}
