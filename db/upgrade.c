#include "db/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "db/file/create.h"
#include "db/file/database.h"
#include "db/file/draft.h"
#include "db/file/formats.h"
#include "db/file/rows.h"
#include "db/file/schema.h"
#include "db/migrations/from_4.h"
#include "db/file/run_row.h"

#define COPY_BYTES ((size_t)1 << 20)

/* Files, and how far the work is. */
struct upgrade {
    const char *path;
    struct kl_draft *draft; /* the new file, while it is written */
    uint64_t total_bytes;
    kl_upgrade_progress progress;
    void *self;
};

static enum kl_status cannot(const char *what, const char *path, struct kl_error *err)
{
    return kl_fail(err, errno == ENOSPC ? KL_ERR_FULL : KL_ERR_IO, "cannot %s %s: %s", what, path,
                   strerror(errno));
}

int kl_upgrade_format(void)
{
    return kl_format_version();
}

/* The format of the run. What a writer that was killed did not commit is taken back first. */
static enum kl_status find_format(const char *path, int *format, struct kl_error *err)
{
    sqlite3 *db = NULL;
    sqlite3_int64 version = 0;
    enum kl_status status = kl_db_open(path, KL_OPEN_OLDER, &db, err);

    if (status == KL_ERR_UNFINISHED) {
        status = kl_db_open(path, KL_OPEN_WRITE, &db, err);
        if (!status)
            status = kl_db_exec(db, "BEGIN IMMEDIATE; ROLLBACK", err);
        sqlite3_close(db);
        db = NULL;
        if (!status)
            status = kl_db_open(path, KL_OPEN_OLDER, &db, err);
    }
    if (!status)
        status = kl_db_integer(db, "PRAGMA user_version", &version, err);
    sqlite3_close(db);
    if (status)
        return status;
    *format = (int)version;
    return version < kl_format_version()
               ? KL_OK
               : kl_fail(err, KL_ERR_USAGE, "%s is up to date: it has format %d", path, *format);
}

/* Both files stand side by side for a while. */
static enum kl_status check_room(struct upgrade *upgrade, struct kl_error *err)
{
    struct stat info;

    if (stat(upgrade->path, &info))
        return cannot("read", upgrade->path, err);
    upgrade->total_bytes = (uint64_t)info.st_size;
    return kl_draft_check_room(upgrade->draft, upgrade->path, upgrade->total_bytes, err);
}

/* A format of tables like today's: the file is copied, then brought up to date in place. */
static enum kl_status copy_file(const struct upgrade *upgrade, struct kl_error *err)
{
    int from = open(upgrade->path, O_RDONLY | O_CLOEXEC);
    int to = from < 0 ? -1 : open(kl_draft_name(upgrade->draft), O_WRONLY | O_TRUNC | O_CLOEXEC);
    char *buffer = NULL;
    uint64_t done = 0;
    ssize_t n = 1;
    enum kl_status status = kl_alloc(&buffer, COPY_BYTES, 1, "a copy", err);

    if (!status && (from < 0 || to < 0))
        status = cannot("copy", upgrade->path, err);
    while (!status && (n = read(from, buffer, COPY_BYTES)) > 0) {
        for (ssize_t at = 0, put; !status && at < n; at += put) {
            put = write(to, buffer + at, (size_t)(n - at));
            if (put < 0)
                status = cannot("write", kl_draft_name(upgrade->draft), err);
        }
        done += (uint64_t)n;
        if (!status && upgrade->progress)
            upgrade->progress(upgrade->self, done, upgrade->total_bytes);
    }
    if (!status && n < 0)
        status = cannot("read", upgrade->path, err);
    if (to >= 0 && close(to) && !status)
        status = cannot("write", kl_draft_name(upgrade->draft), err);
    if (from >= 0)
        close(from);
    free(buffer);
    return status;
}

static enum kl_status advance(const struct upgrade *upgrade, sqlite3 *db, int from,
                              struct kl_error *err)
{
    sqlite3_int64 finished = 0;
    enum kl_status status = copy_file(upgrade, err);

    if (!status)
        status = kl_db_exec(db, "BEGIN IMMEDIATE", err);
    if (!status)
        status = kl_db_advance(db, from, err);
    if (!status)
        status = kl_db_integer(db, "SELECT finished FROM run", &finished, err);
    return status || !finished ? status : kl_run_row_finish(db, db, err);
}

static enum kl_status rewrite_from_4(const struct upgrade *upgrade, sqlite3 *db,
                                     struct kl_error *err)
{
    sqlite3 *old = NULL;
    enum kl_status status = kl_db_create(db, err);

    if (!status)
        status = kl_db_open(upgrade->path, KL_OPEN_OLDER, &old, err);
    if (!status) /* all of it as it is now */
        status = kl_db_exec(old, "BEGIN", err);
    if (!status)
        status =
            kl_rewrite_from_4(old, db, upgrade->total_bytes, upgrade->progress, upgrade->self, err);
    sqlite3_close(old);
    return status;
}

/* Writes the new file, which is there and empty, to its end. */
static enum kl_status write_new(const struct upgrade *upgrade, int from, struct kl_error *err)
{
    sqlite3 *db = NULL;
    enum kl_status status = kl_db_open(kl_draft_name(upgrade->draft), KL_OPEN_WRITE, &db, err);

    if (!status)
        status = kl_db_exec(db, "PRAGMA locking_mode = EXCLUSIVE", err);
    if (!status)
        status = from < KL_SCHEMA_VERSION ? rewrite_from_4(upgrade, db, err)
                                          : advance(upgrade, db, from, err);
    if (!status)
        status = kl_db_exec(db, "COMMIT", err); /* and what it wrote is on the disk */
    sqlite3_close(db);
    return status;
}

/* Into a draft of its own, which becomes the run when it is whole. */
static enum kl_status upgrade_into(struct upgrade *upgrade, const char *output, int *from,
                                   struct kl_error *err)
{
    struct stat info;
    enum kl_status status = find_format(upgrade->path, from, err); /* nobody else upgrades it now */

    if (!status && output && !lstat(output, &info))
        return kl_fail(err, KL_ERR_EXISTS, "%s exists", output);
    if (!status)
        status = check_room(upgrade, err);
    if (!status)
        status = write_new(upgrade, *from, err);
    if (!status && stat(upgrade->path, &info))
        status = cannot("read", upgrade->path, err);
    return status ? status : kl_draft_publish(upgrade->draft, info.st_mode, !output, err);
}

enum kl_status kl_upgrade(const char *path, const char *output, kl_upgrade_progress progress,
                          void *self, int *from, struct kl_error *err)
{
    struct upgrade upgrade = {.path = path, .progress = progress, .self = self};
    char *real = output ? NULL : realpath(path, NULL);
    enum kl_status status = find_format(path, from, err);

    if (real)
        upgrade.path = real; /* a link stays one: what it leads to is upgraded */
    if (!status)
        status = kl_draft_begin(output ? output : upgrade.path, ".upgrading", KL_LEFTOVER_REPLACED,
                                &upgrade.draft, err);
    if (!status) {
        status = upgrade_into(&upgrade, output, from, err);
        if (status)
            kl_draft_remove(upgrade.draft);
    }
    kl_draft_free(upgrade.draft);
    free(real);
    return status;
}
