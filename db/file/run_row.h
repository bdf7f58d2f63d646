/* The one row of a run file that says where the run stands. Internal to db/. */
#ifndef KL_DB_FILE_RUN_ROW_H
#define KL_DB_FILE_RUN_ROW_H

#include <sqlite3.h>
#include <stdint.h>

#include "core/base/error.h"

/* Of a run that has not begun. */
enum kl_status kl_run_row_begin(sqlite3 *db, struct kl_error *err);

/* Calls the run finished, with the fingerprint of what the file holds, in a transaction of its own
 * or the caller's. reader: another connection to the file, which knows all that db does, or db. */
enum kl_status kl_run_row_finish(sqlite3 *db, sqlite3 *reader, struct kl_error *err);

/* Steps up to the last checkpoint, at most n_steps. Errors: KL_ERR_DAMAGED. */
enum kl_status kl_run_row_read(sqlite3 *db, uint32_t n_steps, uint32_t *steps_done,
                               struct kl_error *err);

/* Compares the rows that are read whenever a run is opened, and are few, with their checksums.
 * Errors: KL_ERR_DAMAGED. */
enum kl_status kl_rows_check_small(sqlite3 *db, struct kl_error *err);

#endif
