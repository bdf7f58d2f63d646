/* SQLite with this project's errors. Internal to db/. */
#ifndef KL_DB_FILE_DATABASE_H
#define KL_DB_FILE_DATABASE_H

#include <sqlite3.h>
#include <stdint.h>

#include "core/base/error.h"

/* How a file is opened. */
enum kl_open_mode {
    KL_OPEN_WRITE,     /* existing or new, read and write, locked against others */
    KL_OPEN_READ,      /* read only, of a run that may not be finished: writers are noticed */
    KL_OPEN_IMMUTABLE, /* read only, of a finished run: no locks, mapped into memory */
    KL_OPEN_OLDER,     /* as KL_OPEN_READ, of a run of an older format, too */
};

/* Opens path through db/file/vfs.h; the caller closes *db with sqlite3_close. KL_OPEN_READ and
 * _IMMUTABLE refuse what is not a keylight run of this version, and write nothing;
 * what they read is distrusted (kl_db_distrust); only KL_OPEN_WRITE takes back what a killed writer
 * did not commit, and refuses a journal that is not the run's own. Errors: KL_ERR_NOT_FOUND,
 * KL_ERR_FOREIGN, KL_ERR_EMPTY, KL_ERR_OLDER, KL_ERR_NEWER, KL_ERR_UNFINISHED (KL_OPEN_READ, a
 * writer was cut off), KL_ERR_BUSY, KL_ERR_IO. */
enum kl_status kl_db_open(const char *path, enum kl_open_mode mode, sqlite3 **db,
                          struct kl_error *err);

/* Turns what SQLite last said on db into an error about its file. */
enum kl_status kl_db_fail(sqlite3 *db, struct kl_error *err);

/* Runs SQL that returns nothing. */
enum kl_status kl_db_exec(sqlite3 *db, const char *sql, struct kl_error *err);

/* Prepares one statement; the caller finalizes it. */
enum kl_status kl_db_prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement,
                             struct kl_error *err);

/* Steps to the next row: *row is 1 while there is one, 0 at the end. */
enum kl_status kl_db_next(sqlite3_stmt *statement, int *row, struct kl_error *err);

/* Runs a prepared statement that returns nothing and makes it ready for new values. */
enum kl_status kl_db_run(sqlite3_stmt *statement, struct kl_error *err);

/* From here on a statement that takes more steps than the size of db's file explains ends with
 * KL_ERR_DAMAGED: tables can be made that have no end. To count all rows is one step to SQLite if
 * it is written count(*), and many if it is count(rowid). */
void kl_db_distrust(sqlite3 *db);

/* Ends that: of tables that have been read through it is known that they have an end, and blobs
 * that are opened again and again would add up. */
void kl_db_trust(sqlite3 *db);

/* Makes a statement ready for new values; what it took is no longer counted. */
void kl_db_rewind(sqlite3_stmt *statement);

/* A number of the present row; returns whether it is an integer from 0 to most. Where it is not,
 * *value is 0. */
int kl_db_uint32(sqlite3_stmt *statement, int column, uint32_t most, uint32_t *value);

/* The first column of the first row of a query, as an integer; KL_ERR_DAMAGED without a row. */
enum kl_status kl_db_integer(sqlite3 *db, const char *sql, sqlite3_int64 *value,
                             struct kl_error *err);

#endif
