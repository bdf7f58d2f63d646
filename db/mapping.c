#include "db/mapping.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BEHIND 256 /* bytes */

/* One file in memory, for all connections to it. */
struct mapping {
    struct mapping *next;
    dev_t device;
    ino_t inode;
    unsigned n_users;
    size_t n_bytes;
    void *bytes;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the list and its counts */
static struct mapping *mappings;

/* A connection's file: the system's, which lies behind it, does all but the reading. */
struct mapped_file {
    sqlite3_file base; /* first, so that a pointer to it is one to this */
    struct mapping *mapping;
    sqlite3_file real[];
};

static struct mapped_file *own(sqlite3_file *file)
{
    return (struct mapped_file *)file;
}

/* The mapping of an open file, or NULL. */
static struct mapping *find_or_map(int fd)
{
    struct mapping *mapping = mappings;
    struct stat info;

    if (fstat(fd, &info) || info.st_size <= 0)
        return NULL;
    while (mapping && (mapping->device != info.st_dev || mapping->inode != info.st_ino ||
                       mapping->n_bytes != (size_t)info.st_size))
        mapping = mapping->next;
    if (mapping) {
        mapping->n_users++;
        return mapping;
    }
    mapping = malloc(sizeof *mapping);
    if (!mapping)
        return NULL;
    *mapping = (struct mapping){mappings, info.st_dev, info.st_ino, 1, (size_t)info.st_size, NULL};
    mapping->bytes = mmap(NULL, mapping->n_bytes, PROT_READ, MAP_SHARED, fd, 0);
    if (mapping->bytes == MAP_FAILED) {
        free(mapping);
        return NULL;
    }
    mappings = mapping;
    return mapping;
}

static struct mapping *map(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct mapping *mapping;

    if (fd < 0)
        return NULL;
    pthread_mutex_lock(&lock);
    mapping = find_or_map(fd);
    pthread_mutex_unlock(&lock);
    close(fd);
    return mapping;
}

static void unmap(struct mapping *mapping)
{
    struct mapping **link = &mappings;

    if (!mapping)
        return;
    pthread_mutex_lock(&lock);
    if (--mapping->n_users == 0) {
        while (*link != mapping)
            link = &(*link)->next;
        *link = mapping->next;
        munmap(mapping->bytes, mapping->n_bytes);
        free(mapping);
    }
    pthread_mutex_unlock(&lock);
}

static int close_file(sqlite3_file *file)
{
    unmap(own(file)->mapping);
    return own(file)->real->pMethods->xClose(own(file)->real);
}

/* Whether n bytes at an offset are all in memory. */
static int is_mapped(const struct mapped_file *file, sqlite3_int64 offset, int n)
{
    return file->mapping && offset >= 0 && n >= 0 &&
           (uint64_t)offset + (uint64_t)n <= file->mapping->n_bytes;
}

static int read_file(sqlite3_file *file, void *out, int n, sqlite3_int64 offset)
{
    if (!is_mapped(own(file), offset, n))
        return own(file)->real->pMethods->xRead(own(file)->real, out, n, offset);
    memcpy(out, (const char *)own(file)->mapping->bytes + offset, (size_t)n);
    return SQLITE_OK;
}

/* Of a damaged page SQLite may read some bytes behind its end, so the last page is read as any
 * other file's. */
static int fetch(sqlite3_file *file, sqlite3_int64 offset, int n, void **out)
{
    *out = is_mapped(own(file), offset, n + READ_BEHIND)
               ? (char *)own(file)->mapping->bytes + offset
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

static int refuse_write(sqlite3_file *file, const void *bytes, int n, sqlite3_int64 offset)
{
    (void)file;
    (void)bytes;
    (void)n;
    (void)offset;
    return SQLITE_READONLY;
}

static int refuse_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    (void)file;
    (void)size;
    return SQLITE_READONLY;
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

/* Version 3 has fetching; shared memory, of version 2, is for writers. */
static const sqlite3_io_methods methods = {
    .iVersion = 3,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = refuse_write,
    .xTruncate = refuse_truncate,
    .xSync = sync_file,
    .xFileSize = file_size,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved,
    .xFileControl = control,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xFetch = fetch,
    .xUnfetch = unfetch,
};

static int open_file(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags,
                     int *out_flags)
{
    sqlite3_vfs *real = vfs->pAppData;
    int code;

    if (!(flags & SQLITE_OPEN_MAIN_DB)) /* what SQLite puts aside while it sorts */
        return real->xOpen(real, path, file, flags, out_flags);
    own(file)->mapping = NULL;
    code = real->xOpen(real, path, own(file)->real, flags, out_flags);
    file->pMethods = own(file)->real->pMethods ? &methods : NULL;
    if (code == SQLITE_OK)
        own(file)->mapping = map(path);
    return code;
}

static sqlite3_vfs mapped_vfs;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void register_vfs(void)
{
    sqlite3_vfs *real;

    if (sqlite3_initialize() != SQLITE_OK)
        return;
    real = sqlite3_vfs_find(NULL);
    if (!real)
        return;
    mapped_vfs = *real; /* all else is the system's */
    mapped_vfs.pNext = NULL;
    mapped_vfs.szOsFile = (int)sizeof(struct mapped_file) + real->szOsFile;
    mapped_vfs.zName = "keylight-mapped";
    mapped_vfs.pAppData = real;
    mapped_vfs.xOpen = open_file;
    if (sqlite3_vfs_register(&mapped_vfs, 0) != SQLITE_OK)
        mapped_vfs.zName = NULL;
}

enum kl_status kl_mapping_vfs(const char **name, struct kl_error *err)
{
    pthread_once(&once, register_vfs);
    *name = mapped_vfs.zName;
    return *name ? KL_OK
                 : kl_fail(err, KL_ERR_MEMORY,
                           "not enough memory to read runs: close other programs");
}
