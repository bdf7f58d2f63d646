/* Names of files, and files that are read. */
#ifndef KL_CORE_BASE_FILES_H
#define KL_CORE_BASE_FILES_H

#include <stdio.h>

#include "core/base/error.h"

/* Whether a file or folder is hidden, or a system's own, which nobody put there as data. */
int kl_file_is_system(const char *name);

/* Opens a regular file to be read; the caller closes *fd, or *file. To open a pipe, or a device,
 * might wait for ever. Errors: KL_ERR_INPUT (it is no regular file), KL_ERR_NOT_FOUND, KL_ERR_IO.
 */
enum kl_status kl_file_descriptor(const char *path, int *fd, struct kl_error *err);
enum kl_status kl_file_open(const char *path, FILE **file, struct kl_error *err);

#endif
