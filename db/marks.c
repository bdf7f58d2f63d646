#define _GNU_SOURCE /* renameat2 */
#include "db/marks.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "db/file/database.h"

#define APPLICATION_ID 0x6b6c6d6b /* "klmk" */
#define VERSION 1

#define PATIENCE_MS 5000      /* for another server of the same run */
#define VALUE_BYTES (1 << 20) /* no value of a mark is longer, whatever a file computes */

/* One connection at a time: marks come from people's hands. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const names[KL_N_DECISIONS] = {"wrong", "fine", "unsure"};

const char *kl_decision_name(enum kl_decision decision)
{
    return names[decision];
}

int kl_decision_parse(const char *name, enum kl_decision *decision)
{
    for (int i = 0; i < KL_N_DECISIONS; i++)
        if (!strcmp(name, names[i])) {
            *decision = (enum kl_decision)i;
            return 0;
        }
    return -1;
}

char *kl_marks_path(const struct kl_run *run)
{
    size_t n_bytes = strlen(run->path) + sizeof ".marks";
    char *path = malloc(n_bytes);

    if (path)
        snprintf(path, n_bytes, "%s.marks", run->path);
    return path;
}

static enum kl_status create(sqlite3 *db, const struct kl_run *run, struct kl_error *err)
{
    char sql[1200];

    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE;"
             "PRAGMA application_id = %d; PRAGMA user_version = %d;"
             "CREATE TABLE IF NOT EXISTS run (fingerprint TEXT NOT NULL) STRICT;"
             "CREATE TABLE IF NOT EXISTS mark (sample INTEGER PRIMARY KEY, dataset TEXT NOT NULL,"
             " split TEXT NOT NULL, position INTEGER NOT NULL, file TEXT,"
             " decision TEXT NOT NULL CHECK (decision IN ('wrong', 'fine', 'unsure')),"
             " label INTEGER, class TEXT, time TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP) STRICT;"
             "INSERT INTO run SELECT '%s' WHERE NOT EXISTS (SELECT 1 FROM run); COMMIT",
             APPLICATION_ID, VERSION, run->fingerprint);
    return kl_db_exec(db, sql, err);
}

/* Whether an open file is one of marks, and of this run. */
static enum kl_status check(sqlite3 *db, const char *path, const struct kl_run *run,
                            struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 id = 0, version = 0;
    int row = 0, is_same = 0;
    enum kl_status status = kl_db_integer(db, "PRAGMA application_id", &id, err);

    if (!status)
        status = kl_db_integer(db, "PRAGMA user_version", &version, err);
    if (!status && (id != APPLICATION_ID || version != VERSION))
        return kl_fail(err, KL_ERR_FOREIGN,
                       "%s is no file of marks that this keylight reads: move it away", path);
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
                         "%s has the marks of another run, which %s replaced: move it away", path,
                         run->path);
    return status;
}

/* What SQLite refused, in words of marks; sentences of our own stay. */
static enum kl_status reword(sqlite3 *db, enum kl_status status, const char *path,
                             struct kl_error *err)
{
    switch (db ? sqlite3_errcode(db) & 0xff : SQLITE_OK) {
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
        return kl_fail(err, KL_ERR_DAMAGED, "%s cannot be read as marks (%s): move it away", path,
                       sqlite3_errmsg(db));
    default:
        return status;
    }
}

/* *db is NULL where there is no file and none is to be made. */
static enum kl_status open_marks(const struct kl_run *run, int makes, sqlite3 **db,
                                 struct kl_error *err)
{
    char *path = kl_marks_path(run);
    struct stat info;
    int is_found = path && lstat(path, &info) == 0, is_there = is_found && info.st_size > 0;
    enum kl_status status = path ? KL_OK : kl_fail(err, KL_ERR_MEMORY, "not enough memory");

    *db = NULL;
    if (!status && is_found && (!S_ISREG(info.st_mode) || info.st_nlink != 1))
        status = kl_fail(err, KL_ERR_FOREIGN, "%s is no file of its own: move it away", path);
    if (status || (!is_there && !makes))
        goto out;
    status = kl_db_open(path, KL_OPEN_WRITE, db, err);
    if (!status) {
        sqlite3_busy_timeout(*db, PATIENCE_MS);
        sqlite3_limit(*db, SQLITE_LIMIT_LENGTH, VALUE_BYTES);
    }
    if (!status && !is_there)
        status = create(*db, run, err);
    if (!status)
        status = check(*db, path, run, err);
    if (status) {
        status = reword(*db, status, path, err);
        sqlite3_close(*db);
        *db = NULL;
    }
out:
    free(path);
    return status;
}

/* How many classes a sample can be of. */
static int64_t n_classes_of(const struct kl_run *run, uint32_t sample)
{
    return run->data.datasets[kl_collection_place(&run->data, sample).dataset]->n_classes;
}

static enum kl_status read_marks(sqlite3 *db, const struct kl_run *run, struct kl_mark **out,
                                 uint32_t *n, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 total = 0;
    int row = 1;
    enum kl_status status = kl_db_integer(db, "SELECT count(*) FROM mark", &total, err);

    if (!status)
        status = kl_alloc(out, (size_t)total, sizeof **out, "the marks", err);
    if (!status)
        status = kl_db_prepare(db, "SELECT sample, decision, label FROM mark ORDER BY sample",
                               &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row && *n < total) {
        const char *name = (const char *)sqlite3_column_text(statement, 1);
        sqlite3_int64 sample = sqlite3_column_int64(statement, 0);
        struct kl_mark *mark = &(*out)[*n];

        if (sample < 0 || sample >= kl_collection_size(&run->data) || !name ||
            kl_decision_parse(name, &mark->decision) ||
            (*n && (*out)[*n - 1].sample == (uint32_t)sample))
            continue;
        mark->sample = (uint32_t)sample;
        mark->label = sqlite3_column_type(statement, 2) == SQLITE_NULL
                          ? -1
                          : sqlite3_column_int64(statement, 2);
        if (mark->label < 0 || mark->label >= n_classes_of(run, mark->sample))
            mark->label = -1;
        ++*n;
    }
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_marks_read(const struct kl_run *run, struct kl_mark **marks, uint32_t *n,
                             struct kl_error *err)
{
    sqlite3 *db = NULL;
    enum kl_status status;

    *marks = NULL;
    *n = 0;
    pthread_mutex_lock(&lock);
    status = open_marks(run, 0, &db, err);
    if (!status && db)
        status = read_marks(db, run, marks, n, err);
    if (status && db)
        status = reword(db, status, sqlite3_db_filename(db, "main"), err);
    sqlite3_close(db);
    pthread_mutex_unlock(&lock);
    if (status) {
        free(*marks);
        *marks = NULL;
    }
    return status;
}

static enum kl_status write_mark(sqlite3 *db, const struct kl_run *run, const struct kl_mark *mark,
                                 struct kl_error *err)
{
    struct kl_sample_place place = kl_collection_place(&run->data, mark->sample);
    const struct kl_dataset *dataset = run->data.datasets[place.dataset];
    sqlite3_stmt *statement = NULL;
    enum kl_status status = kl_db_prepare(
        db,
        mark->decision == KL_N_DECISIONS
            ? "DELETE FROM mark WHERE sample = ?1"
            : "INSERT OR REPLACE INTO mark (sample, dataset, split, position, file, decision, "
              "label, class) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        &statement, err);

    if (status)
        return status;
    sqlite3_bind_int64(statement, 1, mark->sample);
    if (mark->decision != KL_N_DECISIONS) {
        sqlite3_bind_text(statement, 2, dataset->name, -1, SQLITE_STATIC);
        sqlite3_bind_text(statement, 3, kl_split_name(place.split), -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 4, place.index);
        sqlite3_bind_text(statement, 5, kl_dataset_path(dataset, place.split, place.index), -1,
                          SQLITE_STATIC);
        sqlite3_bind_text(statement, 6, names[mark->decision], -1, SQLITE_STATIC);
        if (mark->label >= 0) {
            sqlite3_bind_int64(statement, 7, mark->label);
            sqlite3_bind_text(statement, 8, kl_dataset_class_name(dataset, (uint32_t)mark->label),
                              -1, SQLITE_STATIC);
        }
    }
    status = kl_db_run(statement, err);
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_marks_set(const struct kl_run *run, const struct kl_mark *mark,
                            struct kl_error *err)
{
    sqlite3 *db = NULL;
    enum kl_status status;

    if (mark->sample >= kl_collection_size(&run->data))
        return kl_fail_on(err, KL_ERR_NOT_FOUND, "sample", "there is no sample %u", mark->sample);
    if (mark->label >= n_classes_of(run, mark->sample))
        return kl_fail_on(err, KL_ERR_USAGE, "label", "label is 0 to %lld",
                          (long long)n_classes_of(run, mark->sample) - 1);
    pthread_mutex_lock(&lock);
    status = open_marks(run, mark->decision != KL_N_DECISIONS, &db, err);
    if (!status && db)
        status = write_mark(db, run, mark, err);
    if (status && db)
        status = reword(db, status, sqlite3_db_filename(db, "main"), err);
    sqlite3_close(db);
    pthread_mutex_unlock(&lock);
    return status;
}

enum kl_status kl_marks_set_aside(const char *path, char **moved, struct kl_error *err)
{
    size_t n_bytes = strlen(path) + sizeof ".marks.old.4294967295";
    char *from = malloc(n_bytes), *to = malloc(n_bytes);
    enum kl_status status = KL_OK;
    int failure = EEXIST;

    *moved = NULL;
    if (!from || !to) {
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory");
        goto out;
    }
    snprintf(from, n_bytes, "%s.marks", path);
    for (uint32_t i = 1; failure == EEXIST; i++) {
        if (i == 1)
            snprintf(to, n_bytes, "%s.marks.old", path);
        else
            snprintf(to, n_bytes, "%s.marks.old.%u", path, i);
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
