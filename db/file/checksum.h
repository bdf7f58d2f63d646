/* Checksums of rows: XXH3-64 over the name of the table and every column but the checksum itself,
 * in the order of the table; docs/format.md has the exact bytes. Internal to db/. */
#ifndef KL_DB_FILE_CHECKSUM_H
#define KL_DB_FILE_CHECKSUM_H

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* One checksum in the making: begin, columns in order, end. Errors: KL_ERR_MEMORY from begin; the
 * caller ends *checksum with kl_checksum_end, which frees it. */
struct kl_checksum;
enum kl_status kl_checksum_begin(const char *table, struct kl_checksum **checksum,
                                 struct kl_error *err);
void kl_checksum_integer(struct kl_checksum *checksum, int64_t value);
void kl_checksum_real(struct kl_checksum *checksum, double value);
void kl_checksum_text(struct kl_checksum *checksum, const char *text);
/* A blob of n_bytes, which come in pieces. */
void kl_checksum_blob(struct kl_checksum *checksum, size_t n_bytes);
void kl_checksum_piece(struct kl_checksum *checksum, const void *bytes, size_t n_bytes);
int64_t kl_checksum_end(struct kl_checksum *checksum);

/* Makes the SQL function row_checksum(table, column, ...) known to a connection. */
enum kl_status kl_checksum_register(sqlite3 *db, struct kl_error *err);

#endif
