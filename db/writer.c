#include "db/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "db/database.h"
#include "db/images.h"
#include "db/parameters.h"
#include "db/patterns.h"
#include "db/schema.h"
#include "db/settings.h"

/* The file is ours alone. A rollback journal suits what only grows: new pages are written once,
 * into the file itself, and the journal holds but the few old ones that change; the write-ahead log
 * would have all of them written twice. */
#define LOCKED "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = TRUNCATE; "

struct kl_writer {
    sqlite3 *db;
    struct kl_training training;
    struct kl_patterns *patterns;
    sqlite3_stmt *insert_step, *insert_curve;
};

static enum kl_status prepare_statements(struct kl_writer *writer, struct kl_error *err)
{
    enum kl_status status =
        kl_db_prepare(writer->db, "INSERT INTO step VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                      &writer->insert_step, err);

    if (!status)
        status = kl_db_prepare(
            writer->db, "INSERT INTO curve (step, dataset, accuracy, loss) VALUES (?1, ?2, ?3, ?4)",
            &writer->insert_curve, err);
    return status;
}

static enum kl_status record_step(void *self, const struct kl_step_record *record,
                                  struct kl_error *err)
{
    struct kl_writer *writer = self;
    sqlite3_stmt *insert = writer->insert_step;
    enum kl_status status;

    sqlite3_bind_int64(insert, 1, record->step);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)record->first_pattern);
    sqlite3_bind_int64(insert, 3, record->count);
    sqlite3_bind_double(insert, 4, record->rule.learning_rate);
    sqlite3_bind_double(insert, 5, record->rule.momentum);
    sqlite3_bind_double(insert, 6, record->rule.weight_decay);
    sqlite3_bind_double(insert, 7, record->rule.clip_factor);
    sqlite3_bind_double(insert, 8, record->loss);
    status = kl_db_run(insert, err);
    return status ? status : kl_patterns_add(writer->patterns, record, err);
}

static enum kl_status record_evaluation(void *self, uint32_t step, uint32_t dataset,
                                        const struct kl_evaluation *evaluation,
                                        struct kl_error *err)
{
    sqlite3_stmt *insert = ((struct kl_writer *)self)->insert_curve;

    sqlite3_bind_int64(insert, 1, step);
    sqlite3_bind_int64(insert, 2, dataset);
    sqlite3_bind_double(insert, 3, evaluation->accuracy);
    sqlite3_bind_double(insert, 4, evaluation->loss);
    return kl_db_run(insert, err);
}

static enum kl_status record_snapshot(void *self, uint32_t step, const struct kl_network *network,
                                      struct kl_error *err)
{
    return kl_snapshot_write(((struct kl_writer *)self)->db, step, network, err);
}

static enum kl_status write_state(struct kl_writer *writer, const struct kl_training_state *state,
                                  struct kl_error *err)
{
    char sql[80];
    enum kl_status status = kl_parameters_write(writer->db, "current", state->network, err);

    if (!status)
        status = kl_parameters_write(writer->db, "velocity", state->velocity, err);
    if (!status && state->squares)
        status = kl_parameters_write(writer->db, "squares", state->squares, err);
    if (!status && state->carried)
        status = kl_carried_write(writer->db, state->carried, state->n_carried, err);
    snprintf(sql, sizeof sql, "UPDATE run SET steps_done = %u", state->steps_done);
    return status ? status : kl_db_exec(writer->db, sql, err);
}

static enum kl_status checkpoint(void *self, const struct kl_training_state *state,
                                 struct kl_error *err)
{
    struct kl_writer *writer = self;
    enum kl_status status = kl_patterns_flush(writer->patterns, err);

    if (!status)
        status = write_state(writer, state, err);
    return status ? status : kl_db_exec(writer->db, "COMMIT; BEGIN IMMEDIATE", err);
}

static enum kl_status write_predictions(struct kl_writer *writer,
                                        const struct kl_prediction *predictions,
                                        struct kl_error *err)
{
    sqlite3_stmt *update = NULL;
    sqlite3_int64 n_samples = 0;
    enum kl_status status =
        kl_db_integer(writer->db, "SELECT count(*) FROM sample", &n_samples, err);

    if (!status)
        status = kl_db_prepare(
            writer->db, "UPDATE sample SET predicted = ?2, probability = ?3 WHERE sample = ?1",
            &update, err);
    for (sqlite3_int64 id = 0; !status && id < n_samples; id++) {
        sqlite3_bind_int64(update, 1, id);
        sqlite3_bind_int64(update, 2, predictions[id].predicted);
        sqlite3_bind_double(update, 3, predictions[id].probability);
        status = kl_db_run(update, err);
    }
    sqlite3_finalize(update);
    return status;
}

/* The journal is gone before the file is called finished: a reader of a finished run opens the file
 * alone. */
static enum kl_status finish(void *self, const struct kl_training_state *state,
                             const struct kl_prediction *predictions, struct kl_error *err)
{
    struct kl_writer *writer = self;
    char fingerprint[17], sql[80];
    enum kl_status status = predictions ? write_predictions(writer, predictions, err) : KL_OK;

    kl_training_fingerprint(&writer->training, state->network, fingerprint);
    if (!status)
        status = kl_parameters_end(writer->db, err);
    if (!status)
        status = kl_db_exec(writer->db, "COMMIT", err);
    if (!status)
        status = kl_db_exec(writer->db, "PRAGMA journal_mode = DELETE", err);
    snprintf(sql, sizeof sql, "UPDATE run SET finished = 1, fingerprint = '%s'", fingerprint);
    return status ? status : kl_db_exec(writer->db, sql, err);
}

static enum kl_status create_file(const char *path, struct kl_error *err)
{
    int fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0666);

    if (fd >= 0) {
        close(fd);
        return KL_OK;
    }
    if (errno == EEXIST)
        return kl_fail(err, KL_ERR_EXISTS,
                       "%s exists: name another --output, or replace it with --force", path);
    return kl_fail(err, errno == ENOSPC ? KL_ERR_FULL : KL_ERR_IO,
                   "cannot write %s: %s; name another --output", path, strerror(errno));
}

/* Whether somebody is writing the file: a run that is being trained is locked against all others.
 */
static enum kl_status check_unused(const char *path, struct kl_error *err)
{
    sqlite3 *db = NULL;
    struct kl_error found; /* whatever else is wrong with the file, it is to go */
    enum kl_status status = kl_db_open(path, KL_OPEN_READ, &db, &found);

    sqlite3_close(db);
    if (status != KL_ERR_BUSY)
        return KL_OK;
    *err = found;
    return status;
}

enum kl_status kl_writer_remove(const char *path, struct kl_error *err)
{
    static const char *const suffixes[] = {"", "-journal", "-wal",
                                           "-shm"}; /* older versions' too */
    char name[4096 + 16];
    struct stat info;

    if (stat(path, &info) == 0) {
        if (!S_ISREG(info.st_mode))
            return kl_fail(err, KL_ERR_EXISTS, "%s is not a file that can be replaced", path);
        if (check_unused(path, err))
            return err->status;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof suffixes[0]; i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        if (unlink(name) && errno != ENOENT && errno != ENOTDIR)
            return kl_fail(err, KL_ERR_IO, "cannot remove %s: %s", name, strerror(errno));
    }
    return KL_OK;
}

static enum kl_status write_start(struct kl_writer *writer, const struct kl_collection *data,
                                  const struct kl_training_state *state, struct kl_error *err)
{
    char sql[200];
    enum kl_status status;

    snprintf(sql, sizeof sql,
             "PRAGMA page_size = %d; PRAGMA application_id = %d; PRAGMA user_version = %d; " LOCKED
             "BEGIN IMMEDIATE",
             KL_PAGE_SIZE, KL_APPLICATION_ID, KL_FORMAT_VERSION);
    status = kl_db_exec(writer->db, sql, err);
    if (!status)
        status = kl_db_exec(writer->db, kl_schema, err);
    if (!status)
        status = kl_settings_write(writer->db, &writer->training, data, err);
    if (!status)
        status = kl_images_write(writer->db, data, err);
    if (!status)
        status = kl_parameters_write(writer->db, "initial", state->network, err);
    if (!status)
        status = write_state(writer, state, err);
    return status ? status : kl_db_exec(writer->db, "COMMIT; BEGIN IMMEDIATE", err);
}

enum kl_status kl_writer_create(const char *path, const struct kl_training *training,
                                const struct kl_collection *data,
                                const struct kl_training_state *state, struct kl_writer **out,
                                struct kl_error *err)
{
    struct kl_writer *writer = NULL;
    enum kl_status status = kl_alloc(&writer, 1, sizeof *writer, "the history", err);

    if (status)
        return status;
    writer->training = *training;
    status = create_file(path, err);
    if (status) {
        free(writer);
        return status;
    }
    status = kl_db_open(path, KL_OPEN_WRITE, &writer->db, err);
    if (!status)
        status = write_start(writer, data, state, err);
    if (!status)
        status = prepare_statements(writer, err);
    if (!status)
        status = kl_patterns_create(writer->db, training, 0, &writer->patterns, err);
    if (status) {
        kl_writer_close(writer);
        unlink(path);
        return status;
    }
    *out = writer;
    return KL_OK;
}

/* Opens an unfinished run to be written, as of its last checkpoint; refuses a finished one. */
static enum kl_status open_unfinished(const char *path, sqlite3 **db, struct kl_error *err)
{
    sqlite3 *reader = NULL;
    sqlite3_int64 finished = 0;
    enum kl_status status = kl_db_open(path, KL_OPEN_READ, &reader, err);

    sqlite3_close(reader);
    if (status && status != KL_ERR_UNFINISHED) /* that it was cut off is no news here */
        return status;
    status = kl_db_open(path, KL_OPEN_WRITE, db, err);
    if (!status)
        status = kl_db_integer(*db, "SELECT finished FROM run", &finished, err);
    if (!status && finished)
        status = kl_fail(err, KL_ERR_EXISTS, "%s is finished: there is nothing to resume", path);
    return status ? status : kl_db_exec(*db, LOCKED "BEGIN IMMEDIATE", err);
}

enum kl_status kl_writer_resume(const char *path, struct kl_writer **out,
                                struct kl_training *training, struct kl_collection *data,
                                struct kl_training_state *state, struct kl_error *err)
{
    struct kl_writer *writer = NULL;
    struct kl_training_state resumed = {0};
    struct kl_collection read = {0};
    uint32_t steps_done = 0;
    enum kl_status status = kl_alloc(&writer, 1, sizeof *writer, "the history", err);

    if (status)
        return status;
    status = open_unfinished(path, &writer->db, err);
    if (!status)
        status = kl_settings_read(writer->db, &writer->training, &read, &steps_done, err);
    if (!status)
        status = kl_images_read(writer->db, &read, err);
    if (!status)
        status = kl_training_state_create(&writer->training, &resumed, err);
    resumed.steps_done = steps_done;
    if (!status)
        status = kl_parameters_read(writer->db, "current", resumed.network, err);
    if (!status && steps_done < writer->training.n_steps) {
        status = kl_parameters_read(writer->db, "velocity", resumed.velocity, err);
        if (!status && resumed.squares)
            status = kl_parameters_read(writer->db, "squares", resumed.squares, err);
        if (!status && resumed.carried)
            status = kl_carried_read(writer->db, resumed.carried, resumed.n_carried, err);
    }
    if (!status)
        status = kl_patterns_create(writer->db, &writer->training,
                                    (uint64_t)steps_done * kl_training_patterns(&writer->training),
                                    &writer->patterns, err);
    if (!status)
        status = prepare_statements(writer, err);
    if (status) {
        kl_training_state_clear(&resumed);
        kl_collection_clear(&read);
        kl_writer_close(writer);
        return status;
    }
    *training = writer->training;
    *data = read;
    *state = resumed;
    *out = writer;
    return KL_OK;
}

struct kl_recorder kl_writer_recorder(struct kl_writer *writer)
{
    return (struct kl_recorder){writer,          record_step, record_evaluation,
                                record_snapshot, checkpoint,  finish};
}

void kl_writer_close(struct kl_writer *writer)
{
    if (!writer)
        return;
    kl_patterns_free(writer->patterns);
    sqlite3_finalize(writer->insert_step);
    sqlite3_finalize(writer->insert_curve);
    sqlite3_close(writer->db); /* rolls back what no checkpoint has committed */
    free(writer);
}
