#include "db/check.h"

#include <string.h>

#include "db/database.h"
#include "db/run_private.h"

static enum kl_status check_integrity(struct kl_run *run, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    const char *text = NULL;
    int row = 0;
    enum kl_status status =
        kl_db_prepare(run->private->db, "PRAGMA integrity_check(1)", &statement, err);

    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && row)
        text = (const char *)sqlite3_column_text(statement, 0);
    if (!status && (!text || strcmp(text, "ok") != 0))
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "%s is damaged (%.200s): restore it from a copy or train it again",
                         run->path, text ? text : "no answer");
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_check_file(struct kl_run *run, struct kl_error *err)
{
    char fingerprint[17];
    sqlite3_int64 missing = 0;
    enum kl_status status = check_integrity(run, err);

    if (!status)
        status = kl_db_integer(run->private->db,
                               "SELECT count(*) FROM sample WHERE predicted IS NULL OR "
                               "probability IS NULL OR NOT (probability BETWEEN 0 AND 1)",
                               &missing, err);
    if (!status && missing)
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "%s is damaged: %lld samples have no prediction; train it again",
                         run->path, (long long)missing);
    kl_training_fingerprint(&run->training, run->final, fingerprint);
    if (!status && strcmp(fingerprint, run->fingerprint) != 0)
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "%s is damaged: its fingerprint is %s, its settings and weights give %s; "
                         "restore it from a copy or train it again",
                         run->path, run->fingerprint, fingerprint);
    return status;
}
