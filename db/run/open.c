/* What is read of a run when it is opened. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "db/file/checksum.h"
#include "db/file/database.h"
#include "db/file/rows.h"
#include "db/file/run_row.h"
#include "db/run_private.h"
#include "db/tables/chunks.h"
#include "db/tables/datasets.h"
#include "db/tables/layers.h"
#include "db/tables/settings.h"
#include "db/tables/tensors.h"

static enum kl_status damaged(const struct kl_run *run, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s; restore it from a copy or train it "
                   "again",
                   run->path, what);
}

/* What is there of a run of which shards are missing. */
static enum kl_status read_version(struct kl_run *run, struct kl_error *err)
{
    struct kl_checksum *sum = NULL;
    enum kl_status status = kl_checksum_begin(run->fingerprint, &sum, err);

    if (status)
        return status;
    for (uint32_t i = 0; i < run->n_shards; i++)
        kl_checksum_integer(sum, run->shards[i].holder >= 0);
    snprintf(run->version, sizeof run->version, "%016" PRIx64, (uint64_t)kl_checksum_end(sum));
    return KL_OK;
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
    if (!status && run->n_shards == 1) /* of others every file has one of its own */
        memcpy(run->fingerprint, text, 17);
    sqlite3_finalize(statement);
    memcpy(run->version, run->fingerprint, sizeof run->version);
    if (!status && run->history.n_missing)
        status = read_version(run, err);
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
    if (!status && layout->errors[l] && run->history.layers[l].rules) /* else they say nothing */
        status =
            open_source(run, l, &errors, &private->streams.errors[l], &run->history.errors[l], err);
    return status;
}

/* Every worker's connections to the files that are there. */
static enum kl_status open_files(struct kl_run *run, unsigned n_workers, struct kl_error *err)
{
    struct kl_chunk_file *files = NULL;
    uint32_t n = 0;
    enum kl_status status = kl_alloc(&files, run->n_shards, sizeof *files, "the files", err);

    for (uint32_t i = 0; !status && i < run->n_shards; i++)
        if (i == 0 || kl_shard_is_own(run, i)) /* the first one has the images, too */
            files[n++] =
                (struct kl_chunk_file){run->shards[i].path, run->shards[i].first_pattern,
                                       kl_shard_is_own(run, i) ? run->shards[i].n_patterns : 0};
    if (!status)
        status = kl_chunk_files_open(files, n, n_workers, &run->private->files, err);
    free(files);
    return status;
}

static enum kl_status open_sources(struct kl_run *run, unsigned n_workers, struct kl_error *err)
{
    struct kl_layout layout;
    enum kl_status status = open_files(run, n_workers, err);

    kl_training_layout(&run->training, &layout);
    for (uint32_t l = 0; !status && l < layout.n_layers; l++)
        status = open_layer(run, &layout, l, err);
    if (!status)
        kl_chunk_files_trust(run->private->files);
    return status;
}

/* What keys and error signals take in memory, where what is packed stays so: by what stands in the
 * chunks' rows before their data, of rows that can be read. */
static void count_memory(struct kl_run *run)
{
    static const char sql[] =
        "WITH chunk AS (SELECT count, width, stored, CASE dtype WHEN 'float16' THEN 2 ELSE 4 END "
        "AS number FROM key_chunk UNION ALL SELECT count, width, stored, CASE dtype WHEN 'float16' "
        "THEN 2 ELSE 4 END FROM error_chunk) SELECT (SELECT total(stored * number + CASE WHEN "
        "stored < count * width THEN count * ((width + 7) / 8 + 4) ELSE 0 END) FROM chunk) + "
        "(SELECT total(count * entries * (4 + CASE dtype WHEN 'float16' THEN 2 ELSE 4 END)) FROM "
        "sparse_error_chunk)";
    struct kl_layout layout;

    kl_training_layout(&run->training, &layout);
    for (uint32_t l = 0; l < layout.n_layers; l++) {
        struct kl_chunk_table keys, errors;

        kl_run_tables(run, &layout, l, &keys, &errors);
        if (keys.kind == KL_CHUNKS_IMAGES)
            run->memory_bytes += keys.n_rows * keys.width;
    }
    for (uint32_t i = 0; i < run->n_shards; i++) {
        struct kl_error ignored; /* who reads such a layer is told */
        sqlite3_int64 here = 0;

        if (kl_shard_is_own(run, i) &&
            !kl_db_integer(run->private->shards[i], sql, &here, &ignored) && here > 0)
            run->memory_bytes += (uint64_t)here;
    }
}

/* How much of the last layer's error signals was not recorded. */
static enum kl_status read_left_out(struct kl_run *run, struct kl_error *err)
{
    double sums[2] = {0, 0}; /* left out, and all */
    enum kl_status status = KL_OK;

    for (uint32_t i = 0; !status && i < run->n_shards; i++) {
        sqlite3_stmt *statement = NULL;
        int row = 0;

        if (!kl_shard_is_own(run, i))
            continue;
        status = kl_db_prepare(run->private->shards[i],
                               "SELECT total(left_out), total(kept) FROM sparse_error_chunk",
                               &statement, err);
        if (!status)
            status = kl_db_next(statement, &row, err);
        if (!status && row) {
            sums[0] += sqlite3_column_double(statement, 0);
            sums[1] += sqlite3_column_double(statement, 0) + sqlite3_column_double(statement, 1);
        }
        sqlite3_finalize(statement);
    }
    if (!status)
        status = kl_peers_sum(run->history.peers, sums, 2, err);
    run->history.left_out = sums[1] != 0 ? sums[0] / sums[1] : 0;
    return status;
}

/* Opens every file that is there, to be read through once. */
static enum kl_status open_shards(struct kl_run *run, struct kl_error *err)
{
    struct kl_run_private *private = run->private;
    enum kl_status status =
        kl_alloc(&private->shards, run->n_shards, sizeof *private->shards, "the shards", err);

    if (!status)
        status = kl_alloc(&private->mappings, run->n_shards, sizeof *private->mappings,
                          "the shards", err);
    for (uint32_t i = 0; !status && i < run->n_shards; i++) {
        struct stat info;

        if (i > 0 && !kl_shard_is_own(run, i))
            continue;
        status = kl_db_open(run->shards[i].path, KL_OPEN_IMMUTABLE, &private->shards[i], err);
        if (!status && i > 0)
            status = kl_rows_check(private->shards[i], "run", err);
        private->mappings[i] = kl_mapping_of(run->shards[i].path);
        run->file_bytes += stat(run->shards[i].path, &info) == 0 ? (uint64_t)info.st_size : 0;
    }
    private->db = private->shards ? private->shards[0] : NULL;
    return status;
}

/* But the first one, which is read on. */
static void close_shards(struct kl_run *run)
{
    struct kl_run_private *private = run->private;

    for (uint32_t i = 1; private->shards && i < run->n_shards; i++)
        sqlite3_close(private->shards[i]);
    free(private->shards);
    private->shards = NULL;
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

/* All but the history's numbers, which are read when they are asked for. */
static enum kl_status read_small(struct kl_run *run, struct kl_error *err)
{
    enum kl_status status = read_start(run, err);

    if (!status)
        status = read_networks(run, err);
    if (!status)
        status = kl_run_read_steps(run, err);
    if (!status)
        status = read_fingerprint(run, err);
    if (!status)
        status = read_curve(run, err);
    if (!status)
        status = kl_run_prepare_history(run, err);
    if (!status)
        status = read_left_out(run, err);
    if (!status)
        count_memory(run);
    if (!status)
        status = read_snapshots(run, err);
    kl_db_trust(run->private->db);
    return status;
}

enum kl_status kl_run_read(struct kl_run *run, unsigned n_workers, struct kl_error *err)
{
    enum kl_status status = open_shards(run, err);

    if (!status)
        status = read_small(run, err);
    close_shards(run);
    if (!status && run->private->layers)
        status = kl_queries_open(run->path, run->fingerprint, &run->training.shape,
                                 kl_collection_size(&run->data), &run->private->queries, err);
    run->history.queries = run->private->queries;
    return status || n_workers == 0 ? status : open_sources(run, n_workers, err);
}
