#include "db/file/vfs.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#define READ_BEHIND 256 /* bytes */

/* A connection's run: the system's file, which lies behind it, does all but the reading. */
struct run_file {
    sqlite3_file base; /* first, so that a pointer to it is one to this */
    struct run_file *next;
    const char *path;           /* SQLite's, valid while the file is open; NULL: read only */
    struct kl_mapping *mapping; /* of a run that is read, or NULL */
    sqlite3_file real[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the list */
static struct run_file *written;                         /* the runs that are open for writing */

static struct run_file *own(sqlite3_file *file)
{
    return (struct run_file *)file;
}

static void list_written(struct run_file *file)
{
    pthread_mutex_lock(&lock);
    file->next = written;
    written = file;
    pthread_mutex_unlock(&lock);
}

static void unlist_written(struct run_file *file)
{
    struct run_file **link = &written;

    pthread_mutex_lock(&lock);
    while (*link && *link != file)
        link = &(*link)->next;
    if (*link)
        *link = file->next;
    pthread_mutex_unlock(&lock);
}

/* Whether path is a run that is open for writing, followed by suffix. */
static int is_written(const char *path, const char *suffix)
{
    size_t length = strlen(path), tail = strlen(suffix);
    int found = 0;

    if (length < tail || strcmp(path + length - tail, suffix) != 0)
        return 0;
    pthread_mutex_lock(&lock);
    for (const struct run_file *file = written; file && !found; file = file->next)
        found = strlen(file->path) == length - tail && memcmp(file->path, path, length - tail) == 0;
    pthread_mutex_unlock(&lock);
    return found;
}

static int close_file(sqlite3_file *file)
{
    if (own(file)->path)
        unlist_written(own(file));
    kl_mapping_release(own(file)->mapping);
    return own(file)->real->pMethods->xClose(own(file)->real);
}

/* Whether n bytes at an offset are all in memory. */
static int is_mapped(const struct run_file *file, sqlite3_int64 offset, int n)
{
    return file->mapping && offset >= 0 && n >= 0 &&
           (uint64_t)offset + (uint64_t)n <= file->mapping->n_bytes;
}

static int read_file(sqlite3_file *file, void *out, int n, sqlite3_int64 offset)
{
    int code = SQLITE_OK;

    if (is_mapped(own(file), offset, n))
        memcpy(out, own(file)->mapping->bytes + offset, (size_t)n);
    else
        code = own(file)->real->pMethods->xRead(own(file)->real, out, n, offset);
    if (!own(file)->path && code == SQLITE_OK && offset <= KL_AT_WRITE_VERSION &&
        offset + n > KL_AT_READ_VERSION) /* whose log is empty is read as what has none */
        memset((unsigned char *)out + (KL_AT_WRITE_VERSION - offset), 1, 2);
    return code;
}

/* Of a damaged page SQLite may read some bytes behind its end, so the last page is read as any
 * other file's; and so is the first, for what read_file does with it. */
static int fetch(sqlite3_file *file, sqlite3_int64 offset, int n, void **out)
{
    *out = offset > 0 && is_mapped(own(file), offset, n + READ_BEHIND)
               ? (void *)(uintptr_t)(own(file)->mapping->bytes + offset)
               : NULL;
    return SQLITE_OK;
}

static int unfetch(sqlite3_file *file, sqlite3_int64 offset, void *page)
{
    (void)file;
    (void)offset;
    (void)page;
    return SQLITE_OK;
}

/* A file that may not grow any more is a full disk. */
static int write_file(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
    int code;

    if (!own(file)->path)
        return SQLITE_READONLY;
    errno = 0;
    code = own(file)->real->pMethods->xWrite(own(file)->real, bytes, n, offset);
    return code == SQLITE_IOERR_WRITE && errno == EFBIG ? SQLITE_FULL : code;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    return own(file)->path ? own(file)->real->pMethods->xTruncate(own(file)->real, size)
                           : SQLITE_READONLY;
}

static int sync_file(sqlite3_file *file, int flags)
{
    return own(file)->real->pMethods->xSync(own(file)->real, flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    return own(file)->real->pMethods->xFileSize(own(file)->real, size);
}

static int lock_file(sqlite3_file *file, int level)
{
    return own(file)->real->pMethods->xLock(own(file)->real, level);
}

static int unlock_file(sqlite3_file *file, int level)
{
    return own(file)->real->pMethods->xUnlock(own(file)->real, level);
}

static int check_reserved(sqlite3_file *file, int *is_reserved)
{
    return own(file)->real->pMethods->xCheckReservedLock(own(file)->real, is_reserved);
}

/* The size of SQLite's own mapping is none of the real file's business. */
static int control(sqlite3_file *file, int operation, void *argument)
{
    if (operation == SQLITE_FCNTL_MMAP_SIZE)
        return SQLITE_OK;
    return own(file)->real->pMethods->xFileControl(own(file)->real, operation, argument);
}

static int sector_size(sqlite3_file *file)
{
    return own(file)->real->pMethods->xSectorSize(own(file)->real);
}

static int characteristics(sqlite3_file *file)
{
    return own(file)->real->pMethods->xDeviceCharacteristics(own(file)->real);
}

#define EVERY_METHOD                                                                               \
    .xClose = close_file, .xRead = read_file, .xWrite = write_file, .xTruncate = truncate_file,    \
    .xSync = sync_file, .xFileSize = file_size, .xLock = lock_file, .xUnlock = unlock_file,        \
    .xCheckReservedLock = check_reserved, .xFileControl = control, .xSectorSize = sector_size,     \
    .xDeviceCharacteristics = characteristics

/* Version 3 has fetching. Shared memory, of version 2, belongs to write-ahead logs, and so none of
 * these files has it: a reader never maps it because it is told that the file does not change. */
static const sqlite3_io_methods reading = {
    .iVersion = 3, EVERY_METHOD, .xFetch = fetch, .xUnfetch = unfetch};
static const sqlite3_io_methods writing = {.iVersion = 1, EVERY_METHOD};

const struct kl_mapping *kl_vfs_mapping(sqlite3 *db)
{
    sqlite3_file *file = NULL;

    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) || !file ||
        file->pMethods != &reading)
        return NULL;
    return own(file)->mapping;
}

static int open_run(sqlite3_vfs *real, const char *path, sqlite3_file *file, int flags,
                    int *out_flags)
{
    struct run_file *run = own(file);
    int code = real->xOpen(real, path, run->real, flags, out_flags);

    run->path = NULL;
    run->mapping = NULL;
    if (!run->real->pMethods) {
        file->pMethods = NULL;
    } else if (flags & SQLITE_OPEN_READONLY) {
        file->pMethods = &reading;
        run->mapping = kl_mapping_of(path);
    } else {
        file->pMethods = &writing;
        run->path = path;
        list_written(run);
    }
    return code;
}

/* The journal of a run that is written: a file of its own and nobody else's. */
static int open_journal(sqlite3_vfs *real, const char *path, sqlite3_file *file, int flags,
                        int *out_flags)
{
    struct stat info;

    file->pMethods = NULL;
    if (!is_written(path, "-journal"))
        return SQLITE_CANTOPEN;
    if (lstat(path, &info) == 0 && (!S_ISREG(info.st_mode) || info.st_nlink != 1))
        return SQLITE_CANTOPEN;
    return real->xOpen(real, path, file, flags, out_flags);
}

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                     int *out_flags)
{
    sqlite3_vfs *real = vfs->pAppData;

    if (flags & SQLITE_OPEN_MAIN_DB)
        return open_run(real, path, file, flags, out_flags);
    if (flags & SQLITE_OPEN_MAIN_JOURNAL)
        return open_journal(real, path, file, flags, out_flags);
    if (!path) /* what SQLite puts aside while it sorts: it has no name */
        return real->xOpen(real, path, file, flags, out_flags);
    file->pMethods = NULL;
    return SQLITE_CANTOPEN;
}

static int delete_file(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    sqlite3_vfs *real = vfs->pAppData;

    return is_written(path, "-journal") ? real->xDelete(real, path, sync_folder)
                                        : SQLITE_IOERR_DELETE;
}

/* What is not a run that is written, or its journal, is not there. */
static int access_file(sqlite3_vfs *vfs, const char *path, int flags, int *result)
{
    sqlite3_vfs *real = vfs->pAppData;

    *result = 0;
    return is_written(path, "") || is_written(path, "-journal")
               ? real->xAccess(real, path, flags, result)
               : SQLITE_OK;
}

static sqlite3_vfs run_vfs;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void register_vfs(void)
{
    sqlite3_vfs *real;

    if (sqlite3_initialize() != SQLITE_OK)
        return;
    real = sqlite3_vfs_find(NULL);
    if (!real)
        return;
    run_vfs = *real; /* all else is the system's */
    run_vfs.pNext = NULL;
    run_vfs.szOsFile = (int)sizeof(struct run_file) + real->szOsFile;
    run_vfs.zName = "keylight";
    run_vfs.pAppData = real;
    run_vfs.xOpen = open_file;
    run_vfs.xDelete = delete_file;
    run_vfs.xAccess = access_file;
    if (sqlite3_vfs_register(&run_vfs, 0) != SQLITE_OK)
        run_vfs.zName = NULL;
}

enum kl_status kl_vfs(const char **name, struct kl_error *err)
{
    pthread_once(&once, register_vfs);
    *name = run_vfs.zName;
    return *name ? KL_OK
                 : kl_fail(err, KL_ERR_MEMORY,
                           "not enough memory to open runs: close other programs");
}
