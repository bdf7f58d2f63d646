#include "db/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/half.h"
#include "core/kernels.h"
#include "core/memory.h"
#include "db/database.h"
#include "db/images.h"
#include "db/parameters.h"
#include "db/schema.h"
#include "db/settings.h"

#define CHUNK_BYTES ((size_t)1 << 20) /* of the widest layer: some of a second-level cache */
#define TOP_EXPONENT 14               /* a chunk's largest error signal is stored below 2^15 */

/* Patterns that wait for their chunk, in the float32 they were computed in. */
struct chunk {
    uint64_t first;
    uint32_t count, capacity;
    uint32_t *samples;            /* (capacity) */
    float *keys[KL_LAYERS_MAX];   /* (capacity, widths[l]); none for layer 0 */
    float *errors[KL_LAYERS_MAX]; /* (capacity, widths[l + 1]) */
    uint16_t *halves;             /* (capacity, widest) */
};

struct kl_writer {
    sqlite3 *db;
    struct kl_training training;
    struct chunk chunk;
    sqlite3_stmt *insert_step, *insert_patterns, *insert_keys, *insert_errors, *insert_curve;
};

static enum kl_status prepare_statements(struct kl_writer *writer, struct kl_error *err)
{
    static const char insert_numbers[] =
        "INSERT INTO %s (layer, first, count, width, dtype, exponent, data) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    char keys[200], errors[200];
    enum kl_status status;

    snprintf(keys, sizeof keys, insert_numbers, "key_chunk");
    snprintf(errors, sizeof errors, insert_numbers, "error_chunk");
    status = kl_db_prepare(writer->db, "INSERT INTO step VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                           &writer->insert_step, err);
    if (!status)
        status = kl_db_prepare(writer->db,
                               "INSERT INTO pattern_chunk (first, count, data) VALUES (?1, ?2, ?3)",
                               &writer->insert_patterns, err);
    if (!status)
        status = kl_db_prepare(writer->db, keys, &writer->insert_keys, err);
    if (!status)
        status = kl_db_prepare(writer->db, errors, &writer->insert_errors, err);
    if (!status)
        status = kl_db_prepare(
            writer->db, "INSERT INTO curve (step, dataset, accuracy, loss) VALUES (?1, ?2, ?3, ?4)",
            &writer->insert_curve, err);
    return status;
}

static enum kl_status allocate_chunk(struct kl_writer *writer, struct kl_error *err)
{
    const struct kl_training *training = &writer->training;
    struct chunk *chunk = &writer->chunk;
    size_t widest = 0, row_bytes;
    enum kl_status status;

    for (uint32_t l = 1; l <= training->n_layers; l++)
        widest = training->widths[l] > widest ? training->widths[l] : widest;
    row_bytes = widest * kl_dtype_size(training->dtype);
    chunk->capacity = row_bytes < CHUNK_BYTES ? (uint32_t)(CHUNK_BYTES / row_bytes) : 1;
    status = kl_alloc(&chunk->samples, chunk->capacity, sizeof(uint32_t), "a chunk", err);
    if (!status)
        status =
            kl_alloc(&chunk->halves, chunk->capacity * widest, sizeof(uint16_t), "a chunk", err);
    for (uint32_t l = 0; !status && l < training->n_layers; l++) {
        if (l > 0)
            status = kl_alloc(&chunk->keys[l], (size_t)chunk->capacity * training->widths[l],
                              sizeof(float), "a chunk of keys", err);
        if (!status)
            status = kl_alloc(&chunk->errors[l], (size_t)chunk->capacity * training->widths[l + 1],
                              sizeof(float), "a chunk of error signals", err);
    }
    return status;
}

static float largest_magnitude(const float *numbers, size_t n)
{
    float largest = 0;

    for (size_t i = 0; i < n; i++) {
        float magnitude = fabsf(numbers[i]);

        if (!(magnitude <= FLT_MAX))
            return INFINITY;
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}

/* Writes one layer's keys (scaled = 0) or error signals (scaled = 1) of the chunk. */
static enum kl_status write_numbers(struct kl_writer *writer, sqlite3_stmt *insert, uint32_t layer,
                                    uint32_t width, const float *numbers, int scaled,
                                    struct kl_error *err)
{
    const struct chunk *chunk = &writer->chunk;
    size_t n = (size_t)chunk->count * width;
    float largest = largest_magnitude(numbers, n);
    int exponent = 0;

    if (isinf(largest) || (scaled && ilogbf(largest) > 100))
        return kl_fail(err, KL_ERR_INPUT,
                       "training diverged (layer %u has numbers beyond all bounds): use a "
                       "smaller --lr or a --clip",
                       layer + 1);
    if (writer->training.dtype == KL_F16) {
        if (scaled && largest > 0) {
            exponent = TOP_EXPONENT - ilogbf(largest);
            exponent = exponent > 100 ? 100 : exponent;
        } else if (largest > KL_HALF_MAX) {
            return kl_fail(err, KL_ERR_INPUT,
                           "the keys of layer %u reach %g, more than float16 holds: record with "
                           "--dtype float32",
                           layer + 1, (double)largest);
        }
        kl_kernels()->to_f16(numbers, n, ldexpf(1, exponent), chunk->halves);
    }
    sqlite3_bind_int64(insert, 1, layer + 1);
    sqlite3_bind_int64(insert, 2, (sqlite3_int64)chunk->first);
    sqlite3_bind_int64(insert, 3, chunk->count);
    sqlite3_bind_int64(insert, 4, width);
    sqlite3_bind_text(insert, 5, kl_dtype_name(writer->training.dtype), -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 6, exponent);
    sqlite3_bind_blob64(insert, 7,
                        writer->training.dtype == KL_F16 ? (const void *)chunk->halves : numbers,
                        n * kl_dtype_size(writer->training.dtype), SQLITE_STATIC);
    return kl_db_run(insert, err);
}

static enum kl_status write_chunk(struct kl_writer *writer, struct kl_error *err)
{
    const struct kl_training *training = &writer->training;
    struct chunk *chunk = &writer->chunk;
    enum kl_status status;

    if (chunk->count == 0)
        return KL_OK;
    sqlite3_bind_int64(writer->insert_patterns, 1, (sqlite3_int64)chunk->first);
    sqlite3_bind_int64(writer->insert_patterns, 2, chunk->count);
    sqlite3_bind_blob64(writer->insert_patterns, 3, chunk->samples, chunk->count * sizeof(uint32_t),
                        SQLITE_STATIC);
    status = kl_db_run(writer->insert_patterns, err);
    for (uint32_t l = 0; !status && l < training->n_layers; l++) {
        if (l > 0)
            status = write_numbers(writer, writer->insert_keys, l, training->widths[l],
                                   chunk->keys[l], 0, err);
        if (!status)
            status = write_numbers(writer, writer->insert_errors, l, training->widths[l + 1],
                                   chunk->errors[l], 1, err);
    }
    chunk->first += chunk->count;
    chunk->count = 0;
    return status;
}

static enum kl_status record_patterns(struct kl_writer *writer, const struct kl_step_record *record,
                                      struct kl_error *err)
{
    const uint32_t *widths = writer->training.widths;
    struct chunk *chunk = &writer->chunk;
    uint32_t done = 0;

    while (done < record->count) {
        uint32_t room = chunk->capacity - chunk->count, left = record->count - done;
        uint32_t n = left < room ? left : room;
        enum kl_status status = KL_OK;

        memcpy(chunk->samples + chunk->count, record->samples + done, n * sizeof(uint32_t));
        for (uint32_t l = 0; l < writer->training.n_layers; l++) {
            size_t in = widths[l], out = widths[l + 1];

            if (l > 0)
                memcpy(chunk->keys[l] + chunk->count * in, record->batch->keys[l] + done * in,
                       n * in * sizeof(float));
            memcpy(chunk->errors[l] + chunk->count * out, record->batch->errors[l] + done * out,
                   n * out * sizeof(float));
        }
        chunk->count += n;
        done += n;
        if (chunk->count == chunk->capacity)
            status = write_chunk(writer, err);
        if (status)
            return status;
    }
    return KL_OK;
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
    return status ? status : record_patterns(writer, record, err);
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
    snprintf(sql, sizeof sql, "UPDATE run SET steps_done = %u", state->steps_done);
    return status ? status : kl_db_exec(writer->db, sql, err);
}

static enum kl_status checkpoint(void *self, const struct kl_training_state *state,
                                 struct kl_error *err)
{
    struct kl_writer *writer = self;
    enum kl_status status = write_chunk(writer, err);

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

/* Everything is brought from the write-ahead log into the file before it is called finished: a
 * reader of a finished run opens the file alone. */
static enum kl_status finish(void *self, const struct kl_training_state *state,
                             const struct kl_prediction *predictions, struct kl_error *err)
{
    struct kl_writer *writer = self;
    char fingerprint[17], sql[80];
    enum kl_status status = write_predictions(writer, predictions, err);

    kl_training_fingerprint(&writer->training, state->network, fingerprint);
    if (!status)
        status =
            kl_db_exec(writer->db, "DELETE FROM parameters WHERE state = 'velocity'; COMMIT", err);
    if (!status)
        status = kl_db_exec(writer->db,
                            "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA journal_mode = DELETE", err);
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
    enum kl_status status = kl_db_open(path, KL_OPEN_WRITE, &db, &found);

    if (!status)
        status = kl_db_exec(db, "BEGIN IMMEDIATE", &found);
    sqlite3_close(db);
    if (status != KL_ERR_BUSY)
        return KL_OK;
    *err = found;
    return status;
}

enum kl_status kl_writer_remove(const char *path, struct kl_error *err)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
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
             "PRAGMA page_size = %d; PRAGMA application_id = %d; PRAGMA user_version = %d; "
             "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; "
             "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
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
    status = allocate_chunk(writer, err);
    if (!status)
        status = kl_db_open(path, KL_OPEN_WRITE, &writer->db, err);
    if (!status)
        status = write_start(writer, data, state, err);
    if (!status)
        status = prepare_statements(writer, err);
    if (status) {
        kl_writer_close(writer);
        unlink(path);
        return status;
    }
    *out = writer;
    return KL_OK;
}

/* What an unfinished run of this path holds, refusing a finished one. */
static enum kl_status open_unfinished(const char *path, sqlite3 **db, struct kl_error *err)
{
    sqlite3 *reader = NULL;
    sqlite3_int64 finished = 0;
    enum kl_status status = kl_db_open(path, KL_OPEN_READ, &reader, err);

    if (!status)
        status = kl_db_integer(reader, "SELECT finished FROM run", &finished, err);
    sqlite3_close(reader);
    if (!status && finished)
        status = kl_fail(err, KL_ERR_EXISTS, "%s is finished: there is nothing to resume", path);
    if (!status)
        status = kl_db_open(path, KL_OPEN_WRITE, db, err);
    return status ? status
                  : kl_db_exec(*db,
                               "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; "
                               "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
                               err);
}

enum kl_status kl_writer_resume(const char *path, struct kl_writer **out,
                                struct kl_training *training, struct kl_collection *data,
                                struct kl_training_state *state, struct kl_error *err)
{
    struct kl_writer *writer = NULL;
    struct kl_training_state resumed = {NULL, NULL, 0};
    struct kl_collection read = {0};
    enum kl_status status = kl_alloc(&writer, 1, sizeof *writer, "the history", err);

    if (status)
        return status;
    status = open_unfinished(path, &writer->db, err);
    if (!status)
        status = kl_settings_read(writer->db, &writer->training, &read, &resumed.steps_done, err);
    if (!status)
        status = kl_images_read(writer->db, &read, err);
    if (!status)
        status = kl_network_create(writer->training.n_layers, writer->training.widths,
                                   &resumed.network, err);
    if (!status)
        status = kl_network_create(writer->training.n_layers, writer->training.widths,
                                   &resumed.velocity, err);
    if (!status)
        status = kl_parameters_read(writer->db, "current", resumed.network, err);
    if (!status && resumed.steps_done < writer->training.n_steps)
        status = kl_parameters_read(writer->db, "velocity", resumed.velocity, err);
    if (!status)
        status = allocate_chunk(writer, err);
    if (!status)
        status = prepare_statements(writer, err);
    if (status) {
        kl_training_state_clear(&resumed);
        kl_collection_clear(&read);
        kl_writer_close(writer);
        return status;
    }
    writer->chunk.first = (uint64_t)resumed.steps_done * writer->training.batch_size;
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
    struct chunk *chunk;

    if (!writer)
        return;
    chunk = &writer->chunk;
    sqlite3_finalize(writer->insert_step);
    sqlite3_finalize(writer->insert_patterns);
    sqlite3_finalize(writer->insert_keys);
    sqlite3_finalize(writer->insert_errors);
    sqlite3_finalize(writer->insert_curve);
    sqlite3_close(writer->db); /* rolls back what no checkpoint has committed */
    free(chunk->samples);
    free(chunk->halves);
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        free(chunk->keys[l]);
        free(chunk->errors[l]);
    }
    free(writer);
}
