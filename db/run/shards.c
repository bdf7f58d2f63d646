/* The files that a run is cut into. */
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "db/file/database.h"
#include "db/file/objects.h"
#include "db/file/rows.h"
#include "db/folder.h"
#include "db/run_private.h"

#define WHOLE 4 /* more than any shard is worth */

/* What a file says of itself. */
struct label {
    uint32_t shard, n_shards; /* 1: it is a whole run */
    uint32_t first_step, last_step;
    char run[17]; /* the fingerprint of the run that it is of */
};

static enum kl_status no_label(const char *path, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: which part of a run it is makes no sense; restore it from a "
                   "copy, or split the run again",
                   path);
}

/* The row of its table shard, or, where that has none, its fingerprint. */
static enum kl_status read_row(sqlite3 *db, const char *path, struct label *label,
                               struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    const char *run;
    int row = 0, is_good;
    enum kl_status status =
        kl_db_prepare(db,
                      "SELECT shard, shards, first_step, last_step, run FROM shard UNION ALL "
                      "SELECT 0, 1, 1, steps_done, fingerprint FROM run WHERE finished LIMIT 1",
                      &statement, err);

    if (!status)
        status = kl_db_next(statement, &row, err);
    run = row ? (const char *)sqlite3_column_text(statement, 4) : NULL;
    is_good = run && strlen(run) == 16 && strspn(run, "0123456789abcdef") == 16 &&
              kl_db_uint32(statement, 1, KL_SHARDS_MAX, &label->n_shards) && label->n_shards >= 1 &&
              kl_db_uint32(statement, 0, label->n_shards - 1, &label->shard) &&
              kl_db_uint32(statement, 2, UINT32_MAX, &label->first_step) &&
              kl_db_uint32(statement, 3, UINT32_MAX, &label->last_step) && label->first_step >= 1 &&
              label->first_step <= label->last_step;
    if (!status && !is_good)
        status = no_label(path, err);
    if (!status)
        memcpy(label->run, run, sizeof label->run);
    sqlite3_finalize(statement);
    return status;
}

/* Errors: KL_ERR_UNFINISHED and KL_ERR_DAMAGED among others; what is no run at all, too. */
static enum kl_status read_label(const char *path, struct label *label, struct kl_error *err)
{
    sqlite3 *db = NULL;
    sqlite3_int64 finished = 0, n_rows = 0;
    enum kl_status status = kl_db_open(path, KL_OPEN_READ, &db, err);

    if (!status)
        status = kl_objects_check(db, err);
    if (!status)
        status = kl_rows_check(db, "shard", err);
    if (!status)
        status = kl_db_integer(db, "SELECT finished FROM run", &finished, err);
    if (!status && !finished)
        status = kl_fail(err, KL_ERR_UNFINISHED, "%s is not finished", path);
    if (!status)
        status = kl_db_integer(db, "SELECT count(*) FROM shard", &n_rows, err);
    if (!status && n_rows > 1)
        status = no_label(path, err);
    if (!status)
        status = read_row(db, path, label, err);
    if (!status && n_rows == 1 && label->n_shards == 1)
        status = no_label(path, err);
    sqlite3_close(db);
    return status;
}

/* A file of a list, and what it says, or why that cannot be read. */
struct found {
    const char *path;
    struct label label;
    struct kl_error err;
};

/* What n files say: *found is the caller's to free. */
static enum kl_status look_at(char *const *paths, size_t n, struct found **found,
                              struct kl_error *err)
{
    enum kl_status status = kl_alloc(found, n, sizeof **found, "the names of runs", err);

    for (size_t i = 0; !status && i < n; i++) {
        (*found)[i].path = paths[i];
        (void)read_label(paths[i], &(*found)[i].label, &(*found)[i].err);
    }
    return status;
}

static int is_of(const struct found *one, const struct label *label)
{
    return !one->err.status && !strcmp(one->label.run, label->run) &&
           one->label.n_shards == label->n_shards;
}

static enum kl_status take(struct kl_run *run, const char *path, const struct label *label,
                           struct kl_error *err)
{
    struct kl_run_shard *shard = &run->shards[label->shard];

    if (shard->path) /* the same one, or a copy of it */
        return KL_OK;
    shard->first_step = label->first_step;
    shard->last_step = label->last_step;
    return kl_copy_text(&shard->path, path, err);
}

/* Those among paths that are of the same run. What cannot be read may be one that is missed:
 * the first such is noted. */
static enum kl_status take_others(struct kl_run *run, const struct label *own, char *const *paths,
                                  size_t n, struct kl_error *err)
{
    struct found *found = NULL;
    enum kl_status status = look_at(paths, n, &found, err);

    for (size_t i = 0; !status && i < n; i++) {
        if (is_of(&found[i], own))
            status = take(run, found[i].path, &found[i].label, err);
        else if (found[i].err.status && !run->unreadable[0])
            snprintf(run->unreadable, sizeof run->unreadable, "%.299s", found[i].err.message);
    }
    free(found);
    return status;
}

/* The folder that a file is in, the caller's to free; NULL: memory ran out. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t length = slash ? (size_t)(slash - path) + (slash == path) : 1;
    char *folder = malloc(length + 1);

    if (folder) {
        memcpy(folder, slash ? path : ".", length);
        folder[length] = '\0';
    }
    return folder;
}

static enum kl_status take_neighbours(struct kl_run *run, const struct label *own, const char *path,
                                      struct kl_error *err)
{
    struct kl_paths paths = {0};
    char *folder = folder_of(path);
    enum kl_status status = folder ? kl_paths_add_folder(&paths, folder, 0, err)
                                   : kl_fail(err, KL_ERR_MEMORY, "not enough memory for a name");

    for (size_t i = 0; !status && !strchr(path, '/') && i < paths.n; i++) /* named as it is */
        memmove(paths.paths[i], paths.paths[i] + 2, strlen(paths.paths[i] + 2) + 1);
    if (!status)
        status = take_others(run, own, paths.paths, paths.n, err);
    kl_paths_clear(&paths);
    free(folder);
    return status;
}

static int has_all(const struct kl_run *run)
{
    for (uint32_t i = 0; i < run->n_shards; i++)
        if (!run->shards[i].path)
            return 0;
    return 1;
}

/* Where the others are looked for: beside the file, or what a link leads to, and among those
 * named. */
static enum kl_status take_rest(struct kl_run *run, const struct label *own, const char *path,
                                char *const *others, size_t n_others, struct kl_error *err)
{
    char *real;
    enum kl_status status = take_neighbours(run, own, path, err);

    if (!status && !has_all(run))
        status = take_others(run, own, others, n_others, err);
    if (status || has_all(run))
        return status;
    real = realpath(path, NULL);
    if (real)
        status = take_neighbours(run, own, real, err);
    free(real);
    return status;
}

enum kl_status kl_shards_find(struct kl_run *run, const char *path, int is_shard,
                              char *const *others, size_t n_others, struct kl_error *err)
{
    struct label label = {.n_shards = 1};
    enum kl_status status = is_shard ? read_label(path, &label, err) : KL_OK;

    if (!status)
        status = kl_alloc(&run->shards, label.n_shards, sizeof *run->shards, "the shards", err);
    if (status)
        return status;
    run->n_shards = label.n_shards;
    status = take(run, path, &label, err);
    if (!status && is_shard)
        status = take_rest(run, &label, path, others, n_others, err);
    if (!status && !run->shards[0].path)
        status = kl_fail(err, KL_ERR_INPUT,
                         "%s is shard %u (of 0 to %u) of a run whose shard 0, which has its data "
                         "and weights, is not beside it%s%.300s: put it, or a link to it, there",
                         path, label.shard, label.n_shards - 1, run->unreadable[0] ? "; " : "",
                         run->unreadable);
    if (!status && is_shard)
        memcpy(run->fingerprint, label.run, sizeof run->fingerprint);
    run->path = run->shards[0].path;
    return status;
}

static enum kl_status do_not_fit(const struct kl_run *run, const struct kl_run_shard *shard,
                                 struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: its steps are not those that the other shards leave to it; "
                   "restore it from a copy, or split the run again",
                   shard->path ? shard->path : run->path);
}

/* Whether the steps of the shards that are there follow each other, with room for the others. */
static enum kl_status check_steps(const struct kl_run *run, struct kl_error *err)
{
    uint32_t last_step = 0, n_between = 0; /* of the shard before, and missing since */
    const struct kl_run_shard *last = NULL;

    for (uint32_t i = 0; i < run->n_shards; i++) {
        const struct kl_run_shard *shard = &run->shards[i];

        if (shard->holder < 0) {
            n_between++;
            continue;
        }
        if (shard->last_step > run->training.n_steps ||
            (n_between ? shard->first_step <= last_step + n_between
                       : shard->first_step != last_step + 1))
            return do_not_fit(run, shard, err);
        last_step = shard->last_step;
        n_between = 0;
        last = shard;
    }
    if (last && (n_between ? run->training.n_steps - last_step < n_between
                           : last_step != run->training.n_steps))
        return do_not_fit(run, last, err);
    return KL_OK;
}

int kl_shard_is_own(const struct kl_run *run, uint32_t i)
{
    return run->shards[i].holder == (int)kl_peers_own(run->history.peers);
}

/* The first patterns of the steps of some shards (those that are there, or this process's own)
 * alone, from numbers of the whole run, which may be the same array: returns how many patterns
 * there are. */
static uint64_t leave_out(const struct kl_run *run, int own_alone, const uint64_t *numbers,
                          uint64_t *starts)
{
    uint64_t before = 0, at = 0; /* of the whole run, and of these shards */
    uint32_t i = 0;

    for (uint32_t step = 1; step <= run->training.n_steps; step++) {
        uint64_t count = numbers[step] - before;

        before = numbers[step];
        while (i < run->n_shards && (run->shards[i].holder < 0 || run->shards[i].last_step < step))
            i++;
        if (i < run->n_shards && run->shards[i].first_step <= step &&
            (!own_alone || kl_shard_is_own(run, i)))
            at += count;
        starts[step] = at;
    }
    return at;
}

enum kl_status kl_shards_place(struct kl_run *run, uint64_t *numbers, uint64_t *starts,
                               struct kl_error *err)
{
    uint64_t n_all = numbers[run->training.n_steps];

    if (run->n_shards == 1) {
        run->shards[0].first_step = 1;
        run->shards[0].last_step = run->training.n_steps;
    } else if (check_steps(run, err)) {
        return err->status;
    }
    for (uint32_t i = 0; i < run->n_shards; i++) {
        struct kl_run_shard *shard = &run->shards[i];

        if (shard->holder < 0 || shard->first_step > shard->last_step)
            continue;
        shard->first_pattern = numbers[shard->first_step - 1];
        shard->n_patterns = numbers[shard->last_step] - shard->first_pattern;
    }
    if (starts != numbers)
        leave_out(run, 1, numbers, starts);
    run->history.n_all = leave_out(run, 0, numbers, numbers);
    run->history.n_missing = n_all - run->history.n_all;
    return KL_OK;
}

/* How good a choice one of the files of a run is: a whole run before a complete set of shards,
 * before one that has the first shard, before any other; and then that of which more is there. */
static double worth(const struct found *found, size_t n, size_t i)
{
    const struct label *label = &found[i].label;
    unsigned char is_here[KL_SHARDS_MAX] = {0};
    uint32_t n_here = 0;

    if (found[i].err.status)
        return 0;
    if (label->n_shards == 1)
        return WHOLE;
    for (size_t k = 0; k < n; k++)
        if (is_of(&found[k], label) && !is_here[found[k].label.shard]) {
            is_here[found[k].label.shard] = 1;
            n_here++;
        }
    return is_here[0] + (n_here == label->n_shards) + (double)n_here / (label->n_shards + 1);
}

static enum kl_status choose(const struct found *found, size_t n, unsigned char *chosen,
                             struct kl_error *err)
{
    double *worths = NULL;
    enum kl_status status = kl_alloc(&worths, n, sizeof *worths, "the names of runs", err);

    for (size_t i = 0; !status && i < n; i++)
        worths[i] = worth(found, n, i);
    for (size_t i = 0; !status && i < n; i++) {
        chosen[i] = 1; /* but where another file of the same run is the better choice, or an earlier
                          one as good; two whole ones are told apart by who opens them */
        for (size_t k = 0; chosen[i] && worths[i] > 0 && worths[i] < WHOLE && k < n; k++)
            if (k != i && worths[k] > 0 && !strcmp(found[i].label.run, found[k].label.run) &&
                (worths[k] > worths[i] || (k < i && worths[k] >= worths[i])))
                chosen[i] = 0;
    }
    free(worths);
    return status;
}

enum kl_status kl_run_choose_files(char *const *paths, size_t n, unsigned char *chosen,
                                   struct kl_error *err)
{
    struct found *found = NULL;
    enum kl_status status = look_at(paths, n, &found, err);

    if (!status)
        status = choose(found, n, chosen, err);
    free(found);
    return status;
}

/* The file to open of a folder's, if there is only one. What cannot be read may be one of a run's
 * shards. */
static const char *the_only_one(const struct found *found, const unsigned char *chosen, size_t n)
{
    const struct found *first = NULL;
    size_t n_read = 0, n_chosen = 0;

    for (size_t i = 0; i < n; i++) {
        if (!chosen[i])
            continue;
        n_chosen++;
        n_read += !found[i].err.status;
        if (!first || (first->err.status && !found[i].err.status))
            first = &found[i];
    }
    return n_chosen == 1 || (n_read == 1 && first->label.n_shards > 1) ? first->path : NULL;
}

enum kl_status kl_shards_pick(const char *folder, char **path, struct kl_error *err)
{
    struct kl_paths paths = {0};
    struct found *found = NULL;
    unsigned char *chosen = NULL;
    const char *only = NULL;
    enum kl_status status = kl_paths_add_folder(&paths, folder, 0, err);

    if (!status && paths.n == 0)
        status =
            kl_fail(err, KL_ERR_INPUT,
                    "the folder %s has no run, a file whose name ends in " KL_RUN_SUFFIX, folder);
    if (!status)
        status = kl_alloc(&chosen, paths.n, 1, "the names of runs", err);
    if (!status)
        status = look_at(paths.paths, paths.n, &found, err);
    if (!status)
        status = choose(found, paths.n, chosen, err);
    if (!status)
        only = the_only_one(found, chosen, paths.n);
    if (!status && !only)
        status = kl_fail(err, KL_ERR_INPUT,
                         "the folder %s has more than one run (%s and others): name one of them",
                         folder, paths.paths[0]);
    if (!status)
        status = kl_copy_text(path, only, err);
    free(found);
    free(chosen);
    kl_paths_clear(&paths);
    return status;
}

static enum kl_status list_file(const char *path, struct kl_paths *files, struct kl_error *err)
{
    struct label label = {0};
    struct kl_run run = {0};
    struct kl_error ignored;
    enum kl_status status = KL_OK;

    if (read_label(path, &label, &ignored) || label.n_shards == 1 ||
        kl_shards_find(&run, path, 1, NULL, 0, &ignored))
        status = kl_paths_add(files, path, err);
    else
        for (uint32_t i = 0; !status && i < run.n_shards; i++)
            if (run.shards[i].path)
                status = kl_paths_add(files, run.shards[i].path, err);
    kl_shards_free(&run);
    return status;
}

enum kl_status kl_shards_list(const char *path, struct kl_paths *files, struct kl_error *err)
{
    char *file = NULL;
    enum kl_status status;

    if (!kl_is_folder(path))
        return list_file(path, files, err);
    status = kl_shards_pick(path, &file, err);
    if (!status)
        status = list_file(file, files, err);
    free(file);
    return status;
}

void kl_shards_free(struct kl_run *run)
{
    for (uint32_t i = 0; run->shards && i < run->n_shards; i++)
        free(run->shards[i].path);
    free(run->shards);
}
