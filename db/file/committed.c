#define _GNU_SOURCE /* F_OFD_SETLK */
#include "db/file/committed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "db/file/draft.h"

#define TRIES 5
#define SLICE ((size_t)8 << 20)     /* bytes copied at once */
#define SPARE ((uint64_t)256 << 20) /* bytes that are left on a disk that is copied to */
#define WANTED_AT ((off_t)1 << 62)  /* the byte that is locked while a file is copied */
#define TICK_NS (20 * 1000 * 1000)  /* longer than the clock that files are stamped by stands */
#define PAGE_MAX 65536

/* Where the parts of a journal's header are, of 28 bytes. */
enum { AT_COUNT = 8, AT_NONCE = 12, AT_PAGES = 16, AT_SECTOR = 20, AT_PAGE = 24, HEADER = 28 };

static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};

struct copying {
    const char *path, *copy;
    char *journal_path;
    int from, to, journal; /* or -1 */
    unsigned char start[HEADER];
    int has_journal; /* with a header in it: a transaction is under way, or was cut off */
    uint64_t page_bytes, n_pages;
    struct stat file_then, journal_then;
};

static uint32_t big_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static enum kl_status cannot(const char *what, const char *path, struct kl_error *err)
{
    return kl_fail(err, errno == ENOSPC ? KL_ERR_FULL : KL_ERR_IO, "cannot %s %s: %s", what, path,
                   strerror(errno));
}

static int lock_wanted(int fd, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = WANTED_AT, .l_len = 1};

    return fcntl(fd, F_OFD_SETLK, &lock);
}

int kl_committed_is_wanted(int fd)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = WANTED_AT, .l_len = 1};

    return !fcntl(fd, F_OFD_GETLK, &lock) && lock.l_type != F_UNLCK;
}

/* The header of the transaction under way: *has_journal: there is one. */
static enum kl_status read_header(const struct copying *copying, unsigned char header[HEADER],
                                  int *has_journal, struct kl_error *err)
{
    ssize_t n = copying->journal < 0 ? 0 : pread(copying->journal, header, HEADER, 0);

    if (n < 0)
        return cannot("read", copying->journal_path, err);
    *has_journal = n == HEADER && big_endian(header + AT_PAGE) != 0;
    return KL_OK;
}

/* Whether what was opened as the journal is a file of this run's alone, and names no other (as a
 * super-journal would, at its end). */
static int is_own_journal(const struct copying *copying)
{
    const struct stat *info = &copying->journal_then;
    unsigned char tail[sizeof magic];

    return S_ISREG(info->st_mode) && info->st_nlink == 1 &&
           !(info->st_size >= (off_t)sizeof tail &&
             pread(copying->journal, tail, sizeof tail, info->st_size - (off_t)sizeof tail) ==
                 (ssize_t)sizeof tail &&
             !memcmp(tail, magic, sizeof tail));
}

/* What is to be copied: the pages that were there before the transaction under way. */
static enum kl_status look(struct copying *copying, struct kl_error *err)
{
    unsigned char header[HEADER];
    uint64_t page;
    enum kl_status status;

    if (copying->journal >= 0)
        close(copying->journal);
    copying->journal = open(copying->journal_path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (copying->journal < 0 && errno != ENOENT)
        return kl_fail(err, KL_ERR_FOREIGN, "%s is not the journal of %s: move it away",
                       copying->journal_path, copying->path);
    if (fstat(copying->from, &copying->file_then) ||
        (copying->journal >= 0 && fstat(copying->journal, &copying->journal_then)))
        return cannot("read", copying->path, err);
    if (copying->journal >= 0 && !is_own_journal(copying))
        return kl_fail(err, KL_ERR_FOREIGN, "%s is not the journal of %s: move it away",
                       copying->journal_path, copying->path);
    status = read_header(copying, copying->start, &copying->has_journal, err);
    if (status)
        return status;
    if (copying->has_journal) {
        copying->page_bytes = big_endian(copying->start + AT_PAGE);
        copying->n_pages = big_endian(copying->start + AT_PAGES);
    } else {
        if (pread(copying->from, header, HEADER, 0) != HEADER)
            return kl_fail(err, KL_ERR_UNFINISHED, "%s has no checkpoint yet", copying->path);
        page = (uint64_t)header[16] << 8 | header[17];
        copying->page_bytes = page == 1 ? PAGE_MAX : page;
        copying->n_pages =
            copying->page_bytes ? (uint64_t)copying->file_then.st_size / copying->page_bytes : 0;
    }
    if (copying->page_bytes < 512 || copying->page_bytes > PAGE_MAX ||
        (copying->page_bytes & (copying->page_bytes - 1)))
        return kl_fail(err, KL_ERR_FOREIGN, "%s is not a keylight run: name one", copying->path);
    if (copying->n_pages == 0)
        return kl_fail(err, KL_ERR_UNFINISHED, "%s has no checkpoint yet", copying->path);
    return KL_OK;
}

/* The writer must not run out of room for what is only looked at. */
static enum kl_status check_room(const struct copying *copying, struct kl_error *err)
{
    uint64_t needed = copying->page_bytes * copying->n_pages;
    struct statvfs disk;

    if (fstatvfs(copying->to, &disk))
        return KL_OK; /* writing will tell */
    if ((uint64_t)disk.f_bavail * disk.f_frsize >= 2 * needed + SPARE)
        return KL_OK;
    return kl_fail(
        err, KL_ERR_FULL,
        "there is no room to look at %s while it is written: it takes a copy of %.0f MB, "
        "and as much is to be left in %s; make room, or name another folder by TMPDIR",
        copying->path, (double)needed / 1e6, copying->copy);
}

static enum kl_status put(const struct copying *copying, const void *bytes, size_t n_bytes,
                          uint64_t at, struct kl_error *err)
{
    ssize_t n = pwrite(copying->to, bytes, n_bytes, (off_t)at);

    if (n >= 0 && (size_t)n < n_bytes)
        errno = ENOSPC; /* what a disk says of the next write */
    return n == (ssize_t)n_bytes ? KL_OK : cannot("write", copying->copy, err);
}

static enum kl_status copy_pages(const struct copying *copying, struct kl_error *err)
{
    uint64_t n_bytes = copying->page_bytes * copying->n_pages, done = 0;
    size_t slice = n_bytes < SLICE ? (size_t)n_bytes : SLICE;
    char *buffer = NULL;
    enum kl_status status = kl_alloc(&buffer, slice, 1, "a copy", err);

    while (!status && done < n_bytes) {
        size_t want = n_bytes - done < slice ? (size_t)(n_bytes - done) : slice;
        ssize_t n = pread(copying->from, buffer, want, (off_t)done);

        if (n < 0)
            status = cannot("read", copying->path, err);
        else if (n == 0)
            status = kl_fail(err, KL_ERR_BUSY, "%s was cut off while it was read: try again",
                             copying->path);
        else
            status = put(copying, buffer, (size_t)n, done, err);
        done += n > 0 ? (uint64_t)n : 0;
    }
    free(buffer);
    return status;
}

/* The sum that a journal keeps of a page. */
static uint32_t sum_of(const unsigned char *page, uint64_t page_bytes, uint32_t nonce)
{
    for (int64_t i = (int64_t)page_bytes - 200; i > 0; i -= 200)
        nonce += page[i];
    return nonce;
}

/* Puts the pages of one part of the journal back into the copy; *at is where it begins, and then
 * where the next one does. Only what the writer has synced is there to be used: it changes no page
 * before. *is_last: there is no more of it. */
static enum kl_status put_back_part(const struct copying *copying, unsigned char *record,
                                    uint64_t *at, int *is_last, struct kl_error *err)
{
    unsigned char header[HEADER];
    uint64_t size = copying->page_bytes + 8;
    uint32_t count, sector, nonce;

    *is_last = pread(copying->journal, header, HEADER, (off_t)*at) != HEADER ||
               memcmp(header, magic, sizeof magic) != 0;
    if (*is_last)
        return KL_OK;
    count = big_endian(header + AT_COUNT);
    nonce = big_endian(header + AT_NONCE);
    sector = *at ? big_endian(copying->start + AT_SECTOR) : big_endian(header + AT_SECTOR);
    if (sector < HEADER || sector > PAGE_MAX)
        return kl_fail(err, KL_ERR_FOREIGN, "%s is no journal: move it away",
                       copying->journal_path);
    *at += sector;
    for (uint32_t i = 0; i < count; i++, *at += size) {
        uint32_t number;

        if (pread(copying->journal, record, size, (off_t)*at) != (ssize_t)size ||
            sum_of(record + 4, copying->page_bytes, nonce) != big_endian(record + size - 4)) {
            *is_last = 1; /* what was not synced is not needed */
            return KL_OK;
        }
        number = big_endian(record);
        if (number >= 1 && number <= copying->n_pages &&
            put(copying, record + 4, copying->page_bytes, (number - 1) * copying->page_bytes, err))
            return err->status;
    }
    *at = (*at + sector - 1) / sector * sector;
    return KL_OK;
}

static enum kl_status put_back(const struct copying *copying, struct kl_error *err)
{
    unsigned char *record = NULL;
    uint64_t at = 0;
    int is_last = !copying->has_journal;
    enum kl_status status = kl_alloc(&record, copying->page_bytes + 8, 1, "a page", err);

    while (!status && !is_last)
        status = put_back_part(copying, record, &at, &is_last, err);
    free(record);
    return status;
}

static int is_older(struct timespec one, struct timespec other)
{
    return one.tv_sec < other.tv_sec || (one.tv_sec == other.tv_sec && one.tv_nsec < other.tv_nsec);
}

/* Whether nothing was committed since the copy was begun. */
static enum kl_status check_still(const struct copying *copying, int *is_still,
                                  struct kl_error *err)
{
    unsigned char now[HEADER];
    struct stat file, journal = {0}, named = {0};
    int has_journal = 0;
    enum kl_status status = read_header(copying, now, &has_journal, err);

    if (status)
        return status;
    if (fstat(copying->from, &file) || (copying->journal >= 0 && fstat(copying->journal, &journal)))
        return cannot("read", copying->path, err);
    if (copying->has_journal) { /* every transaction has a number of its own */
        *is_still =
            has_journal && !memcmp(now + AT_NONCE, copying->start + AT_NONCE, HEADER - AT_NONCE);
        return KL_OK;
    }
    *is_still = !has_journal && (copying->journal >= 0) == !lstat(copying->journal_path, &named) &&
                !is_older(copying->file_then.st_mtim, file.st_mtim) &&
                !is_older(copying->journal_then.st_mtim, journal.st_mtim);
    return KL_OK;
}

static enum kl_status try_copy(struct copying *copying, int *is_still, struct kl_error *err)
{
    const struct timespec tick = {0, TICK_NS};
    enum kl_status status = look(copying, err);

    if (!status && !copying->has_journal) { /* so that a change will show in the times */
        nanosleep(&tick, NULL);
        status = look(copying, err);
    }
    if (!status)
        status = check_room(copying, err);
    if (!status && ftruncate(copying->to, 0))
        status = cannot("write", copying->copy, err);
    if (!status)
        status = copy_pages(copying, err);
    if (!status)
        status = put_back(copying, err);
    return status ? status : check_still(copying, is_still, err);
}

static enum kl_status copy_locked(struct copying *copying, struct kl_error *err)
{
    int is_still = 0;
    enum kl_status status = KL_OK;

    for (int i = 0; !status && !is_still && i < TRIES; i++)
        status = try_copy(copying, &is_still, err);
    if (status || is_still)
        return status;
    return kl_fail(err, KL_ERR_BUSY, "%s has checkpoints faster than it can be copied: try again",
                   copying->path);
}

enum kl_status kl_committed_copy(const char *path, const char *copy, struct kl_error *err)
{
    struct copying copying = {.path = path, .copy = copy, .from = -1, .to = -1, .journal = -1};
    enum kl_status status = KL_OK;

    copying.journal_path = kl_draft_path(path, "-journal");
    if (!copying.journal_path)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for a name");
    copying.from = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (copying.from < 0)
        status = errno == ENOENT ? kl_fail(err, KL_ERR_NOT_FOUND, "there is no file %s", path)
                                 : cannot("read", path, err);
    if (!status) {
        copying.to = open(copy, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
        if (copying.to < 0)
            status = cannot("write", copy, err);
    }
    if (!status) {
        (void)lock_wanted(copying.from, F_RDLCK); /* where it cannot be had, luck must help */
        status = copy_locked(&copying, err);
    }
    if (copying.journal >= 0)
        close(copying.journal);
    if (copying.from >= 0)
        close(copying.from); /* and the lock is gone */
    if (copying.to >= 0 && close(copying.to) && !status)
        status = cannot("write", copy, err);
    if (status && copying.to >= 0)
        unlink(copy);
    free(copying.journal_path);
    return status;
}
