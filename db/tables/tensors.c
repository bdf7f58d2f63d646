#include "db/tables/tensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "db/file/database.h"
#include "db/file/rows.h"

#define TENSORS_MAX (2 * KL_LAYERS_MAX + 1)

/* One tensor of a network, as it is called in the file. */
struct tensor {
    int layer; /* from 1; 0: of none */
    char name[KL_LAYER_NAME_MAX];
    const char *role;
    uint32_t rows, columns; /* columns 0: a vector */
    float *numbers;
    int is_optional; /* zeros, if it is not there */
};

static size_t size_of(const struct tensor *tensor)
{
    return (size_t)tensor->rows * (tensor->columns ? tensor->columns : 1);
}

/* All tensors of a network; returns how many. */
static uint32_t list(const struct kl_network *network, struct tensor tensors[TENSORS_MAX])
{
    const struct kl_shape *shape = &network->shape;
    uint32_t n = 0;

    if (network->embedding)
        tensors[n++] = (struct tensor){
            0, "embedding", "embedding", shape->vocabulary, shape->embedding, network->embedding,
            0};
    for (uint32_t l = 0; l < shape->n_layers; l++) {
        struct tensor weights = {
            (int)l + 1, "", "weights", shape->outputs[l], shape->inputs[l], network->weights[l], 0};
        struct tensor biases = {(int)l + 1,         "", "bias", shape->outputs[l], 0,
                                network->biases[l], 0};

        kl_shape_layer_name(shape, l, weights.name);
        kl_shape_layer_name(shape, l, biases.name);
        tensors[n++] = weights;
        if (shape->layers && !shape->layers[l].has_bias) {
            biases.role = "offset";
            biases.is_optional = 1;
        }
        tensors[n++] = biases;
    }
    return n;
}

static enum kl_status damaged(sqlite3 *db, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s; restore it from a copy or train it again",
                   sqlite3_db_filename(db, "main"), what);
}

static enum kl_status write_tensor(sqlite3_stmt *insert, const char *state, uint32_t step,
                                   const struct tensor *tensor, struct kl_error *err)
{
    char shape[32];

    snprintf(shape, sizeof shape, tensor->columns ? "%u,%u" : "%u", tensor->rows, tensor->columns);
    if (tensor->layer)
        sqlite3_bind_int64(insert, 1, tensor->layer);
    else
        sqlite3_bind_null(insert, 1);
    sqlite3_bind_text(insert, 2, tensor->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 3, tensor->role, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 4, state, -1, SQLITE_STATIC);
    sqlite3_bind_int64(insert, 5, step);
    sqlite3_bind_text(insert, 6, shape, -1, SQLITE_STATIC);
    sqlite3_bind_text(insert, 7, "float32", -1, SQLITE_STATIC);
    sqlite3_bind_blob64(insert, 8, tensor->numbers, size_of(tensor) * sizeof(float), SQLITE_STATIC);
    return kl_db_run(insert, err);
}

enum kl_status kl_tensors_write(sqlite3 *db, const char *state, uint32_t step,
                                const struct kl_network *network, struct kl_error *err)
{
    struct tensor tensors[TENSORS_MAX];
    uint32_t n = list(network, tensors);
    sqlite3_stmt *insert = NULL;
    enum kl_status status = kl_rows_insert(db, "tensor", 1, &insert, err);

    for (uint32_t i = 0; !status && i < n; i++)
        status = write_tensor(insert, state, step, &tensors[i], err);
    sqlite3_finalize(insert);
    return status;
}

/* Reads with a statement of data by (state, step, name, role). */
static enum kl_status read_tensor(sqlite3 *db, sqlite3_stmt *select, const char *state,
                                  uint32_t step, const struct tensor *tensor, struct kl_error *err)
{
    size_t n = size_of(tensor);
    const void *blob;
    int row = 0;
    enum kl_status status;

    sqlite3_bind_text(select, 1, state, -1, SQLITE_STATIC);
    sqlite3_bind_int64(select, 2, step);
    sqlite3_bind_text(select, 3, tensor->name, -1, SQLITE_STATIC);
    sqlite3_bind_text(select, 4, tensor->role, -1, SQLITE_STATIC);
    status = kl_db_next(select, &row, err);
    if (!status && !row && !tensor->is_optional)
        status = damaged(db, "a tensor of its network is missing", err);
    if (!status && row) {
        blob = sqlite3_column_blob(select, 0);
        if (!blob || (size_t)sqlite3_column_bytes(select, 0) != n * sizeof(float))
            status = damaged(db, "a tensor of its network has the wrong size", err);
        else
            memcpy(tensor->numbers, blob, n * sizeof(float));
    }
    for (size_t i = 0; !status && i < n; i++)
        if (!isfinite(tensor->numbers[i]))
            status = damaged(db, "a tensor of its network has numbers that are not finite", err);
    kl_db_rewind(select);
    return status;
}

static const char select_tensor[] =
    "SELECT data FROM tensor WHERE state = ?1 AND step = ?2 AND name = ?3 AND role = ?4";

enum kl_status kl_tensors_read(sqlite3 *db, const char *state, uint32_t step,
                               struct kl_network *network, struct kl_error *err)
{
    struct tensor tensors[TENSORS_MAX];
    uint32_t n = list(network, tensors);
    sqlite3_stmt *select = NULL;
    enum kl_status status = kl_db_prepare(db, select_tensor, &select, err);

    for (uint32_t i = 0; !status && i < n; i++)
        status = read_tensor(db, select, state, step, &tensors[i], err);
    sqlite3_finalize(select);
    return status;
}

enum kl_status kl_tensors_end(sqlite3 *db, struct kl_error *err)
{
    return kl_db_exec(
        db, "DELETE FROM tensor WHERE state IN ('first_moment', 'second_moment', 'carried')", err);
}

static struct tensor carried_tensor(float *carried, size_t n)
{
    return (struct tensor){0, "carried", "carried", (uint32_t)n, 0, carried, 0};
}

enum kl_status kl_carried_write(sqlite3 *db, const float *carried, size_t n, struct kl_error *err)
{
    struct tensor tensor = carried_tensor((float *)(size_t)carried, n);
    sqlite3_stmt *insert = NULL;
    enum kl_status status = kl_rows_insert(db, "tensor", 1, &insert, err);

    if (!status)
        status = write_tensor(insert, "carried", 0, &tensor, err);
    sqlite3_finalize(insert);
    return status;
}

enum kl_status kl_carried_read(sqlite3 *db, float *carried, size_t n, struct kl_error *err)
{
    struct tensor tensor = carried_tensor(carried, n);
    sqlite3_stmt *select = NULL;
    enum kl_status status = kl_db_prepare(db, select_tensor, &select, err);

    if (!status)
        status = read_tensor(db, select, "carried", 0, &tensor, err);
    sqlite3_finalize(select);
    return status;
}

enum kl_status kl_snapshot_steps(sqlite3 *db, uint32_t n_steps, const struct kl_network *network,
                                 uint32_t **out, uint32_t *n, struct kl_error *err)
{
    struct tensor tensors[TENSORS_MAX];
    uint32_t n_tensors = list(network, tensors), found = 0, *steps = NULL;
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 count = 0;
    int row = 1;
    enum kl_status status = kl_db_integer(
        db, "SELECT count(DISTINCT step) FROM tensor WHERE state = 'snapshot'", &count, err);

    if (!status)
        status = kl_alloc(&steps, (size_t)count, sizeof *steps, "the snapshots", err);
    if (!status)
        status = kl_db_prepare(db,
                               "SELECT step, count(*) FROM tensor WHERE state = 'snapshot' "
                               "GROUP BY step ORDER BY step",
                               &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row && found < count) {
        sqlite3_int64 step = sqlite3_column_int64(statement, 0);

        if (step < 1 || step >= n_steps || sqlite3_column_int64(statement, 1) != n_tensors)
            status = damaged(db, "a snapshot is of no step, or misses tensors", err);
        steps[found++] = (uint32_t)step;
    }
    sqlite3_finalize(statement);
    if (status) {
        free(steps);
        return status;
    }
    *out = steps;
    *n = found;
    return KL_OK;
}
