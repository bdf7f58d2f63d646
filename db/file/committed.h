/* A copy of a file that somebody may be writing, as it was committed last, without holding the
 * writer up: what the writer has changed since is in its rollback journal as it was before (SQLite,
 * Database File Format, 3: The Rollback Journal). A writer of ours postpones its commits while it
 * is being copied (kl_committed_is_wanted). Internal to db/. */
#ifndef KL_DB_FILE_COMMITTED_H
#define KL_DB_FILE_COMMITTED_H

#include "core/base/error.h"

/* Copies the file at path to copy, which must not exist; nothing is left of it on failure. Errors:
 * KL_ERR_NOT_FOUND, KL_ERR_UNFINISHED (nothing was committed yet), KL_ERR_FULL (no room for a copy
 * beside what the writer may need), KL_ERR_BUSY (it is committed faster than it can be copied),
 * KL_ERR_FOREIGN (not such a file), KL_ERR_IO, KL_ERR_MEMORY. Thread-safe. */
enum kl_status kl_committed_copy(const char *path, const char *copy, struct kl_error *err);

/* Whether somebody copies the file just now that fd, of its writer, is open for. (It is the
 * writer's own: to open and close the file once more would let go of all locks that SQLite has.) */
int kl_committed_is_wanted(int fd);

#endif
