#define _GNU_SOURCE /* renameat2 */
#include "db/file/draft.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "core/base/memory.h"

#define TRIES 100 /* at a name that others take and give up meanwhile */
#define LOOKS 5   /* at a lock that somebody may have for a moment, to see whether it is free */

struct kl_draft {
    char *path, *target;
    int fd; /* has the lock */
};

static enum kl_status cannot(const char *what, const char *path, struct kl_error *err)
{
    return kl_fail(err, errno == ENOSPC ? KL_ERR_FULL : KL_ERR_IO, "cannot %s %s: %s", what, path,
                   strerror(errno));
}

char *kl_draft_path(const char *target, const char *suffix)
{
    size_t n_bytes = strlen(target) + strlen(suffix) + 1;
    char *path = malloc(n_bytes);

    if (path)
        snprintf(path, n_bytes, "%s%s", target, suffix);
    return path;
}

static enum kl_status create(const char *target, const char *suffix, struct kl_draft **draft,
                             struct kl_error *err)
{
    enum kl_status status = kl_alloc(draft, 1, sizeof **draft, "a draft", err);

    if (status)
        return status;
    (*draft)->fd = -1;
    (*draft)->path = kl_draft_path(target, suffix);
    (*draft)->target = kl_draft_path(target, "");
    if (!(*draft)->path || !(*draft)->target)
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the name of %s", target);
    return status;
}

/* Locks what was opened; *is_mine: it is still what the name leads to. */
static enum kl_status lock(struct kl_draft *draft, int *is_mine, struct kl_error *err)
{
    const struct timespec moment = {0, 10 * 1000 * 1000};
    struct stat opened, named;
    int failed = flock(draft->fd, LOCK_EX | LOCK_NB);

    for (int i = 0; i < LOOKS && failed && errno == EWOULDBLOCK; i++) {
        nanosleep(&moment, NULL);
        failed = flock(draft->fd, LOCK_EX | LOCK_NB);
    }
    if (failed) {
        if (errno == EWOULDBLOCK)
            return kl_fail(err, KL_ERR_BUSY,
                           "%s is being written by another keylight: wait until it is done",
                           draft->path);
        return cannot("lock", draft->path, err);
    }
    if (fstat(draft->fd, &opened))
        return cannot("read", draft->path, err);
    if (!S_ISREG(opened.st_mode) || opened.st_nlink > 1)
        return kl_fail(err, KL_ERR_IO, "%s is not a file of its own: move it away", draft->path);
    *is_mine = !lstat(draft->path, &named) && opened.st_dev == named.st_dev &&
               opened.st_ino == named.st_ino;
    return KL_OK;
}

/* Opens and locks the file that is there, if there is one: *is_mine. */
static enum kl_status open_existing(struct kl_draft *draft, int *is_mine, struct kl_error *err)
{
    struct stat info;

    *is_mine = 0;
    if (draft->fd >= 0)
        close(draft->fd);
    draft->fd = -1;
    if (lstat(draft->path, &info))
        return errno == ENOENT ? KL_OK : cannot("read", draft->path, err);
    if (!S_ISREG(info.st_mode))
        return kl_fail(err, KL_ERR_IO, "%s is not a file of its own: move it away", draft->path);
    draft->fd = open(draft->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (draft->fd < 0)
        return errno == ENOENT ? KL_OK : cannot("write", draft->path, err);
    return lock(draft, is_mine, err);
}

/* Removes a file, if it is one, and nothing else that bears its name. */
static enum kl_status remove_file(const char *path, struct kl_error *err)
{
    struct stat info;

    if (lstat(path, &info))
        return errno == ENOENT ? KL_OK : cannot("remove", path, err);
    if (!S_ISREG(info.st_mode) || info.st_nlink > 1)
        return kl_fail(err, KL_ERR_IO, "%s is not a file of its own: move it away", path);
    return unlink(path) && errno != ENOENT ? cannot("remove", path, err) : KL_OK;
}

static enum kl_status remove_journal(const char *path, struct kl_error *err)
{
    char *journal = kl_draft_path(path, "-journal");
    enum kl_status status =
        journal ? remove_file(journal, err) : kl_fail(err, KL_ERR_MEMORY, "not enough memory");

    free(journal);
    return status;
}

/* Removes a draft: its journal first, which means nothing without it. */
static enum kl_status clear(const char *path, struct kl_error *err)
{
    enum kl_status status = remove_journal(path, err);

    return status ? status : remove_file(path, err);
}

/* A journal without its run would be taken for that of whatever run comes to stand there. */
static enum kl_status check_journal(const char *target, int replaces, struct kl_error *err)
{
    char *journal = kl_draft_path(target, "-journal");
    struct stat info;
    enum kl_status status = KL_OK;

    if (!journal)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory");
    if (!lstat(journal, &info) && (!replaces || !S_ISREG(info.st_mode) || info.st_nlink > 1))
        status = kl_fail(err, KL_ERR_IO,
                         "%s is not the journal of a run, but would be taken for that of %s: move "
                         "it away",
                         journal, target);
    free(journal);
    return status;
}

enum kl_status kl_draft_check_target(const char *target, int replaces, struct kl_error *err)
{
    struct stat info;

    if (stat(target, &info)) {
        if (errno != ENOENT && errno != ENOTDIR) /* the draft tells what is wrong with the folder */
            return cannot("write", target, err);
    } else if (!replaces) {
        return kl_fail(err, KL_ERR_EXISTS, "%s exists", target);
    } else if (!S_ISREG(info.st_mode)) {
        return kl_fail(err, KL_ERR_IO, "%s is not a file that can be replaced", target);
    }
    return check_journal(target, replaces, err);
}

static enum kl_status begin(struct kl_draft *draft, enum kl_leftover leftover, struct kl_error *err)
{
    for (int i = 0; i < TRIES; i++) {
        struct stat info;
        int is_mine = 0;
        enum kl_status status = open_existing(draft, &is_mine, err);

        if (status)
            return status;
        if (is_mine && leftover == KL_LEFTOVER_KEPT && !fstat(draft->fd, &info) && info.st_size > 0)
            return kl_fail(err, KL_ERR_EXISTS,
                           "%s is there, of a training of %s that was cut off, and can be gone on "
                           "with",
                           draft->path, draft->target);
        if (!is_mine && draft->fd >= 0)
            continue; /* its writer took it away in between */
        status = is_mine ? clear(draft->path, err) : check_journal(draft->path, 0, err);
        if (status)
            return status;
        if (draft->fd >= 0)
            close(draft->fd);
        draft->fd = open(draft->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);
        if (draft->fd < 0 && errno != EEXIST)
            return cannot("write", draft->path, err);
        if (draft->fd < 0)
            continue;
        status = lock(draft, &is_mine, err);
        if (status || is_mine)
            return status;
    }
    return kl_fail(err, KL_ERR_BUSY, "%s is being written by another keylight: try again",
                   draft->path);
}

enum kl_status kl_draft_begin(const char *target, const char *suffix, enum kl_leftover leftover,
                              struct kl_draft **out, struct kl_error *err)
{
    struct kl_draft *draft = NULL;
    enum kl_status status = create(target, suffix, &draft, err);

    if (!status)
        status = begin(draft, leftover, err);
    if (status) {
        kl_draft_free(draft);
        return status;
    }
    *out = draft;
    return KL_OK;
}

enum kl_status kl_draft_take(const char *target, const char *suffix, struct kl_draft **out,
                             struct kl_error *err)
{
    struct kl_draft *draft = NULL;
    int is_mine = 0;
    enum kl_status status = create(target, suffix, &draft, err);

    if (!status)
        status = open_existing(draft, &is_mine, err);
    if (!status && !is_mine)
        status = kl_fail(err, KL_ERR_NOT_FOUND, "there is no file %s", draft->path);
    if (status) {
        kl_draft_free(draft);
        return status;
    }
    *out = draft;
    return KL_OK;
}

enum kl_status kl_draft_check_room(const struct kl_draft *draft, const char *path, uint64_t n_bytes,
                                   struct kl_error *err)
{
    struct statvfs disk;
    uint64_t room;

    if (fstatvfs(draft->fd, &disk))
        return KL_OK; /* writing will tell */
    room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (room > n_bytes + n_bytes / 50)
        return KL_OK;
    return kl_fail(err, KL_ERR_FULL,
                   "%s has %.0f MB, and there are only %.0f MB left for what is to be written of "
                   "it: make room, or have it written to another disk",
                   path, (double)n_bytes / 1e6, (double)room / 1e6);
}

const char *kl_draft_name(const struct kl_draft *draft)
{
    return draft->path;
}

const char *kl_draft_target(const struct kl_draft *draft)
{
    return draft->target;
}

int kl_draft_file(const struct kl_draft *draft)
{
    return draft->fd;
}

/* What has happened to the names in a folder is on the disk. */
static void sync_folder(const char *path)
{
    char *copy = kl_draft_path(path, "");
    int fd = copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        (void)fsync(fd); /* where folders cannot be synced, there is nothing to do about it */
        close(fd);
    }
    free(copy);
}

/* Never over another file; RENAME_NOREPLACE is what disks without hard links have, too. */
static int rename_new(const char *from, const char *to)
{
    if (!renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE))
        return 0;
    if (errno != EINVAL || link(from, to))
        return -1;
    return unlink(from);
}

enum kl_status kl_draft_publish(struct kl_draft *draft, unsigned mode, int replaces,
                                struct kl_error *err)
{
    struct stat info;

    if (fstat(draft->fd, &info) ||
        fchmod(draft->fd, mode ? mode & 07777 : info.st_mode & 07777 & ~0222u) || fsync(draft->fd))
        return cannot("write", draft->path, err);
    if (strcmp(draft->path, draft->target) == 0)
        return KL_OK;
    if (kl_draft_check_target(draft->target, replaces, err) ||
        (replaces && remove_journal(draft->target, err)))
        return err->status;
    if (replaces ? rename(draft->path, draft->target) : rename_new(draft->path, draft->target)) {
        if (errno == EEXIST)
            return kl_fail(err, KL_ERR_EXISTS, "%s exists, so that %s is not given its name",
                           draft->target, draft->path);
        return cannot("write", draft->target, err);
    }
    sync_folder(draft->target);
    return KL_OK;
}

void kl_draft_remove(struct kl_draft *draft)
{
    struct kl_error ignored; /* whoever removes it has a failure of its own to tell */

    (void)clear(draft->path, &ignored);
}

void kl_draft_free(struct kl_draft *draft)
{
    if (!draft)
        return;
    if (draft->fd >= 0)
        close(draft->fd);
    free(draft->path);
    free(draft->target);
    free(draft);
}

int kl_draft_is_written(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
    int is_written = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;

    if (fd >= 0)
        close(fd);
    return is_written;
}
