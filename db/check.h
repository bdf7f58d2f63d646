/* What verify asks of a run file beyond what opening it checks. */
#ifndef KL_DB_CHECK_H
#define KL_DB_CHECK_H

#include "db/run.h"

/* SQLite's own check of pages, rows and CHECK constraints (chunk sizes among them), the
 * fingerprint against settings and final weights, and that every sample has a prediction.
 * Errors: KL_ERR_DAMAGED, KL_ERR_IO. */
enum kl_status kl_check_file(struct kl_run *run, struct kl_error *err);

#endif
