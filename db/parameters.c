#include "db/parameters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "db/database.h"

static enum kl_status damaged(sqlite3 *db, const char *what, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_DAMAGED,
                   "%s is damaged: %s; restore it from a copy or train it again",
                   sqlite3_db_filename(db, "main"), what);
}

/* Inserts all layers of a network with a statement of (key, layer, inputs, outputs, weights,
 * biases), whose key is bound already. */
static enum kl_status write_layers(sqlite3_stmt *statement, const struct kl_network *network,
                                   struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (uint32_t l = 0; !status && l < network->shape.n_layers; l++) {
        uint32_t inputs = network->shape.inputs[l], outputs = network->shape.outputs[l];

        sqlite3_bind_int64(statement, 2, l + 1);
        sqlite3_bind_int64(statement, 3, inputs);
        sqlite3_bind_int64(statement, 4, outputs);
        sqlite3_bind_blob64(statement, 5, network->weights[l],
                            (sqlite3_uint64)inputs * outputs * sizeof(float), SQLITE_STATIC);
        sqlite3_bind_blob64(statement, 6, network->biases[l], outputs * sizeof(float),
                            SQLITE_STATIC);
        status = kl_db_run(statement, err);
    }
    return status;
}

static enum kl_status copy_blob(sqlite3 *db, sqlite3_stmt *statement, int column, float *out,
                                size_t n, struct kl_error *err)
{
    const void *blob = sqlite3_column_blob(statement, column);

    if ((size_t)sqlite3_column_bytes(statement, column) != n * sizeof(float) || !blob)
        return damaged(db, "a layer's parameters have the wrong size", err);
    memcpy(out, blob, n * sizeof(float));
    for (size_t i = 0; i < n; i++)
        if (!isfinite(out[i]))
            return damaged(db, "a layer's parameters are not finite numbers", err);
    return KL_OK;
}

/* Reads all layers with a statement of weights and biases by (key, layer), whose key is bound. */
static enum kl_status read_layers(sqlite3 *db, sqlite3_stmt *statement, struct kl_network *network,
                                  struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (uint32_t l = 0; !status && l < network->shape.n_layers; l++) {
        size_t outputs = network->shape.outputs[l];
        int row = 0;

        sqlite3_bind_int64(statement, 2, l + 1);
        status = kl_db_next(statement, &row, err);
        if (!status && !row)
            status = damaged(db, "a layer's parameters are missing", err);
        if (!status)
            status = copy_blob(db, statement, 0, network->weights[l],
                               (size_t)network->shape.inputs[l] * outputs, err);
        if (!status)
            status = copy_blob(db, statement, 1, network->biases[l], outputs, err);
        sqlite3_reset(statement);
    }
    return status;
}

/* The embedding of a language model, which stands in a table of its own: step 0 but for snapshots.
 * Other networks have none. */
static enum kl_status write_embedding(sqlite3 *db, const char *state, uint32_t step,
                                      const struct kl_network *network, struct kl_error *err)
{
    const struct kl_shape *shape = &network->shape;
    sqlite3_stmt *statement = NULL;
    enum kl_status status;

    if (!network->embedding)
        return KL_OK;
    status = kl_db_prepare(db,
                           "INSERT INTO embedding (state, step, tokens, width, data) "
                           "VALUES (?1, ?2, ?3, ?4, ?5) "
                           "ON CONFLICT (state, step) DO UPDATE SET data = excluded.data",
                           &statement, err);
    if (!status) {
        sqlite3_bind_text(statement, 1, state, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, step);
        sqlite3_bind_int64(statement, 3, shape->vocabulary);
        sqlite3_bind_int64(statement, 4, shape->embedding);
        sqlite3_bind_blob64(statement, 5, network->embedding,
                            (sqlite3_uint64)shape->vocabulary * shape->embedding * sizeof(float),
                            SQLITE_STATIC);
        status = kl_db_run(statement, err);
    }
    sqlite3_finalize(statement);
    return status;
}

static enum kl_status read_embedding(sqlite3 *db, const char *state, uint32_t step,
                                     struct kl_network *network, struct kl_error *err)
{
    const struct kl_shape *shape = &network->shape;
    sqlite3_stmt *statement = NULL;
    int row = 0;
    enum kl_status status;

    if (!network->embedding)
        return KL_OK;
    status = kl_db_prepare(db, "SELECT data FROM embedding WHERE state = ?1 AND step = ?2",
                           &statement, err);
    if (!status) {
        sqlite3_bind_text(statement, 1, state, -1, SQLITE_STATIC);
        sqlite3_bind_int64(statement, 2, step);
        status = kl_db_next(statement, &row, err);
    }
    if (!status && !row)
        status = damaged(db, "its embedding is missing", err);
    if (!status)
        status = copy_blob(db, statement, 0, network->embedding,
                           (size_t)shape->vocabulary * shape->embedding, err);
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_parameters_write(sqlite3 *db, const char *state, const struct kl_network *network,
                                   struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    enum kl_status status =
        kl_db_prepare(db,
                      "INSERT INTO parameters (state, layer, inputs, outputs, weights, biases) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (layer, state) DO UPDATE "
                      "SET weights = excluded.weights, biases = excluded.biases",
                      &statement, err);

    if (!status) {
        sqlite3_bind_text(statement, 1, state, -1, SQLITE_STATIC);
        status = write_layers(statement, network, err);
    }
    sqlite3_finalize(statement);
    return status ? status : write_embedding(db, state, 0, network, err);
}

enum kl_status kl_parameters_read(sqlite3 *db, const char *state, struct kl_network *network,
                                  struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    enum kl_status status =
        kl_db_prepare(db, "SELECT weights, biases FROM parameters WHERE state = ?1 AND layer = ?2",
                      &statement, err);

    if (!status) {
        sqlite3_bind_text(statement, 1, state, -1, SQLITE_STATIC);
        status = read_layers(db, statement, network, err);
    }
    sqlite3_finalize(statement);
    return status ? status : read_embedding(db, state, 0, network, err);
}

enum kl_status kl_parameters_end(sqlite3 *db, struct kl_error *err)
{
    return kl_db_exec(db,
                      "DELETE FROM parameters WHERE state IN ('velocity', 'squares'); "
                      "DELETE FROM embedding WHERE state IN ('velocity', 'squares'); "
                      "DELETE FROM carried",
                      err);
}

enum kl_status kl_carried_write(sqlite3 *db, const float *carried, size_t n, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    enum kl_status status = kl_db_prepare(db,
                                          "INSERT INTO carried (id, data) VALUES (1, ?1) "
                                          "ON CONFLICT (id) DO UPDATE SET data = excluded.data",
                                          &statement, err);

    if (!status) {
        sqlite3_bind_blob64(statement, 1, carried, n * sizeof(float), SQLITE_STATIC);
        status = kl_db_run(statement, err);
    }
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_carried_read(sqlite3 *db, float *carried, size_t n, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    int row = 0;
    enum kl_status status = kl_db_prepare(db, "SELECT data FROM carried", &statement, err);

    if (!status)
        status = kl_db_next(statement, &row, err);
    if (!status && !row)
        status = damaged(db, "the state that it carries along is missing", err);
    if (!status)
        status = copy_blob(db, statement, 0, carried, n, err);
    sqlite3_finalize(statement);
    return status;
}

enum kl_status kl_snapshot_write(sqlite3 *db, uint32_t step, const struct kl_network *network,
                                 struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    enum kl_status status =
        kl_db_prepare(db,
                      "INSERT INTO snapshot (step, layer, inputs, outputs, weights, biases) "
                      "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                      &statement, err);

    if (!status) {
        sqlite3_bind_int64(statement, 1, step);
        status = write_layers(statement, network, err);
    }
    sqlite3_finalize(statement);
    return status ? status : write_embedding(db, "snapshot", step, network, err);
}

enum kl_status kl_snapshot_read(sqlite3 *db, uint32_t step, struct kl_network *network,
                                struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    enum kl_status status = kl_db_prepare(
        db, "SELECT weights, biases FROM snapshot WHERE step = ?1 AND layer = ?2", &statement, err);

    if (!status) {
        sqlite3_bind_int64(statement, 1, step);
        status = read_layers(db, statement, network, err);
    }
    sqlite3_finalize(statement);
    return status ? status : read_embedding(db, "snapshot", step, network, err);
}

enum kl_status kl_snapshot_steps(sqlite3 *db, uint32_t n_steps, uint32_t n_layers, uint32_t **out,
                                 uint32_t *n, struct kl_error *err)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_int64 count = 0;
    uint32_t *steps = NULL, found = 0;
    int row = 1;
    enum kl_status status =
        kl_db_integer(db, "SELECT count(DISTINCT step) FROM snapshot", &count, err);

    if (!status)
        status = kl_alloc(&steps, (size_t)count, sizeof *steps, "the snapshots", err);
    if (!status)
        status = kl_db_prepare(
            db, "SELECT step, count(*) FROM snapshot GROUP BY step ORDER BY step", &statement, err);
    while (!status && !(status = kl_db_next(statement, &row, err)) && row && found < count) {
        sqlite3_int64 step = sqlite3_column_int64(statement, 0);

        if (step < 1 || step >= n_steps || sqlite3_column_int64(statement, 1) != n_layers)
            status = damaged(db, "a snapshot is of no step, or misses layers", err);
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
