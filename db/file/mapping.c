#include "db/file/mapping.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the list and its counts */
static struct kl_mapping *mappings;

/* The mapping of an open file, or NULL. */
static struct kl_mapping *find_or_map(int fd)
{
    struct kl_mapping *mapping = mappings;
    struct stat info;
    void *bytes;

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
    bytes = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (bytes == MAP_FAILED) {
        free(mapping);
        return NULL;
    }
    *mapping =
        (struct kl_mapping){mappings, info.st_dev, info.st_ino, 1, (size_t)info.st_size, bytes};
    mappings = mapping;
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
        munmap((void *)(size_t)mapping->bytes, mapping->n_bytes);
        free(mapping);
    }
    pthread_mutex_unlock(&lock);
}
