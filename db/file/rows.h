/* Rows with checksums: every table of a run ends with the column checksum. Internal to db/. */
#ifndef KL_DB_FILE_ROWS_H
#define KL_DB_FILE_ROWS_H

#include <sqlite3.h>
#include <stdint.h>

#include "core/base/error.h"

/* A statement that inserts rows of a table: parameter i is column i, from 1, in the order of the
 * table; the checksum is made on the way. or_replace: a row that stands in its way goes. The caller
 * finalizes it. Errors: KL_ERR_DAMAGED (no such table), KL_ERR_MEMORY. */
enum kl_status kl_rows_insert(sqlite3 *db, const char *table, int or_replace,
                              sqlite3_stmt **statement, struct kl_error *err);

/* Makes the checksums of rows that were changed in place right again; condition is SQL. */
enum kl_status kl_rows_sign(sqlite3 *db, const char *table, const char *condition,
                            struct kl_error *err);

/* Compares every row of a table with its checksum. Errors: KL_ERR_DAMAGED, naming table and row. */
enum kl_status kl_rows_check(sqlite3 *db, const char *table, struct kl_error *err);

/* The same of all tables; progress (may be NULL) is told after each. */
enum kl_status kl_rows_check_all(sqlite3 *db, void (*progress)(void *self, const char *table),
                                 void *self, struct kl_error *err);

/* Calls take with every table that has checksums, by name, until it fails. */
enum kl_status kl_rows_each_table(sqlite3 *db,
                                  enum kl_status (*take)(void *self, sqlite3 *db, const char *table,
                                                         struct kl_error *err),
                                  void *self, struct kl_error *err);

/* The fingerprint: a checksum over those of all rows of all tables but run, sixteen hexadecimal
 * digits with a NUL. */
enum kl_status kl_rows_fingerprint(sqlite3 *db, char fingerprint[17], struct kl_error *err);

/* What a run's first checkpoint has and every later one keeps: a checksum over those of settings,
 * data sets and initial weights, likewise. */
enum kl_status kl_rows_birth(sqlite3 *db, char birth[17], struct kl_error *err);

#endif
