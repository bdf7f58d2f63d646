/* Chunks of a range of rows, taken from one file to another. Internal to db/. */
#ifndef KL_DB_TABLES_CHUNK_CUT_H
#define KL_DB_TABLES_CHUNK_CUT_H

#include <sqlite3.h>
#include <stdint.h>

#include "core/base/error.h"

/* Told of the bytes of every row that was written. */
typedef void (*kl_copied)(void *self, uint64_t n_bytes);

/* Copies every row of a table as it is, with its checksum. Both within transactions of the
 * caller's; copied may be NULL. Errors: those of reading and writing. */
enum kl_status kl_table_copy(sqlite3 *from, sqlite3 *to, const char *table, kl_copied copied,
                             void *self, struct kl_error *err);

/* The same of the chunks (showing_chunk, key_chunk, error_chunk, sparse_error_chunk) that have rows
 * from first up to end: those that have others, too, are cut, to the same numbers bit for bit.
 * Errors: likewise, KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_chunks_cut(sqlite3 *from, sqlite3 *to, const char *table, uint64_t first,
                             uint64_t end, kl_copied copied, void *self, struct kl_error *err);

#endif
