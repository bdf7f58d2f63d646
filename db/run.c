#include "db/run.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/base/memory.h"
#include "core/explain/dual/adam.h"
#include "core/explain/influence/decorrelation.h"
#include "core/explain/norms.h"
#include "core/explain/views/class_order.h"
#include "core/explain/views/sample_order.h"
#include "db/file/database.h"
#include "db/file/draft.h"
#include "db/file/objects.h"
#include "db/folder.h"
#include "db/run_private.h"
#include "db/tables/chunks.h"

/* Opens path as whatever it is, and closes it again; a finished run, or a shard of one, is what is
 * looked for. */
static enum kl_status check_finished(const char *path, int *is_shard, struct kl_error *err)
{
    sqlite3 *db = NULL;
    sqlite3_int64 finished = 0, done = 0, steps = 0, is_recorded = 0, n_shards = 0;
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
    if (!status)
        status = kl_db_integer(db, "SELECT count(*) FROM shard", &n_shards, err);
    *is_shard = n_shards > 0;
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
static enum kl_status check_path(const char *path, int *is_shard, struct kl_error *err)
{
    enum kl_status status = check_finished(path, is_shard, err);
    struct kl_error of_draft = {0};
    int is_part;
    char *draft = status == KL_ERR_NOT_FOUND ? kl_draft_path(path, KL_PART) : NULL;

    if (draft && check_finished(draft, &is_part, &of_draft) != KL_ERR_NOT_FOUND) {
        *err = of_draft;
        if (!of_draft.status)
            kl_fail(err, KL_ERR_UNFINISHED,
                    "%s is finished, and was cut off before it was named %s", draft, path);
        status = err->status;
    }
    free(draft);
    return status;
}

/* Likewise, of a file. */
static enum kl_status open_file(const char *path, char *const *others, size_t n_others,
                                struct kl_peers *peers, unsigned n_workers, struct kl_run **out,
                                struct kl_error *err)
{
    struct kl_run *run = NULL;
    int is_shard = 0;
    enum kl_status status = check_path(path, &is_shard, err);

    if (!status)
        status = kl_alloc(&run, 1, sizeof *run, "a run", err);
    if (status)
        return status;
    status = kl_alloc(&run->private, 1, sizeof *run->private, "a run", err);
    if (!status) {
        pthread_mutex_init(&run->private->lock, NULL);
        run->history.peers = peers;
        status = kl_shards_find(run, path, is_shard, others, n_others, err);
    }
    if (!status)
        status = kl_shards_divide(run, peers, err);
    if (!status)
        status = kl_run_read(run, n_workers, err);
    if (status) {
        kl_run_close(run);
        return status;
    }
    *out = run;
    return KL_OK;
}

enum kl_status kl_run_open_among(const char *path, char *const *others, size_t n_others,
                                 struct kl_peers *peers, unsigned n_workers, struct kl_run **run,
                                 struct kl_error *err)
{
    char *file = NULL;
    enum kl_status status;

    if (!kl_is_folder(path))
        return open_file(path, others, n_others, peers, n_workers, run, err);
    status = kl_shards_pick(path, &file, err);
    if (!status)
        status = open_file(file, others, n_others, peers, n_workers, run, err);
    free(file);
    return status;
}

enum kl_status kl_run_open(const char *path, unsigned n_workers, struct kl_run **run,
                           struct kl_error *err)
{
    return kl_run_open_among(path, NULL, 0, kl_peers_none, n_workers, run, err);
}

void kl_run_rename(struct kl_run *run, char *path)
{
    if (run->private->files)
        kl_chunk_files_rename(run->private->files, path);
    free(run->shards[0].path);
    run->shards[0].path = path;
    run->path = path;
}

int kl_run_is_sound(const struct kl_run *run)
{
    for (uint32_t i = 0; i < run->n_shards; i++)
        if (run->private->mappings[i] && !kl_mapping_is_sound(run->private->mappings[i]))
            return 0;
    return 1;
}

void kl_run_missing_shards(const struct kl_run *run, char *text, size_t n_bytes)
{
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0, end; i < run->n_shards; i = end) {
        for (end = i; end < run->n_shards && run->shards[end].holder < 0; end++)
            ;
        if (end == i) {
            end++;
            continue;
        }
        if (used + 40 > n_bytes) {
            snprintf(text + used, n_bytes - used, " and others");
            return;
        }
        used += (size_t)snprintf(text + used, n_bytes - used, "%s%u", used ? ", " : "", i);
        if (end > i + 1)
            used += (size_t)snprintf(text + used, n_bytes - used, " to %u", end - 1);
    }
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
        for (uint32_t i = 0; private->mappings && i < run->n_shards; i++)
            kl_mapping_release(private->mappings[i]);
        free(private->mappings);
        free(private->samples);
        if (private->repetitions != private->repetitions_here)
            free(private->repetitions);
        free(private->repetitions_here);
        free(private->classes);
        free(private->coefficients);
        if (private->starts != private->numbers)
            free(private->starts);
        free(private->numbers);
        free(private->layers);
        kl_queries_close(private->queries);
        free(private->snapshot_steps);
        free(private->class_datasets);
        kl_norms_free(run->history.norms);
        kl_class_order_store_free(run->history.class_order_store);
        kl_sample_order_store_free(run->history.sample_order_store);
        kl_decorrelation_free(run->history.decorrelation);
        kl_adam_free(run->history.adam);
        kl_scratch_free(run->history.scratch);
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
    kl_shards_free(run);
    free(run);
}
