#include "db/run.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/explain/dual/adam.h"
#include "core/base/memory.h"
#include "core/explain/influence/decorrelation.h"
#include "core/explain/norms.h"
#include "db/tables/chunks.h"
#include "db/file/database.h"
#include "db/file/objects.h"
#include "db/file/draft.h"
#include "db/tables/tensors.h"
#include "db/run_private.h"
#include "db/file/rows.h"
#include "db/file/run_row.h"
#include "db/tables/datasets.h"
#include "db/tables/layers.h"
#include "db/tables/settings.h"

static enum kl_status damaged(const struct kl_run *run, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s; restore it from a copy or train it "
                   "again",
                   run->path, what);
}

/* Opens path as whatever it is, and closes it again; a finished run is what is looked for. */
static enum kl_status check_finished(const char *path, struct kl_error *err)
{
    sqlite3 *db = NULL;
    sqlite3_int64 finished = 0, done = 0, steps = 0, is_recorded = 0;
    enum kl_status status = kl_db_open(path, KL_OPEN_READ, &db, err);

    if (!status)
        status = kl_objects_check(db, err);
    if (!status)
        status = kl_db_integer(db, "SELECT finished FROM run", &finished, err);
    if (!status)
        status = kl_db_integer(db, "SELECT steps_done FROM run", &done, err);
    if (!status)
        status = kl_db_integer(
            db,
            "SELECT coalesce((SELECT CAST(value AS INTEGER) FROM setting WHERE key = 'steps'), 0)",
            &steps, err);
    if (!status)
        status = kl_db_integer(db, "SELECT count(*) FROM setting WHERE key = 'framework'",
                               &is_recorded, err);
    sqlite3_close(db);
    if (!status && !finished && is_recorded)
        return kl_fail(err, KL_ERR_RECORDING,
                       "%s is not finished: its recording stopped at step %lld, or still goes on; "
                       "go on with it in the program that records it (resume=True)",
                       path, (long long)done);
    if (!status && !finished)
        return kl_fail(err, KL_ERR_UNFINISHED,
                       "%s is not finished: its training stopped at step %lld of %lld", path,
                       (long long)done, (long long)steps);
    return status;
}

/* A run that is not there may be in training: that is told instead, by its draft. */
static enum kl_status check_path(const char *path, struct kl_error *err)
{
    enum kl_status status = check_finished(path, err);
    struct kl_error of_draft = {0};
    char *draft = status == KL_ERR_NOT_FOUND ? kl_draft_path(path, KL_PART) : NULL;

    if (draft && check_finished(draft, &of_draft) != KL_ERR_NOT_FOUND) {
        *err = of_draft;
        if (!of_draft.status)
            kl_fail(err, KL_ERR_UNFINISHED,
                    "%s is finished, and was cut off before it was named %s", draft, path);
        status = err->status;
    }
    free(draft);
    return status;
}

static enum kl_status read_fingerprint(struct kl_run *run, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    const char *text;
    enum kl_status status =
        kl_db_prepare(run->private->db, "SELECT fingerprint FROM run", &statement, err);

    if (!status)
        status = kl_db_next(statement, &row, err);
    text = row ? (const char *)sqlite3_column_text(statement, 0) : NULL;
    if (!status && (!text || strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16))
        status = damaged(run, "its fingerprint is missing", err);
    if (!status)
        memcpy(run->fingerprint, text, 17);
    sqlite3_finalize(statement);
    memcpy(run->version, run->fingerprint, sizeof run->version);
    return status ? status : kl_rows_birth(run->private->db, run->birth, err);
}

static enum kl_status read_curve(struct kl_run *run, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 n = 0;
    int row = 1;
    enum kl_status status =
        kl_db_integer(run->private->db, "SELECT count(rowid) FROM curve", &n, err);

    if (!status)
        status = kl_alloc(&run->curve, (size_t)n, sizeof *run->curve, "the training curve", err);
    if (!status)
        status = kl_db_prepare(run->private->db,
                               "SELECT step, dataset, accuracy, loss FROM curve "
                               "ORDER BY step, dataset",
                               &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row && run->n_curve < n) {
        struct kl_run_curve_point *point = &run->curve[run->n_curve++];

        if (!kl_db_uint32(statement, 0, run->training.n_steps, &point->step) ||
            !kl_db_uint32(statement, 1, run->data.n_datasets - 1, &point->dataset))
            status =
                damaged(run, "its training curve names a step or a data set that is none", err);
        point->accuracy = sqlite3_column_double(statement, 2);
        point->loss = sqlite3_column_double(statement, 3);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status read_networks(struct kl_run *run, struct kl_error *err)
{
    const struct kl_training *training = &run->training;
    enum kl_status status = kl_network_create(&training->shape, &run->initial, err);

    if (!status)
        status = kl_network_create(&training->shape, &run->final, err);
    if (!status)
        status = kl_tensors_read(run->private->db, "initial", 0, run->initial, err);
    return status ? status : kl_tensors_read(run->private->db, "current", 0, run->final, err);
}

/* Runs as a pool's task: every worker has a connection of its own. */
static enum kl_status read_snapshot(void *self, unsigned worker, uint32_t number,
                                    struct kl_network *network, struct kl_error *err)
{
    const struct kl_run *run = self;

    return kl_tensors_read(kl_chunk_files_db(run->private->files, worker), "snapshot",
                           run->history.snapshots.steps[number], network, err);
}

static enum kl_status read_snapshots(struct kl_run *run, struct kl_error *err)
{
    struct kl_snapshots *snapshots = &run->history.snapshots;
    uint32_t *steps = NULL;
    enum kl_status status = kl_snapshot_steps(run->private->db, run->training.n_steps, run->final,
                                              &steps, &snapshots->n, err);

    run->private->snapshot_steps = steps;
    snapshots->steps = steps;
    snapshots->self = run;
    snapshots->read = read_snapshot;
    return status;
}

static enum kl_status open_source(struct kl_run *run, uint32_t layer,
                                  const struct kl_chunk_table *table,
                                  const struct kl_block_source **stream,
                                  const struct kl_block_source **source, struct kl_error *err)
{
    enum kl_status status = kl_chunk_source_open(run->private->files, table, stream, err);

    *source = *stream;
    return status ? kl_run_replace_damaged(run, layer, table->n_rows, table->width, table->entries,
                                           source, err)
                  : KL_OK;
}

void kl_run_tables(const struct kl_run *run, const struct kl_layout *layout, uint32_t l,
                   struct kl_chunk_table *keys, struct kl_chunk_table *errors)
{
    const struct kl_shape *shape = &run->training.shape;
    uint64_t n_patterns = run->history.n_patterns;

    *keys = (struct kl_chunk_table){KL_CHUNKS_KEYS, l + 1, n_patterns, layout->keys[l], 0};
    *errors = (struct kl_chunk_table){KL_CHUNKS_ERRORS, l + 1, n_patterns,
                                      kl_shape_error_row(shape, l), 0};
    if (kl_shape_reads_samples(shape, l))
        *keys = (struct kl_chunk_table){KL_CHUNKS_IMAGES, 0, kl_collection_size(&run->data),
                                        shape->inputs[l], 0};
    if (layout->entries && l + 1 == layout->n_layers) {
        errors->kind = KL_CHUNKS_SPARSE;
        errors->entries = layout->entries;
    }
}

/* The sources of one layer, as far as they are recorded. */
static enum kl_status open_layer(struct kl_run *run, const struct kl_layout *layout, uint32_t l,
                                 struct kl_error *err)
{
    struct kl_run_private *private = run->private;
    struct kl_chunk_table keys, errors;
    enum kl_status status;

    kl_run_tables(run, layout, l, &keys, &errors);
    status = open_source(run, l, &keys, &private->streams.keys[l], &run->history.keys[l], err);
    if (!status && layout->errors[l])
        status =
            open_source(run, l, &errors, &private->streams.errors[l], &run->history.errors[l], err);
    return status;
}

static enum kl_status open_sources(struct kl_run *run, unsigned n_workers, struct kl_error *err)
{
    struct kl_layout layout;
    enum kl_status status = kl_chunk_files_open(run->path, n_workers, &run->private->files, err);

    kl_training_layout(&run->training, &layout);
    for (uint32_t l = 0; !status && l < layout.n_layers; l++)
        status = open_layer(run, &layout, l, err);
    if (!status)
        kl_chunk_files_trust(run->private->files);
    return status;
}

/* How much of the last layer's error signals was not recorded. */
static enum kl_status read_left_out(struct kl_run *run, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    enum kl_status status = kl_db_prepare(
        run->private->db,
        "SELECT total(left_out) / nullif(total(kept) + total(left_out), 0) FROM sparse_error_chunk",
        &statement, err);

    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && row)
        run->history.left_out = sqlite3_column_double(statement, 0);
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status read_start(struct kl_run *run, struct kl_error *err)
{
    sqlite3 *db = run->private->db;
    uint32_t steps_done = 0;
    enum kl_status status = kl_rows_check_small(db, err);

    if (!status)
        status =
            kl_settings_read(db, &run->training, &run->other_settings, &run->n_other_settings, err);
    if (!status)
        status = kl_datasets_read(db, kl_training_model(&run->training),
                                  (enum kl_heads)run->training.heads, &run->data, err);
    if (!status)
        status = kl_layers_read(db, &run->data, &run->training, &run->private->layers, err);
    if (!status)
        status = kl_run_row_read(db, run->training.n_steps, &steps_done, err);
    if (!status && steps_done < run->training.n_steps) {
        run->planned_steps = run->training.n_steps;
        run->training.n_steps = steps_done;
    }
    return status;
}

static enum kl_status read_all(struct kl_run *run, unsigned n_workers, struct kl_error *err)
{
    struct stat info;
    enum kl_status status = kl_db_open(run->path, KL_OPEN_IMMUTABLE, &run->private->db, err);

    if (!status)
        status = read_start(run, err);
    if (!status)
        status = read_fingerprint(run, err);
    if (!status)
        status = read_networks(run, err);
    if (!status)
        status = kl_run_read_steps(run, err);
    if (status)
        return status;
    run->private->mapping = kl_mapping_of(run->path);
    run->file_bytes = stat(run->path, &info) == 0 ? (uint64_t)info.st_size : 0;
    status = read_curve(run, err);
    if (!status)
        status = kl_run_prepare_history(run, err);
    if (!status)
        status = read_left_out(run, err);
    if (!status)
        status = read_snapshots(run, err);
    if (!status && run->private->layers)
        status = kl_queries_open(run->path, run->fingerprint, &run->training.shape,
                                 kl_collection_size(&run->data), &run->private->queries, err);
    run->history.queries = run->private->queries;
    kl_db_trust(run->private->db);
    return status || n_workers == 0 ? status : open_sources(run, n_workers, err);
}

enum kl_status kl_run_open(const char *path, unsigned n_workers, struct kl_run **out,
                           struct kl_error *err)
{
    struct kl_run *run = NULL;
    enum kl_status status = check_path(path, err);

    if (!status)
        status = kl_alloc(&run, 1, sizeof *run, "a run", err);
    if (status)
        return status;
    status = kl_alloc(&run->private, 1, sizeof *run->private, "a run", err);
    if (!status)
        status = kl_alloc(&run->path, strlen(path) + 1, 1, "a run", err);
    if (!status) {
        memcpy(run->path, path, strlen(path));
        pthread_mutex_init(&run->private->lock, NULL);
        status = read_all(run, n_workers, err);
    }
    if (status) {
        kl_run_close(run);
        return status;
    }
    *out = run;
    return KL_OK;
}

int kl_run_is_sound(const struct kl_run *run)
{
    return !run->private->mapping || kl_mapping_is_sound(run->private->mapping);
}

void kl_runs_survive(void)
{
    kl_mapping_survive();
}

const char *kl_run_other_setting(const struct kl_run *run, const char *key)
{
    for (uint32_t i = 0; i < run->n_other_settings; i++)
        if (!strcmp(run->other_settings[i].key, key))
            return run->other_settings[i].value;
    return NULL;
}

int kl_run_is_recorded(const struct kl_run *run)
{
    return kl_run_other_setting(run, "framework") != NULL;
}

void kl_run_close(struct kl_run *run)
{
    struct kl_run_private *private;

    if (!run)
        return;
    private = run->private;
    if (private)
        kl_run_let_go(run);
    for (uint32_t l = 0; private && l < KL_LAYERS_MAX; l++) {
        kl_chunk_source_close(private->streams.keys[l]);
        kl_chunk_source_close(private->streams.errors[l]);
    }
    if (private) {
        kl_chunk_files_close(private->files);
        kl_run_free_damaged(run);
        sqlite3_blob_close(private->image);
        sqlite3_close(private->db);
        kl_mapping_release(private->mapping);
        free(private->samples);
        free(private->repetitions);
        free(private->classes);
        free(private->coefficients);
        free(private->starts);
        free(private->layers);
        kl_queries_close(private->queries);
        free(private->snapshot_steps);
        free(private->class_datasets);
        kl_norms_free(run->history.norms);
        kl_decorrelation_free(run->history.decorrelation);
        kl_adam_free(run->history.adam);
        kl_scratch_free(run->history.scratch);
        if (run->path)
            pthread_mutex_destroy(&private->lock);
        free(private);
    }
    kl_collection_clear(&run->data);
    kl_network_free(run->initial);
    kl_network_free(run->final);
    free(run->rules);
    free(run->losses);
    free(run->curve);
    free(run->other_settings);
    free(run->path);
    free(run);
}
