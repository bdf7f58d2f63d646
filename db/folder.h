/* The run files in a folder. */
#ifndef KL_DB_FOLDER_H
#define KL_DB_FOLDER_H

#include <stddef.h>

#include "core/base/error.h"

/* What the name of a run's file ends in. */
#define KL_RUN_SUFFIX ".keylight"

/* Behind the name of a run that is not finished: under that it is written. */
#define KL_PART ".part"

/* Paths of files, the holder's. */
struct kl_paths {
    char **paths; /* (n) */
    size_t n;
};

/* Whether it is a folder. */
int kl_is_folder(const char *path);

/* Adds a copy of path. Errors: KL_ERR_MEMORY. */
enum kl_status kl_paths_add(struct kl_paths *paths, const char *path, struct kl_error *err);

/* Adds the files in a folder whose name ends in KL_RUN_SUFFIX, and, with drafts, those with KL_PART
 * behind that, which are in training: in the order of their names. Errors: KL_ERR_IO,
 * KL_ERR_MEMORY. */
enum kl_status kl_paths_add_folder(struct kl_paths *paths, const char *folder, int drafts,
                                   struct kl_error *err);

void kl_paths_clear(struct kl_paths *paths);

#endif
