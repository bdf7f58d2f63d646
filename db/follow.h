/* Runs in training, opened as of their last checkpoint: each time a copy of the file is made, in
 * the folder that TMPDIR names (or /var/tmp), and made whole (db/writer.h), so that the writer
 * never waits and what is open never changes. The copy has no name once it is open. */
#ifndef KL_DB_FOLLOW_H
#define KL_DB_FOLLOW_H

#include "db/run.h"

/* The file of the run at path: path itself, or, while nothing is there, path with KL_PART behind.
 * The caller frees *draft. Errors: KL_ERR_NOT_FOUND (there is none), KL_ERR_MEMORY. */
enum kl_status kl_follow_find(const char *path, char **draft, struct kl_error *err);

/* Opens it for n_workers; the caller ends *run with kl_run_close. It is_unfinished; its fingerprint
 * is the same at every checkpoint, its version is not. A recorded run is opened as of the last step
 * at which its recorder looked at the model. Errors: KL_ERR_NOT_FOUND, KL_ERR_UNFINISHED (no
 * checkpoint yet), KL_ERR_RECORDING (no such step yet), KL_ERR_DAMAGED, KL_ERR_BUSY, KL_ERR_FULL,
 * and those of kl_run_open. Thread-safe. */
enum kl_status kl_follow_open(const char *draft, unsigned n_workers, struct kl_run **run,
                              struct kl_error *err);

/* Whether somebody writes the file just now. */
int kl_follow_is_written(const char *draft);

#endif
