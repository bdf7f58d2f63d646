#include "db/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/training/task.h"
#include "db/file/database.h"
#include "db/file/objects.h"
#include "db/file/rows.h"
#include "db/tables/images.h"
#include "db/run_private.h"
#include "db/samples.h"

static enum kl_status check_integrity(sqlite3 *db, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    const char *text = NULL;
    int row = 0;
    enum kl_status status = kl_db_prepare(db, "PRAGMA integrity_check(1)", &statement, err);

    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && row)
        text = (const char *)sqlite3_column_text(statement, 0);
    if (text && strrchr(text, '\n'))
        text = strrchr(text, '\n') + 1; /* behind which database it is of */
    if (!status && (!text || strcmp(text, "ok") != 0))
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "%s is damaged: %.200s; restore it from a copy or train it again",
                         sqlite3_db_filename(db, "main"), text ? text : "no answer");
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status check_file(const char *path, struct kl_error *err)
{
    sqlite3 *db = NULL;
    enum kl_status status = kl_db_open(path, KL_OPEN_READ, &db, err);

    if (status)
        return status;
    status = kl_objects_check(db, err);
    if (!status)
        status = check_integrity(db, err);
    if (status) { /* that a row is not what was written tells more than where a tree is broken */
        struct kl_error other;

        if (kl_rows_check_all(db, NULL, NULL, &other) == KL_ERR_DAMAGED) {
            *err = other;
            status = other.status;
        }
    } else {
        status = kl_rows_check_all(db, NULL, NULL, err);
    }
    if (!status)
        status = kl_objects_check_rows(db, err);
    sqlite3_close(db);
    return status;
}

enum kl_status kl_check_rows(const char *path, struct kl_error *err)
{
    struct kl_paths files = {0};
    enum kl_status status = kl_shards_list(path, &files, err);

    for (size_t i = 0; !status && i < files.n; i++)
        status = check_file(files.paths[i], err);
    kl_paths_clear(&files);
    return status;
}

/* Another machine adds up in another order: a probability may differ in its last digits, and the
 * winner of a tie with it. */
#define PROBABILITY_TOLERANCE 1e-3
#define LOSS_TOLERANCE 1e-3

static int agrees(const struct kl_sample *stored, const struct kl_prediction *computed)
{
    return fabs(stored->probability - (double)computed->probability) < PROBABILITY_TOLERANCE &&
           (stored->predicted == computed->predicted || stored->probability < 0.5 + 1e-3);
}

/* The stored predictions of one split against the network's; counts the right ones stored. */
static enum kl_status check_split(struct kl_pool *pool, struct kl_run *run,
                                  struct kl_sample_place first, uint32_t *n_right,
                                  struct kl_error *err)
{
    const struct kl_dataset *dataset = run->data.datasets[first.dataset];
    uint32_t base = kl_collection_id(&run->data, first), count = dataset->splits[first.split].count;
    struct kl_prediction *predictions = NULL;
    struct kl_evaluation evaluation;
    enum kl_status status = kl_alloc(&predictions, count, sizeof *predictions, "predictions", err);

    *n_right = 0;
    if (!status)
        status = run->final->shape.model->evaluate(pool, run->final, &run->data, first.dataset,
                                                   first.split, &evaluation, predictions, err);
    for (uint32_t i = 0; !status && i < count; i++) {
        struct kl_sample sample = {0};

        status = kl_samples_get(run, base + i, &sample, err);
        if (!status && !agrees(&sample, &predictions[i]))
            status =
                kl_fail(err, KL_ERR_DAMAGED,
                        "%s is damaged: the prediction stored for sample %u (class %u, %.4f) is "
                        "not the network's (%u, %.4f); restore it from a copy or train it again",
                        run->path, base + i, sample.predicted, sample.probability,
                        predictions[i].predicted, (double)predictions[i].probability);
        *n_right += sample.predicted == sample.target;
    }
    free(predictions);
    return status;
}

/* The last point of the training curve against the stored predictions of the test split. */
static enum kl_status check_curve(const struct kl_run *run, uint32_t dataset, uint32_t n_right,
                                  struct kl_error *err)
{
    double count = run->data.datasets[dataset]->splits[KL_SPLIT_TEST].count;

    for (uint32_t i = 0; i < run->n_curve; i++)
        if (run->curve[i].dataset == dataset && run->curve[i].step == run->training.n_steps &&
            fabs(run->curve[i].accuracy * count - n_right) < 0.5)
            return KL_OK;
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: its training curve does not end with the accuracy of its "
                   "predictions (%.4f); restore it from a copy or train it again",
                   run->path, n_right / count);
}

static enum kl_status check_predictions(struct kl_pool *pool, struct kl_run *run,
                                        struct kl_error *err)
{
    enum kl_status status = kl_images_read(run->private->db, &run->data, err);

    for (uint32_t d = 0; !status && d < run->data.n_datasets; d++) {
        uint32_t n_right = 0;

        for (int split = 0; !status && split < KL_N_SPLITS; split++)
            status = check_split(pool, run, (struct kl_sample_place){d, (enum kl_split)split, 0},
                                 &n_right, err);
        if (!status) /* the last split is the test split */
            status = check_curve(run, d, n_right, err);
    }
    return status;
}

/* The last point of a text's training curve against the final network. */
static enum kl_status check_text(struct kl_pool *pool, const struct kl_run *run,
                                 struct kl_error *err)
{
    const struct kl_run_curve_point *last = run->n_curve ? &run->curve[run->n_curve - 1] : NULL;
    struct kl_evaluation evaluation;
    enum kl_status status = run->final->shape.model->evaluate(
        pool, run->final, &run->data, 0, KL_SPLIT_TEST, &evaluation, NULL, err);

    if (!status && (!last || last->step != run->training.n_steps ||
                    fabs(last->loss - evaluation.loss) > LOSS_TOLERANCE))
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "%s is damaged: its training curve does not end with the test loss of its "
                         "network (%.4f); restore it from a copy or train it again",
                         run->path, evaluation.loss);
    return status;
}

/* Whether a file's rows give the fingerprint that it has. */
static enum kl_status check_fingerprint(const char *path, struct kl_error *err)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    char fingerprint[17] = "";
    const char *stored = NULL;
    int row = 0;
    enum kl_status status = kl_db_open(path, KL_OPEN_IMMUTABLE, &db, err);

    if (!status)
        status = kl_rows_fingerprint(db, fingerprint, err);
    if (!status)
        status = kl_db_prepare(db, "SELECT fingerprint FROM run", &statement, err);
    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && row)
        stored = (const char *)sqlite3_column_text(statement, 0);
    if (!status && (!stored || strcmp(fingerprint, stored) != 0))
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "%s is damaged: its fingerprint is %s, its rows give %s; restore it from "
                         "a copy or train it again",
                         path, stored ? stored : "missing", fingerprint);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return status;
}

/* What is there, against the fingerprint of each file. */
static enum kl_status check_fingerprints(const struct kl_run *run, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (uint32_t i = 0; !status && i < run->n_shards; i++)
        if (kl_shard_is_own(run, i))
            status = check_fingerprint(run->shards[i].path, err);
    return status;
}

/* Whether all of the history is there. */
static enum kl_status check_shards(const struct kl_run *run, struct kl_error *err)
{
    char missing[200];

    if (!run->history.n_missing)
        return KL_OK;
    kl_run_missing_shards(run, missing, sizeof missing);
    if (run->unreadable[0])
        return kl_fail(err, KL_ERR_DAMAGED, "shard %s of %s is missing, and %s", missing,
                       run->training.name, run->unreadable);
    return kl_fail(err, KL_ERR_INPUT,
                   "what is here of %s is what was written, but of its shards 0 to %u these are "
                   "missing: %s; bring them back, and the history can be compared with the weights",
                   run->training.name, run->n_shards - 1, missing);
}

/* Of a recorded network: that what can be asked about has all that it is asked, and images pixels.
 */
static enum kl_status check_queries(struct kl_run *run, struct kl_error *err)
{
    const struct kl_queries *queries = run->history.queries;
    uint32_t *samples = NULL, n = 0;
    struct kl_activations *activations = NULL;
    enum kl_status status = kl_history_is_text(&run->history)
                                ? KL_OK
                                : kl_images_read(run->private->db, &run->data, err);

    if (!status)
        status = kl_activations_create(&run->final->shape, 1, &activations, err);
    if (!status)
        status = queries->list(queries->self, &samples, &n, err);
    for (uint32_t i = 0; !status && i < n; i++) {
        uint32_t id = samples[i];

        status = queries->read(queries->self, id, activations, err);
        if (!status)
            status = queries->back(queries->self, id, 1, kl_collection_target(&run->data, id),
                                   activations, err);
        if (status == KL_ERR_NOT_FOUND)
            status = kl_fail(err, KL_ERR_DAMAGED,
                             "%s is damaged: test sample %u has no keys, or no gradients of its "
                             "label; restore it from a copy or record it again",
                             run->path, id);
    }
    free(samples);
    kl_activations_free(activations);
    return status;
}

/* The samples that the history says were shown, against the order that the settings give. */
static enum kl_status check_order(const struct kl_run *run, struct kl_error *err)
{
    const struct kl_history *history = &run->history;
    uint32_t n = kl_training_patterns(&run->training);
    struct kl_task task;
    enum kl_status status = kl_task_create(&run->training, &run->data, &task, err);

    if (status)
        return status;
    for (uint32_t step = 1; !status && step <= history->n_steps; step++) {
        uint64_t first = kl_history_start(history, step);
        struct kl_minibatch minibatch;
        const uint32_t *samples;

        task.load(task.self, step, &minibatch, &samples);
        if (kl_history_count(history, step) != n ||
            memcmp(samples, history->samples + first, n * sizeof *samples) != 0)
            status =
                kl_fail(err, KL_ERR_DAMAGED,
                        "%s is damaged: what it says was shown in step %u is not what its "
                        "settings make of its samples; restore it from a copy or train it again",
                        run->path, step);
    }
    task.free(task.self);
    return status;
}

enum kl_status kl_check_run(struct kl_pool *pool, struct kl_run *run, struct kl_error *err)
{
    enum kl_status status = check_fingerprints(run, err);

    if (!status && run->n_damaged)
        status = kl_fail(err, KL_ERR_DAMAGED,
                         "%s is damaged: layer %u: %s; restore it from a copy or train it again",
                         run->path, run->damage[0].layer, run->damage[0].what);
    if (status)
        return status;
    if (!run->final->shape.model->evaluate)
        status = check_queries(run, err); /* what it says of others nobody here can find out */
    else if (run->final->shape.model->has_predictions)
        status = check_predictions(pool, run, err);
    else
        status = check_text(pool, run, err);
    if (!status)
        status = check_shards(run, err);
    return status || kl_run_is_recorded(run) ? status : check_order(run, err);
}
