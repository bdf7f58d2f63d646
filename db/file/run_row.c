#include "db/file/run_row.h"

#include <stdio.h>

#include "db/file/database.h"
#include "db/file/rows.h"

enum kl_status kl_run_row_begin(sqlite3 *db, struct kl_error *err)
{
    enum kl_status status = kl_db_exec(
        db, "INSERT INTO run (id, steps_done, finished, checksum) VALUES (1, 0, 0, 0)", err);

    return status ? status : kl_rows_sign(db, "run", "id = 1", err);
}

enum kl_status kl_run_row_finish(sqlite3 *db, sqlite3 *reader, struct kl_error *err)
{
    char fingerprint[17], sql[200];
    enum kl_status status = kl_rows_fingerprint(reader, fingerprint, err);

    snprintf(sql, sizeof sql,
             "UPDATE run SET finished = 1, fingerprint = '%s', "
             "checksum = row_checksum('run', id, steps_done, 1, '%s')",
             fingerprint, fingerprint);
    return status ? status : kl_db_exec(db, sql, err);
}

enum kl_status kl_run_row_read(sqlite3 *db, uint32_t n_steps, uint32_t *steps_done,
                               struct kl_error *err)
{
    sqlite3_int64 done = 0;
    enum kl_status status = kl_db_integer(db, "SELECT steps_done FROM run", &done, err);

    if (!status && (done < 0 || done > n_steps))
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "%s is damaged: it has more steps than its training; restore it from a "
                         "copy or train it again",
                         sqlite3_db_filename(db, "main"));
    if (!status)
        *steps_done = (uint32_t)done;
    return status;
}

enum kl_status kl_rows_check_small(sqlite3 *db, struct kl_error *err)
{
    static const char *const tables[] = {"run",     "setting", "dataset",  "class",
                                         "channel", "corpus",  "document", "layer",
                                         "step",    "rule",    "curve"};
    enum kl_status status = KL_OK;

    for (size_t i = 0; !status && i < sizeof tables / sizeof tables[0]; i++)
        status = kl_rows_check(db, tables[i], err);
    return status;
}
