#include "db/tables/queries.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "db/file/database.h"

struct stored {
    struct kl_queries queries; /* first, so that a pointer to it is one to this */
    const struct kl_shape *shape;
    pthread_mutex_t lock; /* of all below */
    sqlite3 *db;
    sqlite3_stmt *logits, *numbers;
};

static enum kl_status damaged(const struct stored *stored, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: a recorded sample has not the numbers that its layers need; "
                   "restore it from a copy or record it again",
                   sqlite3_db_filename(stored->db, "main"));
}

/* The blob of a bound statement as n floats: *is_there says whether there is a row. */
static enum kl_status read_floats(const struct stored *stored, sqlite3_stmt *statement, uint32_t n,
                                  float *out, int *is_there, struct kl_error *err)
{
    const void *blob;
    enum kl_status status = kl_db_next(statement, is_there, err);

    if (!status && *is_there) {
        blob = sqlite3_column_blob(statement, 0);
        if (!blob || (size_t)sqlite3_column_bytes(statement, 0) != n * sizeof(float))
            status = damaged(stored, err);
        else
            memcpy(out, blob, n * sizeof(float));
    }
    for (uint32_t i = 0; !status && *is_there && i < n; i++)
        if (!isfinite(out[i]))
            status = damaged(stored, err);
    sqlite3_reset(statement);
    return status;
}

/* A key (output negative) or the gradient of an output, of a layer from 0. */
static enum kl_status read_numbers(const struct stored *stored, uint32_t sample, uint32_t layer,
                                   int64_t output, uint32_t n, float *out, int *is_there,
                                   struct kl_error *err)
{
    sqlite3_bind_int64(stored->numbers, 1, sample);
    sqlite3_bind_int64(stored->numbers, 2, layer + 1);
    sqlite3_bind_text(stored->numbers, 3, output < 0 ? "key" : "gradient", -1, SQLITE_STATIC);
    if (output < 0)
        sqlite3_bind_null(stored->numbers, 4);
    else
        sqlite3_bind_int64(stored->numbers, 4, output);
    return read_floats(stored, stored->numbers, n, out, is_there, err);
}

static enum kl_status read_keys(struct stored *stored, uint32_t sample,
                                struct kl_activations *activations, struct kl_error *err)
{
    const struct kl_shape *shape = stored->shape;
    int is_there = 0;
    enum kl_status status;

    sqlite3_bind_int64(stored->logits, 1, sample);
    status = read_floats(stored, stored->logits, kl_shape_n_outputs(shape),
                         activations->keys[shape->n_layers], &is_there, err);
    if (!status && !is_there)
        return kl_fail_on(
            err, KL_ERR_NOT_FOUND, "sample",
            "this network was recorded, and this sample is not among those whose keys "
            "were: ask about one of the test split");
    for (uint32_t l = 0; !status && l < shape->n_layers; l++) {
        status = read_numbers(stored, sample, l, -1, shape->inputs[l], activations->keys[l],
                              &is_there, err);
        if (!status && !is_there)
            status = damaged(stored, err);
    }
    return status;
}

static enum kl_status read_query(void *self, uint32_t sample, struct kl_activations *activations,
                                 struct kl_error *err)
{
    struct stored *stored = self;
    enum kl_status status;

    pthread_mutex_lock(&stored->lock);
    status = read_keys(stored, sample, activations, err);
    pthread_mutex_unlock(&stored->lock);
    return status;
}

/* errors[l] += weight times the gradient of an output, of all layers but the last. */
static enum kl_status add_gradient(struct stored *stored, uint32_t sample, uint32_t output,
                                   float weight, float *row, struct kl_activations *activations,
                                   struct kl_error *err)
{
    const struct kl_shape *shape = stored->shape;
    enum kl_status status = KL_OK;

    for (uint32_t l = 0; !status && l + 1 < shape->n_layers; l++) {
        int is_there = 0;

        status = read_numbers(stored, sample, l, output, shape->outputs[l], row, &is_there, err);
        if (!status && !is_there)
            return kl_fail_on(
                err, KL_ERR_NOT_FOUND, "rank",
                "of this sample the gradients of output %u were not recorded: ask for "
                "the predicted output or the label, or in the last layer",
                output);
        for (uint32_t j = 0; !status && j < shape->outputs[l]; j++)
            activations->errors[l][j] += weight * row[j];
    }
    return status;
}

static enum kl_status read_back(void *self, uint32_t sample, int is_logit, uint32_t output,
                                struct kl_activations *activations, struct kl_error *err)
{
    struct stored *stored = self;
    const struct kl_shape *shape = stored->shape;
    uint32_t last = shape->n_layers - 1, n = kl_shape_n_outputs(shape), widest = 0;
    float *weights = activations->errors[last], *row = NULL;
    enum kl_status status;

    for (uint32_t l = 0; l < last; l++) {
        widest = shape->outputs[l] > widest ? shape->outputs[l] : widest;
        memset(activations->errors[l], 0, shape->outputs[l] * sizeof(float));
    }
    status = kl_alloc(&row, widest, sizeof *row, "gradients", err);
    memset(weights, 0, n * sizeof *weights);
    weights[output] = 1;
    if (!is_logit)
        kl_cross_entropy(activations->keys[last + 1], 1, n, &output, weights);
    pthread_mutex_lock(&stored->lock);
    for (uint32_t j = 0; !status && j < n; j++)
        if (weights[j] != 0)
            status = add_gradient(stored, sample, j, weights[j], row, activations, err);
    pthread_mutex_unlock(&stored->lock);
    free(row);
    return status;
}

enum kl_status kl_queries_open(const char *path, const struct kl_shape *shape,
                               struct kl_queries **out, struct kl_error *err)
{
    struct stored *stored = NULL;
    enum kl_status status = kl_alloc(&stored, 1, sizeof *stored, "the recorded samples", err);

    if (status)
        return status;
    stored->shape = shape;
    stored->queries = (struct kl_queries){stored, read_query, read_back};
    pthread_mutex_init(&stored->lock, NULL);
    status = kl_db_open(path, KL_OPEN_IMMUTABLE, &stored->db, err);
    if (!status)
        status = kl_db_prepare(stored->db, "SELECT logits FROM query WHERE query = ?1",
                               &stored->logits, err);
    if (!status)
        status = kl_db_prepare(stored->db,
                               "SELECT data FROM query_key_chunk WHERE query = ?1 AND layer = ?2 "
                               "AND role = ?3 AND output IS ?4",
                               &stored->numbers, err);
    if (status)
        kl_queries_close(&stored->queries);
    else
        *out = &stored->queries;
    return status;
}

void kl_queries_close(struct kl_queries *queries)
{
    struct stored *stored = (struct stored *)(void *)queries;

    if (!stored)
        return;
    sqlite3_finalize(stored->logits);
    sqlite3_finalize(stored->numbers);
    sqlite3_close(stored->db);
    pthread_mutex_destroy(&stored->lock);
    free(stored);
}
