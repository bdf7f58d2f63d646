/* A finished run, cut into several files by its steps. */
#ifndef KL_DB_SPLIT_H
#define KL_DB_SPLIT_H

#include <stdint.h>

#include "core/base/error.h"
#include "db/folder.h"

/* Told now and then how much has been written. */
typedef void (*kl_split_progress)(void *self, uint64_t done_bytes, uint64_t total_bytes);

/* Writes the run at path as n_shards files, of about as many patterns each, into a folder (NULL:
 * the one that it is in): shards are their names, the holder's to clear, NAME.0.keylight and so on.
 * The run stays as it is, with what was added beside it later: beside are the names of those files.
 * None of them has its name before all are whole. progress may be NULL. Errors: those of
 * kl_run_open; KL_ERR_USAGE (n_shards is not from 2 to KL_SHARDS_MAX and the run's steps; it is a
 * shard itself), KL_ERR_EXISTS, KL_ERR_DAMAGED, KL_ERR_FULL, KL_ERR_IO, KL_ERR_MEMORY. */
enum kl_status kl_split(const char *path, uint32_t n_shards, const char *folder,
                        kl_split_progress progress, void *self, struct kl_paths *shards,
                        struct kl_paths *beside, struct kl_error *err);

#endif
