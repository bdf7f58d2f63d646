/* What verify asks of a run file beyond what opening it checks. */
#ifndef KL_DB_CHECK_H
#define KL_DB_CHECK_H

#include "db/run.h"

/* The checksums of all rows, and SQLite's own check of pages, rows and CHECK constraints (chunk
 * sizes among them), of all files of the run at path: of a run that need not be one that can be
 * opened, so that what is damaged is named by its table and row. Errors: KL_ERR_DAMAGED, and those
 * of kl_db_open. */
enum kl_status kl_check_rows(const char *path, struct kl_error *err);

/* The fingerprint of each file over its rows, whether all shards are there (KL_ERR_INPUT), and all
 * predictions and the last accuracies, or, of a text, the last test loss, against what the final
 * network says, over a pool's workers or, if it is NULL, in the caller's thread (images are read
 * into run->data); and the order of the patterns, unless a framework chose it, against what the
 * settings make of the samples. Not while the run is used otherwise. Errors: KL_ERR_DAMAGED,
 * KL_ERR_IO, KL_ERR_MEMORY.
 */
enum kl_status kl_check_run(struct kl_pool *pool, struct kl_run *run, struct kl_error *err);

#endif
