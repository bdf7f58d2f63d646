/* Files in memory: one mapping of a whole file for all who read it. Internal to db/.
 *
 * A file that is cut off, or whose disk fails, while it is mapped ends the process that reads there
 * with SIGBUS, unless kl_mapping_survive was called: then zeros are read, and the mapping is no
 * longer sound. */
#ifndef KL_DB_FILE_MAPPING_H
#define KL_DB_FILE_MAPPING_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/types.h>

/* One file in memory; immutable while anybody has it, but for the mark. */
struct kl_mapping {
    struct kl_mapping *next;
    dev_t device;
    ino_t inode;
    struct timespec changed; /* when the file was last written */
    unsigned n_users;
    int fd;
    size_t n_bytes;
    const char *bytes;
    atomic_int is_broken; /* something of it could not be read */
};

/* The mapping of a file as it is now, shared with whoever has it already; NULL if it cannot be
 * mapped. The caller ends it with kl_mapping_release. Thread-safe. */
struct kl_mapping *kl_mapping_of(const char *path);

/* NULL is allowed. */
void kl_mapping_release(struct kl_mapping *mapping);

/* Whether all that was read of it is what the file had when it was mapped. Thread-safe. */
int kl_mapping_is_sound(const struct kl_mapping *mapping);

/* From now on a fault in a mapping does not end the process. Not thread-safe: once, at the start.
 */
void kl_mapping_survive(void);

#endif
