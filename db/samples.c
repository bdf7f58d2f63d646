#include "db/samples.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/memory.h"
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

static const char *const order_names[KL_N_ORDERS] = {"stored", "least-sure", "most-sure", "loss",
                                                     "margin"};

const char *kl_sample_order_name(uint32_t order)
{
    return order < KL_N_ORDERS ? order_names[order] : NULL;
}

int kl_sample_order_parse(const char *name, enum kl_sample_order *order)
{
    for (int i = 0; i < KL_N_ORDERS; i++)
        if (!strcmp(name, order_names[i])) {
            *order = (enum kl_sample_order)i;
            return 0;
        }
    return -1;
}

/* One that matches, and what it is ordered by. */
struct match {
    double key; /* rising; NaN: unknown */
    uint32_t id;
};

static int by_key(const void *a, const void *b)
{
    const struct match *x = a, *y = b;

    if (isnan(x->key) != isnan(y->key))
        return isnan(x->key) ? 1 : -1;
    if (!isnan(x->key) && x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static double key_of(enum kl_sample_order order, const struct kl_certainty *certainty, uint32_t id,
                     double probability)
{
    switch (order) {
    case KL_ORDER_LEAST_SURE:
        return probability;
    case KL_ORDER_MOST_SURE:
        return -probability;
    case KL_ORDER_LOSS:
        return -(double)certainty->losses[id];
    case KL_ORDER_MARGIN:
        return (double)certainty->margins[id];
    default:
        return id;
    }
}

/* Whether a text has a word in it, upper and lower case (of ASCII) alike. */
static int has_word(const char *text, const char *word)
{
    size_t length = strlen(word);

    for (; text && *text; text++)
        if (!strncasecmp(text, word, length))
            return 1;
    return 0;
}

static int is_named(const struct kl_run *run, uint32_t id, const char *name)
{
    struct kl_sample_place place = kl_collection_place(&run->data, id);
    const struct kl_dataset *dataset = run->data.datasets[place.dataset];

    return has_word(kl_dataset_path(dataset, place.split, place.index), name) ||
           has_word(kl_dataset_description(dataset, place.split, place.index), name);
}

static enum kl_status find_matches(struct kl_run *run, const struct kl_sample_filter *filter,
                                   enum kl_sample_order order, const struct kl_certainty *certainty,
                                   struct match *matches, uint32_t *n, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    char sql[500];
    int row = 1;
    enum kl_status status;

    snprintf(sql, sizeof sql, "SELECT sample, probability FROM sample WHERE %s ORDER BY sample",
             condition);
    status = kl_db_prepare(run->private->db, sql, &statement, err);
    if (!status)
        bind_filter(statement, filter);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row &&
           *n < kl_collection_size(&run->data)) {
        uint32_t id = (uint32_t)sqlite3_column_int64(statement, 0);

        if (id >= kl_collection_size(&run->data) ||
            (filter->name && !is_named(run, id, filter->name)) ||
            (filter->differs != KL_ANY &&
             filter->votes[id] != (filter->differs ? KL_VOTE_DIFFERS : KL_VOTE_AGREES)))
            continue;
        matches[*n].id = id;
        matches[(*n)++].key = key_of(order, certainty, id, sqlite3_column_double(statement, 1));
    }
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_samples_choose(struct kl_run *run, const struct kl_sample_filter *filter,
                                 enum kl_sample_order order, const struct kl_certainty *certainty,
                                 uint32_t **ids, uint32_t *n, struct kl_error *err)
{
    struct match *matches = NULL;
    enum kl_status status =
        kl_alloc(&matches, kl_collection_size(&run->data), sizeof *matches, "samples", err);

    *n = 0;
    if (status)
        return status;
    pthread_mutex_lock(&run->private->lock);
    status = find_matches(run, filter, order, certainty, matches, n, err);
    pthread_mutex_unlock(&run->private->lock);
    if (!status && order != KL_ORDER_STORED)
        qsort(matches, *n, sizeof *matches, by_key);
    if (!status)
        status = kl_alloc(ids, *n, sizeof **ids, "samples", err);
    for (uint32_t i = 0; !status && i < *n; i++)
        (*ids)[i] = matches[i].id;
    free(matches);
    return status;
}

static enum kl_status get_some(struct kl_run *run, sqlite3_stmt *statement, const uint32_t *ids,
                               uint32_t n, struct kl_sample *samples, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (uint32_t i = 0; !status && i < n; i++) {
        int row = 0;

        sqlite3_bind_int64(statement, 1, ids[i]);
        status = kl_db_next(statement, &row, err);
        if (!status && row)
            read_sample(run, statement, &samples[i]);
        if (!status && (!row || samples[i].predicted >= kl_shape_n_outputs(&run->training.shape)))
            status = kl_fail(err, KL_ERR_DAMAGED,
                             "%s is damaged: a prediction is of no output; restore it from a copy "
                             "or train it again",
                             run->path);
        kl_db_rewind(statement);
    }
    return status;
}

enum kl_status kl_samples_some(struct kl_run *run, const uint32_t *ids, uint32_t n,
                               struct kl_sample *samples, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    char sql[200];
    enum kl_status status = KL_OK;

    for (uint32_t i = 0; i < n; i++)
        if (ids[i] >= kl_collection_size(&run->data))
            return kl_fail(err, KL_ERR_NOT_FOUND, "there is no sample %u: ids go from 0 to %u",
                           ids[i], kl_collection_size(&run->data) - 1);
    snprintf(sql, sizeof sql, "SELECT %s FROM sample WHERE sample = ?1", columns);
    pthread_mutex_lock(&run->private->lock);
    status = kl_db_prepare(run->private->db, sql, &statement, err);
    if (!status)
        status = get_some(run, statement, ids, n, samples, err);
    sqlite3_finalize(statement);
    pthread_mutex_unlock(&run->private->lock);
    return status;
}

enum kl_status kl_samples_get(struct kl_run *run, uint32_t id, struct kl_sample *sample,
                              struct kl_error *err)
{
    return kl_samples_some(run, &id, 1, sample, err);
}

static enum kl_status read_confusions(struct kl_run *run, const struct kl_sample_filter *filter,
                                      struct kl_confusion *confusions, uint32_t most, uint32_t *n,
                                      struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    char sql[500];
    int row = 1;
    enum kl_status status;

    snprintf(sql, sizeof sql,
             "SELECT target, predicted, count(*) FROM sample WHERE %s GROUP BY target, predicted "
             "ORDER BY target, predicted",
             condition);
    status = kl_db_prepare(run->private->db, sql, &statement, err);
    if (!status)
        bind_filter(statement, filter);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row && *n < most)
        confusions[(*n)++] = (struct kl_confusion){(uint32_t)sqlite3_column_int64(statement, 0),
                                                   (uint32_t)sqlite3_column_int64(statement, 1),
                                                   (uint64_t)sqlite3_column_int64(statement, 2)};
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_samples_confusions(struct kl_run *run, const struct kl_sample_filter *filter,
                                     struct kl_confusion **confusions, uint32_t *n,
                                     struct kl_error *err)
{
    uint64_t n_outputs = kl_shape_n_outputs(&run->training.shape), n_pairs = n_outputs * n_outputs,
             n_samples = kl_collection_size(&run->data);
    uint32_t most = (uint32_t)(n_pairs < n_samples ? n_pairs : n_samples);
    enum kl_status status = kl_alloc(confusions, most, sizeof **confusions, "confusions", err);

    *n = 0;
    if (status)
        return status;
    pthread_mutex_lock(&run->private->lock);
    status = read_confusions(run, filter, *confusions, most, n, err);
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
            struct kl_sample_filter right = {(int)d, split,  KL_ANY, KL_ANY, 1,
                                             KL_ANY, KL_ANY, NULL,   NULL};
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
