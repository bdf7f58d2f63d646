#include "db/follow.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "db/file/committed.h"
#include "db/file/database.h"
#include "db/file/draft.h"
#include "db/file/objects.h"
#include "db/file/rows.h"
#include "db/file/run_row.h"
#include "db/run_private.h"
#include "db/writer.h"

enum kl_status kl_follow_find(const char *path, char **draft, struct kl_error *err)
{
    struct stat info;
    char *name = kl_draft_path(path, stat(path, &info) ? KL_PART : "");

    if (!name)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for a name");
    if (stat(name, &info)) {
        free(name);
        return kl_fail(err, KL_ERR_NOT_FOUND, "there is no file %s", path);
    }
    *draft = name;
    return KL_OK;
}

/* A folder of one's own, so that nobody else can put anything beside the copy. */
static enum kl_status make_folder(char **folder, struct kl_error *err)
{
    const char *parent = getenv("TMPDIR");
    char *made = kl_draft_path(parent && *parent ? parent : "/var/tmp", "/keylight-XXXXXX");

    if (!made)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for a name");
    if (!mkdtemp(made)) {
        kl_fail(err, KL_ERR_IO, "cannot make a folder in %s: %s (name another by TMPDIR)",
                parent && *parent ? parent : "/var/tmp", strerror(errno));
        free(made);
        return err->status;
    }
    *folder = made;
    return KL_OK;
}

/* Takes away what was recorded after the step that is shown, whose parameters stand beside the
 * present ones; no chunk has rows of both. */
static enum kl_status forget_after(sqlite3 *db, uint32_t step, struct kl_error *err)
{
    static const char *const chunks[] = {"showing_chunk", "place_chunk", "key_chunk",
                                         "error_chunk"};
    char sql[400];
    enum kl_status status;

    snprintf(sql, sizeof sql,
             "DELETE FROM rule WHERE step > %u; DELETE FROM step WHERE step > %u;"
             "DELETE FROM curve WHERE step > %u; UPDATE run SET steps_done = %u;"
             "DELETE FROM tensor WHERE state = 'current';"
             "UPDATE tensor SET state = 'current' WHERE state = 'shown'",
             step, step, step, step);
    status = kl_db_exec(db, sql, err);
    for (size_t i = 0; !status && i < sizeof chunks / sizeof chunks[0]; i++) {
        snprintf(sql, sizeof sql,
                 "DELETE FROM %s WHERE first >= (SELECT first_showing + count FROM step "
                 "ORDER BY step DESC LIMIT 1)",
                 chunks[i]);
        status = kl_db_exec(db, sql, err);
    }
    return status ? status : kl_rows_sign(db, "tensor", "state = 'current'", err);
}

/* Makes a copy of a recorded run whole: what is shown of it its recorder wrote, at some of its
 * checkpoints. */
static enum kl_status complete_recorded(sqlite3 *db, struct kl_error *err)
{
    sqlite3_int64 step = 0;
    enum kl_status status = kl_db_integer(
        db, "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM setting WHERE key = 'steps'), 0)",
        &step, err);

    if (!status && (step <= 0 || step > UINT32_MAX))
        status = kl_fail(err, KL_ERR_RECORDING,
                         "its recorder has not said yet what the model makes of test samples, "
                         "which it does at its first checkpoint: try again later");
    if (!status)
        status = kl_db_exec(db, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN", err);
    if (!status)
        status = forget_after(db, (uint32_t)step, err);
    if (!status)
        status = kl_run_row_finish(db, db, err);
    return status ? status : kl_db_exec(db, "COMMIT", err);
}

/* Makes a copy whole as of its last checkpoint. */
static enum kl_status complete(const char *copy, struct kl_error *err)
{
    sqlite3 *db = NULL;
    sqlite3_int64 is_recorded = 0, finished = 0;
    enum kl_status status = kl_db_open(copy, KL_OPEN_WRITE, &db, err);

    if (!status)
        kl_db_distrust(db);
    if (!status)
        status = kl_objects_check(db, err);
    if (!status)
        status = kl_db_integer(db, "SELECT count(*) FROM setting WHERE key = 'framework'",
                               &is_recorded, err);
    if (!status)
        status = kl_db_integer(db, "SELECT finished FROM run", &finished, err);
    if (!status && finished)
        status =
            kl_fail(err, KL_ERR_DAMAGED,
                    "it is finished, and the journal beside it is not its own: move that away");
    if (!status && is_recorded)
        status = complete_recorded(db, err);
    sqlite3_close(db);
    return status || is_recorded ? status : kl_writer_complete(copy, err);
}

/* What is said of the copy is said of the draft, which has another name. */
static const char *without_name(char *message, const char *copy)
{
    size_t length = strlen(copy);

    if (strncmp(message, copy, length) != 0)
        return message;
    memcpy(message + length - 2, "it", 2); /* it is longer */
    return message + length - 2;
}

static enum kl_status open_copy(const char *copy, const char *draft, unsigned n_workers,
                                struct kl_run **run, struct kl_error *err)
{
    char *name = kl_draft_path(draft, "");
    struct kl_error of_copy;
    enum kl_status status = name ? KL_OK : kl_fail(err, KL_ERR_MEMORY, "not enough memory");

    if (!status)
        status = kl_committed_copy(draft, copy, err);
    if (!status && complete(copy, &of_copy)) /* which tells the copy's name, not its own */
        status = kl_fail(err, of_copy.status, "%s cannot be looked at while it is not finished: %s",
                         draft, without_name(of_copy.message, copy));
    if (!status && kl_run_open(copy, n_workers, run, &of_copy))
        status = kl_fail(err, of_copy.status, "%s cannot be looked at while it is not finished: %s",
                         draft, without_name(of_copy.message, copy));
    if (status) {
        free(name);
        return status;
    }
    kl_run_rename(*run, name);
    (*run)->is_unfinished = 1;
    memcpy((*run)->fingerprint, (*run)->birth, sizeof(*run)->birth);
    return KL_OK;
}

enum kl_status kl_follow_open(const char *draft, unsigned n_workers, struct kl_run **run,
                              struct kl_error *err)
{
    char *folder = NULL, *copy;
    enum kl_status status = make_folder(&folder, err);

    if (status)
        return status;
    copy = kl_draft_path(folder, "/run.keylight");
    status = copy ? open_copy(copy, draft, n_workers, run, err)
                  : kl_fail(err, KL_ERR_MEMORY, "not enough memory for a name");
    if (copy)
        unlink(copy); /* whoever has it open keeps it */
    rmdir(folder);
    free(copy);
    free(folder);
    return status;
}

int kl_follow_is_written(const char *draft)
{
    return kl_draft_is_written(draft);
}
