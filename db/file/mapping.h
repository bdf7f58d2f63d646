/* Files in memory: one mapping of a whole file for all who read it. Internal to db/. */
#ifndef KL_DB_FILE_MAPPING_H
#define KL_DB_FILE_MAPPING_H

#include <stddef.h>
#include <sys/types.h>

/* One file in memory; immutable while anybody has it. */
struct kl_mapping {
    struct kl_mapping *next;
    dev_t device;
    ino_t inode;
    unsigned n_users;
    size_t n_bytes;
    const char *bytes;
};

/* The mapping of a file as it is now, shared with whoever has it already; NULL if it cannot be
 * mapped. The caller ends it with kl_mapping_release. Thread-safe. */
struct kl_mapping *kl_mapping_of(const char *path);

/* NULL is allowed. */
void kl_mapping_release(struct kl_mapping *mapping);

#endif
