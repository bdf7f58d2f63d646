/* What a run's file defines: the tables of its format, and nothing else. Internal to db/. */
#ifndef KL_DB_FILE_OBJECTS_H
#define KL_DB_FILE_OBJECTS_H

#include <sqlite3.h>

#include "core/base/error.h"

/* Compares every table, index, view and trigger of a file with what this version's schema makes of
 * an empty one. What a file lacks is noticed where it is needed. Errors: KL_ERR_DAMAGED for what
 * the schema does not have or has otherwise; KL_ERR_MEMORY. */
enum kl_status kl_objects_check(sqlite3 *db, struct kl_error *err);

/* Whether every row keeps what the schema demands: its CHECK constraints, which SQLite does not
 * look at in a file that is only read, and its references. Errors: KL_ERR_DAMAGED, with the table
 * and the row; KL_ERR_MEMORY. */
enum kl_status kl_objects_check_rows(sqlite3 *db, struct kl_error *err);

#endif
