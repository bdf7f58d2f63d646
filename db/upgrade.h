/* Runs of older formats, brought up to date. */
#ifndef KL_DB_UPGRADE_H
#define KL_DB_UPGRADE_H

#include <stdint.h>

#include "core/base/error.h"

/* Told now and then how much of a file has been copied. */
typedef void (*kl_upgrade_progress)(void *self, uint64_t done_bytes, uint64_t total_bytes);

/* The format that is written. */
int kl_upgrade_format(void);

/* Writes the run at path in the current format, to output, which must not exist, or, with NULL, in
 * the place of the old file. All is written to a file beside it first, which takes the place only
 * when it is whole: until then the old file stays as it is, whatever happens; what an upgrade that
 * was cut off left behind is replaced. *from is the format that the file had. progress may be NULL.
 * Errors: KL_ERR_EXISTS (up to date already, or output), KL_ERR_FULL (the disk has no room for
 * both), KL_ERR_BUSY, KL_ERR_NOT_FOUND, KL_ERR_FOREIGN, KL_ERR_NEWER, KL_ERR_DAMAGED, KL_ERR_IO. */
enum kl_status kl_upgrade(const char *path, const char *output, kl_upgrade_progress progress,
                          void *self, int *from, struct kl_error *err);

#endif
