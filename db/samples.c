#include "db/samples.h"

#include <stdio.h>

#include "db/file/database.h"
#include "db/run_private.h"

static const char columns[] = "sample, label, true_label, target, predicted, probability";

/* The filter as SQL; ?1 .. ?6 and ?9 are bound by bind_filter, -1 meaning any. */
static const char condition[] = "(?1 < 0 OR dataset = ?1) AND (?2 < 0 OR split = ?6) AND "
                                "(?3 < 0 OR label = ?3) AND (?4 < 0 OR predicted = ?4) AND "
                                "(?5 < 0 OR (target = predicted) = ?5) AND "
                                "(?9 < 0 OR (label <> true_label) = ?9)";

static void bind_filter(sqlite3_stmt *statement, const struct kl_sample_filter *filter)
{
    sqlite3_bind_int(statement, 1, filter->dataset);
    sqlite3_bind_int(statement, 2, filter->split);
    sqlite3_bind_int(statement, 3, filter->label);
    sqlite3_bind_int(statement, 4, filter->predicted);
    sqlite3_bind_int(statement, 5, filter->correct);
    sqlite3_bind_int(statement, 9, filter->flipped);
    if (filter->split >= 0)
        sqlite3_bind_text(statement, 6, kl_split_name((enum kl_split)filter->split), -1,
                          SQLITE_STATIC);
}

static void read_sample(const struct kl_run *run, sqlite3_stmt *statement, struct kl_sample *sample)
{
    sample->id = (uint32_t)sqlite3_column_int64(statement, 0);
    sample->place = kl_collection_place(&run->data, sample->id);
    sample->label = (uint32_t)sqlite3_column_int64(statement, 1);
    sample->true_label = (uint32_t)sqlite3_column_int64(statement, 2);
    sample->target = (uint32_t)sqlite3_column_int64(statement, 3);
    sample->predicted = (uint32_t)sqlite3_column_int64(statement, 4);
    sample->probability = sqlite3_column_double(statement, 5);
}

static enum kl_status count_matches(struct kl_run *run, const struct kl_sample_filter *filter,
                                    uint64_t *total, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    char sql[400];
    int row = 0;
    enum kl_status status;

    snprintf(sql, sizeof sql, "SELECT count(*) FROM sample WHERE %s", condition);
    status = kl_db_prepare(run->private->db, sql, &statement, err);
    if (!status) {
        bind_filter(statement, filter);
        status = kl_db_next(statement, &row, err);
    }
    if (!status)
        *total = (uint64_t)sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status list_matches(struct kl_run *run, const struct kl_sample_filter *filter,
                                   uint32_t from, uint32_t limit, struct kl_sample *samples,
                                   uint32_t *n, int64_t *next, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    char sql[500];
    int row = 1;
    enum kl_status status;

    snprintf(sql, sizeof sql,
             "SELECT %s FROM sample WHERE %s AND sample >= ?7 ORDER BY sample LIMIT ?8", columns,
             condition);
    *n = 0;
    *next = -1;
    status = kl_db_prepare(run->private->db, sql, &statement, err);
    if (!status) {
        bind_filter(statement, filter);
        sqlite3_bind_int64(statement, 7, from);
        sqlite3_bind_int64(statement, 8, (sqlite3_int64)limit + 1); /* one more: where to go on */
    }
    while (!status && !(status = kl_db_next(statement, &row, err)) && row) {
        if (*n == limit)
            *next = sqlite3_column_int64(statement, 0);
        else
            read_sample(run, statement, &samples[(*n)++]);
        if (!status && *n && samples[*n - 1].predicted >= kl_shape_n_outputs(&run->training.shape))
            status = kl_fail(err, KL_ERR_DAMAGED,
                             "%s is damaged: a prediction is of no output; restore it from a copy "
                             "or train it again",
                             run->path);
    }
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_samples_list(struct kl_run *run, const struct kl_sample_filter *filter,
                               uint32_t from, uint32_t limit, struct kl_sample *samples,
                               uint32_t *n, int64_t *next, uint64_t *total, struct kl_error *err)
{
    enum kl_status status;

    pthread_mutex_lock(&run->private->lock);
    status = count_matches(run, filter, total, err);
    if (!status)
        status = list_matches(run, filter, from, limit, samples, n, next, err);
    pthread_mutex_unlock(&run->private->lock);
    return status;
}

enum kl_status kl_samples_get(struct kl_run *run, uint32_t id, struct kl_sample *sample,
                              struct kl_error *err)
{
    static const struct kl_sample_filter any = {KL_ANY, KL_ANY, KL_ANY, KL_ANY, KL_ANY, KL_ANY};
    uint32_t n = 0;
    int64_t next;
    enum kl_status status;

    if (id >= kl_collection_size(&run->data))
        return kl_fail(err, KL_ERR_NOT_FOUND, "there is no sample %u: ids go from 0 to %u", id,
                       kl_collection_size(&run->data) - 1);
    pthread_mutex_lock(&run->private->lock);
    status = list_matches(run, &any, id, 1, sample, &n, &next, err);
    pthread_mutex_unlock(&run->private->lock);
    return status;
}

enum kl_status kl_samples_accuracies(struct kl_run *run, struct kl_accuracy *accuracies,
                                     uint32_t *n, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    *n = 0;
    pthread_mutex_lock(&run->private->lock);
    for (uint32_t d = 0; !status && d < run->data.n_datasets; d++) {
        for (int split = 0; !status && split < KL_N_SPLITS; split++) {
            struct kl_sample_filter right = {(int)d, split, KL_ANY, KL_ANY, 1, KL_ANY};
            struct kl_accuracy *accuracy = &accuracies[*n];

            accuracy->dataset = d;
            accuracy->split = (enum kl_split)split;
            accuracy->n_samples = run->data.datasets[d]->splits[split].count;
            if (accuracy->n_samples == 0)
                continue;
            status = count_matches(run, &right, &accuracy->n_right, err);
            ++*n;
        }
    }
    pthread_mutex_unlock(&run->private->lock);
    return status;
}
