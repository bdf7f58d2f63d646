#include "db/file/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAPPINGS_MAX 256 /* that a fault is looked for in: runs, and what is beside them */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the list and its counts */
static struct kl_mapping *mappings;
static _Atomic(struct kl_mapping *) watched[MAPPINGS_MAX]; /* the same, for whom no lock is */

static void watch(struct kl_mapping *mapping)
{
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        struct kl_mapping *none = NULL;

        if (atomic_compare_exchange_strong(&watched[i], &none, mapping))
            return;
    }
}

static void unwatch(struct kl_mapping *mapping)
{
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        struct kl_mapping *found = mapping;

        if (atomic_compare_exchange_strong(&watched[i], &found, NULL))
            return;
    }
}

/* Puts zeros where a file ends too early, up to its former end, and marks its mapping. */
static void mend(int number, siginfo_t *info, void *context)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), at = (uintptr_t)info->si_addr;
    int error = errno;

    (void)context;
    for (size_t i = 0; i < MAPPINGS_MAX; i++) {
        struct kl_mapping *mapping = atomic_load(&watched[i]);
        uintptr_t begin = mapping ? (uintptr_t)mapping->bytes : 0, from = at / page * page;

        if (!mapping || at < begin || at >= begin + mapping->n_bytes)
            continue;
        atomic_store(&mapping->is_broken, 1);
        if (mmap((void *)from, begin + mapping->n_bytes - from, PROT_READ,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
            break;
        errno = error;
        return;
    }
    signal(number, SIG_DFL); /* a fault of another kind: it ends the process when it is met again */
}

void kl_mapping_survive(void)
{
    struct sigaction action = {.sa_sigaction = mend, .sa_flags = SA_SIGINFO};

    sigaction(SIGBUS, &action, NULL);
}

int kl_mapping_is_sound(const struct kl_mapping *mapping)
{
    struct stat info;

    return !atomic_load(&mapping->is_broken) && !fstat(mapping->fd, &info) &&
           (size_t)info.st_size == mapping->n_bytes &&
           info.st_mtim.tv_sec == mapping->changed.tv_sec &&
           info.st_mtim.tv_nsec == mapping->changed.tv_nsec;
}

/* The mapping of an open file, which it takes over, or NULL. */
static struct kl_mapping *find_or_map(int fd)
{
    struct kl_mapping *mapping = mappings;
    struct stat info;
    void *bytes;

    if (fstat(fd, &info) || info.st_size <= 0)
        return NULL;
    while (mapping && (mapping->device != info.st_dev || mapping->inode != info.st_ino ||
                       !kl_mapping_is_sound(mapping)))
        mapping = mapping->next;
    if (mapping) {
        mapping->n_users++;
        close(fd);
        return mapping;
    }
    mapping = malloc(sizeof *mapping);
    if (!mapping)
        return NULL;
    bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        free(mapping);
        return NULL;
    }
    mapping->next = mappings;
    mapping->device = info.st_dev;
    mapping->inode = info.st_ino;
    mapping->changed = info.st_mtim;
    mapping->n_users = 1;
    mapping->fd = fd;
    mapping->n_bytes = (size_t)info.st_size;
    mapping->bytes = bytes;
    atomic_init(&mapping->is_broken, 0);
    mappings = mapping;
    watch(mapping);
    return mapping;
}

struct kl_mapping *kl_mapping_of(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct kl_mapping *mapping;

    if (fd < 0)
        return NULL;
    pthread_mutex_lock(&lock);
    mapping = find_or_map(fd);
    pthread_mutex_unlock(&lock);
    if (!mapping)
        close(fd);
    return mapping;
}

void kl_mapping_release(struct kl_mapping *mapping)
{
    struct kl_mapping **link = &mappings;

    if (!mapping)
        return;
    pthread_mutex_lock(&lock);
    if (--mapping->n_users == 0) {
        while (*link != mapping)
            link = &(*link)->next;
        *link = mapping->next;
        unwatch(mapping);
        munmap((void *)(size_t)mapping->bytes, mapping->n_bytes);
        close(mapping->fd);
        free(mapping);
    }
    pthread_mutex_unlock(&lock);
}
