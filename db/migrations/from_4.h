/* Format 4 rewritten as format 5: other tables, the same numbers. Internal to db/. */
#ifndef KL_DB_MIGRATIONS_FROM_4_H
#define KL_DB_MIGRATIONS_FROM_4_H

#include <sqlite3.h>
#include <stdint.h>

#include "core/base/error.h"

/* Fills the tables of db, a run file without rows in a transaction, with what old, a run of format
 * 4, holds. Errors: KL_ERR_DAMAGED, those of reading and writing. */
enum kl_status kl_rewrite_from_4(sqlite3 *old, sqlite3 *db, uint64_t total_bytes,
                                 void (*progress)(void *self, uint64_t done, uint64_t total),
                                 void *self, struct kl_error *err);

#endif
