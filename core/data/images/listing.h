/* What a folder holds: sub-folders, images, and what is neither. */
#ifndef KL_CORE_DATA_IMAGES_LISTING_H
#define KL_CORE_DATA_IMAGES_LISTING_H

#include <stddef.h>

#include "core/base/error.h"

#define KL_PATH_BYTES 4096

/* Names of one kind, in the order of people: numbers by their size, "2" before "10". */
struct kl_names {
    char **names; /* (n) owned */
    size_t n;
};

struct kl_listing {
    struct kl_names folders, images, others; /* others: files that are no images */
};

/* Lists a folder, without what is hidden or a system's own (.DS_Store, Thumbs.db, __MACOSX). The
 * caller ends *listing with kl_listing_clear, also on failure. Errors: KL_ERR_NOT_FOUND,
 * KL_ERR_USAGE (the path is too long), KL_ERR_MEMORY. */
enum kl_status kl_list_folder(const char *folder, struct kl_listing *listing, struct kl_error *err);
void kl_listing_clear(struct kl_listing *listing);

/* folder/name in path (KL_PATH_BYTES). Errors: KL_ERR_USAGE (too long). */
enum kl_status kl_join_path(char path[KL_PATH_BYTES], const char *folder, const char *name,
                            struct kl_error *err);

/* How many files have which ending. */
struct kl_endings {
    struct {
        char ending[16];
        size_t n;
    } kinds[32];
    size_t n_kinds, total;
};

void kl_count_endings(struct kl_endings *endings, const struct kl_names *files);

/* ".webp 31, .txt 9": the most frequent first, at most five of them. */
void kl_describe_endings(const struct kl_endings *endings, char *text, size_t n_bytes);

#endif
