/* Run files of the current format, without rows. Internal to db/. */
#ifndef KL_DB_FILE_CREATE_H
#define KL_DB_FILE_CREATE_H

#include <sqlite3.h>

#include "core/base/error.h"

/* Begins a transaction that makes an empty file, open for writing, a run file. The caller commits
 * it. Errors: those of writing. */
enum kl_status kl_db_create(sqlite3 *db, struct kl_error *err);

/* Makes a file of format from one of the current format, within the caller's transaction: the
 * statements of every step in turn, and the file's version. Errors: those of writing. */
enum kl_status kl_db_advance(sqlite3 *db, int from, struct kl_error *err);

#endif
