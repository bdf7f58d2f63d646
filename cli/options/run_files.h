/* Run files as they are named on the command line: themselves, or the folder they are in. */
#ifndef KL_CLI_OPTIONS_RUN_FILES_H
#define KL_CLI_OPTIONS_RUN_FILES_H

#include "db/folder.h"

struct kl_run_files {
    struct kl_paths paths;
    size_t n_named; /* of them by themselves: the first ones; the others are what a folder has */
};

/* All of n names: files as they stand, then what folders have in them (db/folder.h), those in
 * training, too. The caller ends *files with kl_run_files_clear, also on failure.
 * Errors: KL_ERR_NOT_FOUND (a folder without any), KL_ERR_IO, KL_ERR_MEMORY. */
enum kl_status kl_run_files_find(char *const *names, size_t n, struct kl_run_files *files,
                                 struct kl_error *err);
void kl_run_files_clear(struct kl_run_files *files);

#endif
