#include "db/split.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "db/beside.h"
#include "db/check.h"
#include "db/file/create.h"
#include "db/file/database.h"
#include "db/file/draft.h"
#include "db/file/rows.h"
#include "db/file/run_row.h"
#include "db/run_private.h"
#include "db/tables/chunk_cut.h"
#include "db/tables/queries.h"

/* The tables that are cut, and those that every shard has, so that each says what it is of. */
static const char *const cut_tables[] = {"showing_chunk", "key_chunk", "error_chunk",
                                         "sparse_error_chunk"};
static const char *const common_tables[] = {"setting", "layer"};

struct split {
    const struct kl_run *run;
    uint32_t n_shards;
    uint32_t *ends;           /* (n_shards) the last step of each */
    struct kl_draft **drafts; /* (n_shards) while they are written */
    sqlite3 *from;
    uint64_t done_bytes, total_bytes;
    kl_split_progress progress;
    void *self;
};

static int is_among(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(name, names[i]))
            return 1;
    return 0;
}

static void count(void *self, uint64_t n_bytes)
{
    struct split *split = self;

    split->done_bytes += n_bytes;
    if (split->progress && split->done_bytes < split->total_bytes)
        split->progress(split->self, split->done_bytes, split->total_bytes);
}

/* Each shard ends with the step at which as many patterns have been as there should be by then, but
 * has one step at least. */
static void choose_ends(struct split *split)
{
    const struct kl_history *history = &split->run->history;
    uint32_t step = 0;

    for (uint32_t i = 0; i < split->n_shards; i++) {
        uint64_t wanted = history->n_patterns / split->n_shards * (i + 1) +
                          history->n_patterns % split->n_shards * (i + 1) / split->n_shards;
        uint32_t most = history->n_steps - (split->n_shards - 1 - i); /* one is left for each */

        for (step++; step < most && history->starts[step] < wanted; step++)
            ;
        split->ends[i] = i + 1 == split->n_shards ? history->n_steps : step;
    }
}

struct copying {
    struct split *split;
    sqlite3 *to;
    int is_first;
};

/* A table of which a shard has all rows. */
static enum kl_status copy_table(void *argument, sqlite3 *from, const char *table,
                                 struct kl_error *err)
{
    const struct copying *copying = argument;
    int is_own = !strcmp(table, "run") || !strcmp(table, "shard"); /* every shard has other ones */
    int is_cut = is_among(table, cut_tables, sizeof cut_tables / sizeof cut_tables[0]);
    int is_common = is_among(table, common_tables, sizeof common_tables / sizeof common_tables[0]);

    return is_own || is_cut || !(copying->is_first || is_common)
               ? KL_OK
               : kl_table_copy(from, copying->to, table, count, copying->split, err);
}

/* Which part of which run it is, and that it is whole. */
static enum kl_status label(const struct split *split, uint32_t i, sqlite3 *to,
                            struct kl_error *err)
{
    sqlite3_stmt *insert = NULL;
    char sql[80];
    enum kl_status status = kl_rows_insert(to, "shard", 0, &insert, err);

    if (!status) {
        sqlite3_bind_int64(insert, 1, i);
        sqlite3_bind_int64(insert, 2, split->n_shards);
        sqlite3_bind_text(insert, 3, split->run->fingerprint, -1, SQLITE_STATIC);
        sqlite3_bind_int64(insert, 4, i ? split->ends[i - 1] + 1 : 1);
        sqlite3_bind_int64(insert, 5, split->ends[i]);
        status = kl_db_run(insert, err);
    }
    sqlite3_finalize(insert);
    snprintf(sql, sizeof sql, "UPDATE run SET steps_done = %u", split->run->training.n_steps);
    if (!status)
        status = kl_db_exec(to, sql, err);
    return status ? status : kl_run_row_finish(to, to, err);
}

/* Writes one shard, whose draft is there and empty, to its end. */
static enum kl_status write_shard(struct split *split, uint32_t i, struct kl_error *err)
{
    const struct kl_history *history = &split->run->history;
    uint64_t first = history->starts[i ? split->ends[i - 1] : 0];
    uint64_t end = history->starts[split->ends[i]];
    struct copying copying = {.split = split, .is_first = i == 0};
    sqlite3 *to = NULL;
    enum kl_status status = kl_db_open(kl_draft_name(split->drafts[i]), KL_OPEN_WRITE, &to, err);

    copying.to = to;

    if (!status)
        status = kl_db_exec(to, "PRAGMA locking_mode = EXCLUSIVE", err);
    if (!status)
        status = kl_db_create(to, err);
    if (!status)
        status = kl_run_row_begin(to, err);
    if (!status)
        status = kl_rows_each_table(split->from, copy_table, &copying, err);
    for (size_t t = 0; !status && t < sizeof cut_tables / sizeof cut_tables[0]; t++)
        status = kl_chunks_cut(split->from, to, cut_tables[t], first, end, count, split, err);
    if (!status)
        status = label(split, i, to, err);
    if (!status)
        status = kl_db_exec(to, "COMMIT", err); /* and what it wrote is on the disk */
    sqlite3_close(to);
    return status;
}

/* FOLDER/NAME.NUMBER.keylight */
static enum kl_status name_shard(const struct split *split, const char *folder, uint32_t i,
                                 struct kl_paths *shards, struct kl_error *err)
{
    const char *path = split->run->path, *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    size_t length = strlen(name), suffix = strlen(KL_RUN_SUFFIX), n_bytes;
    const char *within = folder ? folder : path;
    size_t within_length = folder ? strlen(folder) : (size_t)(name - path);
    char *shard;
    enum kl_status status;

    if (length > suffix && !strcmp(name + length - suffix, KL_RUN_SUFFIX))
        length -= suffix;
    n_bytes = within_length + length + 40;
    shard = malloc(n_bytes);
    if (!shard)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for a name");
    snprintf(shard, n_bytes, "%.*s%s%.*s.%u" KL_RUN_SUFFIX, (int)within_length, within,
             folder && within_length && folder[within_length - 1] != '/' ? "/" : "", (int)length,
             name, i);
    status = kl_paths_add(shards, shard, err);
    free(shard);
    return status;
}

/* Gives all their names: none, if that fails. */
static enum kl_status publish(struct split *split, struct kl_error *err)
{
    enum kl_status status = KL_OK;
    uint32_t i = split->n_shards; /* the first one, without which there is no run, last */

    while (!status && i > 0)
        status = kl_draft_publish(split->drafts[--i], 0, 0, err);
    for (i++; status && i < split->n_shards; i++)
        unlink(kl_draft_target(split->drafts[i]));
    return status;
}

/* Writes all, and then gives them their names. */
static enum kl_status write_all(struct split *split, const struct kl_paths *shards,
                                struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (uint32_t i = 0; !status && i < split->n_shards; i++)
        status = kl_draft_check_target(shards->paths[i], 0, err);
    for (uint32_t i = 0; !status && i < split->n_shards; i++) {
        status = kl_draft_begin(shards->paths[i], ".splitting", KL_LEFTOVER_REPLACED,
                                &split->drafts[i], err);
        if (!status && i == 0)
            status =
                kl_draft_check_room(split->drafts[0], split->run->path, split->total_bytes, err);
        if (!status)
            status = write_shard(split, i, err);
    }
    if (!status)
        status = publish(split, err);
    for (uint32_t i = 0; i < split->n_shards; i++) {
        if (status && split->drafts[i])
            kl_draft_remove(split->drafts[i]);
        kl_draft_free(split->drafts[i]);
    }
    return status;
}

static enum kl_status check_number(const struct kl_run *run, const char *path, uint32_t n_shards,
                                   struct kl_error *err)
{
    if (run->n_shards > 1)
        return kl_fail(err, KL_ERR_USAGE,
                       "%s is a shard already, and what is cut cannot be cut again: split the "
                       "whole run",
                       path);
    if (n_shards < 2 || n_shards > KL_SHARDS_MAX)
        return kl_fail_on(err, KL_ERR_USAGE, "shards", "shards must be from 2 to %u",
                          KL_SHARDS_MAX);
    if (n_shards > run->training.n_steps)
        return kl_fail_on(err, KL_ERR_USAGE, "shards",
                          "shards must be at most the run's steps, %u: each has one at least",
                          run->training.n_steps);
    return KL_OK;
}

static enum kl_status prepare(struct split *split, struct kl_error *err)
{
    enum kl_status status =
        kl_alloc(&split->ends, split->n_shards, sizeof *split->ends, "the shards", err);

    if (!status)
        status =
            kl_alloc(&split->drafts, split->n_shards, sizeof(struct kl_draft *), "the shards", err);
    if (!status)
        status = kl_db_open(split->run->path, KL_OPEN_IMMUTABLE, &split->from, err);
    if (status)
        return status;
    kl_db_trust(split->from); /* all of it has been checked */
    split->total_bytes = split->run->file_bytes;
    choose_ends(split);
    return KL_OK;
}

/* What was added to a run later. */
static enum kl_status list_beside(const char *path, struct kl_paths *beside, struct kl_error *err)
{
    static const char *const suffixes[] = {KL_MARKS_SUFFIX, KL_RESULTS_SUFFIX, KL_QUERIES_SUFFIX};
    enum kl_status status = KL_OK;

    for (size_t i = 0; !status && i < sizeof suffixes / sizeof suffixes[0]; i++) {
        char *name = kl_draft_path(path, suffixes[i]);

        if (!name)
            status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for a name");
        else if (!access(name, F_OK))
            status = kl_paths_add(beside, name, err);
        free(name);
    }
    return status;
}

enum kl_status kl_split(const char *path, uint32_t n_shards, const char *folder,
                        kl_split_progress progress, void *self, struct kl_paths *shards,
                        struct kl_paths *beside, struct kl_error *err)
{
    struct kl_run *run = NULL;
    struct split split = {.n_shards = n_shards, .progress = progress, .self = self};
    enum kl_status status = kl_run_open(path, 0, &run, err);

    if (status)
        return status;
    split.run = run;
    status = check_number(run, path, n_shards, err);
    if (!status) /* what is cut gets new checksums: it has to be right */
        status = kl_check_rows(run->path, err);
    if (!status)
        status = prepare(&split, err);
    for (uint32_t i = 0; !status && i < n_shards; i++)
        status = name_shard(&split, folder, i, shards, err);
    if (!status)
        status = write_all(&split, shards, err);
    if (!status)
        status = list_beside(run->path, beside, err);
    sqlite3_close(split.from);
    free(split.drafts);
    free(split.ends);
    kl_run_close(run);
    return status;
}
