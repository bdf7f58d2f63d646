#define _GNU_SOURCE /* renameat2 */
#include "db/upgrade.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "db/file/create.h"
#include "db/file/database.h"
#include "db/file/formats.h"
#include "db/file/rows.h"
#include "db/file/schema.h"
#include "db/migrations/from_4.h"
#include "db/file/run_row.h"
#include "db/writer.h"

#define PATH_BYTES 4096
#define COPY_BYTES ((size_t)1 << 20)

/* Files, and how far the work is. */
struct upgrade {
    const char *path;
    char beside[PATH_BYTES]; /* where the new file is written */
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
    struct statvfs disk;
    struct stat info;
    char folder[PATH_BYTES];
    uint64_t room;

    if (stat(upgrade->path, &info))
        return cannot("read", upgrade->path, err);
    upgrade->total_bytes = (uint64_t)info.st_size;
    snprintf(folder, sizeof folder, "%s", upgrade->beside);
    if (statvfs(dirname(folder), &disk))
        return KL_OK; /* writing will tell */
    room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room > upgrade->total_bytes + upgrade->total_bytes / 50)
        return KL_OK;
    return kl_fail(err, KL_ERR_FULL,
                   "%s has %.0f MB, and its disk only %.0f MB left for the new file beside it: "
                   "make room, or have it written to another disk",
                   upgrade->path, (double)upgrade->total_bytes / 1e6, (double)room / 1e6);
}

/* A format of tables like today's: the file is copied, then brought up to date in place. */
static enum kl_status copy_file(const struct upgrade *upgrade, struct kl_error *err)
{
    int from = open(upgrade->path, O_RDONLY | O_CLOEXEC);
    int to = from < 0 ? -1 : open(upgrade->beside, O_WRONLY | O_TRUNC | O_CLOEXEC);
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
                status = cannot("write", upgrade->beside, err);
        }
        done += (uint64_t)n;
        if (!status && upgrade->progress)
            upgrade->progress(upgrade->self, done, upgrade->total_bytes);
    }
    if (!status && n < 0)
        status = cannot("read", upgrade->path, err);
    if (to >= 0 && close(to) && !status)
        status = cannot("write", upgrade->beside, err);
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
    return status || !finished ? status : kl_run_row_finish(db, err);
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
    enum kl_status status = kl_db_open(upgrade->beside, KL_OPEN_WRITE, &db, err);

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

/* Gives the new file its name, and makes that last. */
static enum kl_status put_in_place(const struct upgrade *upgrade, const char *output,
                                   struct kl_error *err)
{
    const char *name = output ? output : upgrade->path;
    char folder[PATH_BYTES];
    struct stat info;
    int fd;

    if (!output && !stat(upgrade->path, &info))
        (void)chmod(upgrade->beside, info.st_mode & 07777); /* a convenience */
    /* Never over another file; RENAME_NOREPLACE is what disks without hard links have, too. */
    if (output ? renameat2(AT_FDCWD, upgrade->beside, AT_FDCWD, output, RENAME_NOREPLACE)
               : rename(upgrade->beside, upgrade->path)) {
        if (output && errno == EEXIST)
            return kl_fail(err, KL_ERR_EXISTS, "%s exists", output);
        if (!output || errno != EINVAL || link(upgrade->beside, output))
            return cannot("write", name, err);
        unlink(upgrade->beside);
    }
    snprintf(folder, sizeof folder, "%s", name);
    fd = open(dirname(folder), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        (void)fsync(fd); /* where folders cannot be synced, there is nothing to do about it */
        close(fd);
    }
    return KL_OK;
}

/* Takes the lock of the name beside, which whoever upgrades to it holds from begin to end: *fd is a
 * file "NAME.lock" that goes with it. Two upgrades would write into each other's file. */
static enum kl_status lock_beside(const char *path, char lock[PATH_BYTES], int *fd,
                                  struct kl_error *err)
{
    struct stat mine, named;

    if (snprintf(lock, PATH_BYTES, "%s.lock", path) >= PATH_BYTES)
        return kl_fail(err, KL_ERR_USAGE, "the path of the run file is too long");
    *fd = open(lock, O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (*fd < 0)
        return cannot("write", lock, err);
    /* The one before takes the file away while it still holds it: then this one is nobody's. */
    if (!flock(*fd, LOCK_EX | LOCK_NB) && !fstat(*fd, &mine) && !stat(lock, &named) &&
        mine.st_ino == named.st_ino && mine.st_dev == named.st_dev)
        return KL_OK;
    close(*fd);
    *fd = -1;
    return kl_fail(err, KL_ERR_BUSY, "%s is being written by another upgrade: wait for it", path);
}

/* An empty file of one's own, in the place of what a killed upgrade left. */
static enum kl_status begin_beside(const char *path, struct kl_error *err)
{
    enum kl_status status = kl_writer_remove(path, err);
    int fd;

    if (status)
        return status;
    fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
    if (fd < 0)
        return cannot("write", path, err);
    close(fd);
    return KL_OK;
}

static enum kl_status upgrade_locked(struct upgrade *upgrade, const char *output, int *from,
                                     struct kl_error *err)
{
    struct kl_error ignored;
    struct stat info;
    enum kl_status status = find_format(upgrade->path, from, err);

    if (status)
        return status;
    if (output && !lstat(output, &info))
        return kl_fail(err, KL_ERR_EXISTS, "%s exists", output);
    status = check_room(upgrade, err);
    if (!status)
        status = begin_beside(upgrade->beside, err);
    if (status)
        return status;
    status = write_new(upgrade, *from, err);
    if (!status)
        status = put_in_place(upgrade, output, err);
    if (status)
        (void)kl_writer_remove(upgrade->beside, &ignored); /* the failure itself is to be told */
    return status;
}

enum kl_status kl_upgrade(const char *path, const char *output, kl_upgrade_progress progress,
                          void *self, int *from, struct kl_error *err)
{
    struct upgrade upgrade = {.path = path, .progress = progress, .self = self};
    char *real = output ? NULL : realpath(path, NULL), lock[PATH_BYTES];
    int fd = -1;
    enum kl_status status = find_format(path, from, err);

    if (status)
        goto out;
    if (real)
        upgrade.path = real; /* a link stays one: what it leads to is upgraded */
    if (snprintf(upgrade.beside, PATH_BYTES, "%s.upgrading", output ? output : upgrade.path) >=
        PATH_BYTES)
        status = kl_fail(err, KL_ERR_USAGE, "the path of the run file is too long");
    if (!status)
        status = lock_beside(upgrade.beside, lock, &fd, err);
    if (status)
        goto out;
    status = upgrade_locked(&upgrade, output, from, err);
    unlink(lock);
out:
    if (fd >= 0)
        close(fd);
    free(real);
    return status;
}
