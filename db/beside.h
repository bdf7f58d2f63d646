/* Files of their own beside a run, for what people add to it later: a finished run never changes.
 * Each is another SQLite database, opened through the same VFS, that says which run it is of.
 * Internal to db/. */
#ifndef KL_DB_BESIDE_H
#define KL_DB_BESIDE_H

#include <sqlite3.h>

#include "db/run.h"

#define KL_MARKS_SUFFIX ".marks"
#define KL_RESULTS_SUFFIX ".results"

/* One kind of such files. */
struct kl_beside {
    const char *suffix; /* behind the run's path: ".marks" */
    const char *what;   /* in sentences: "marks" */
    int application_id, version;
    const char *tables; /* SQL that creates them; each value at most value_bytes */
    int value_bytes;
};

/* The file of a kind beside a run's: the caller's, to free; NULL: memory ran out. */
char *kl_beside_path(const struct kl_beside *kind, const char *run_path);

/* Opens it, which one connection at a time may do: others wait until kl_beside_close. *db is NULL
 * where there is no file and none is to be made; also on failure kl_beside_close is called.
 * Errors: KL_ERR_FOREIGN (no such file, or of another run), KL_ERR_BUSY, KL_ERR_IO, KL_ERR_FULL,
 * KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_beside_open(const struct kl_beside *kind, const struct kl_run *run, int makes,
                              sqlite3 **db, struct kl_error *err);

/* Closes it; what SQLite refused since, status, is put in words of the kind. Returns status. */
enum kl_status kl_beside_close(const struct kl_beside *kind, sqlite3 *db, enum kl_status status,
                               struct kl_error *err);

/* Moves the file beside a run at path that is about to be replaced out of the way: to the same name
 * with ".old" behind it, and a number where that is taken; its name is the caller's to free, *moved
 * NULL where there is none. Errors: KL_ERR_IO, KL_ERR_MEMORY. */
enum kl_status kl_beside_set_aside(const struct kl_beside *kind, const char *path, char **moved,
                                   struct kl_error *err);

#endif
