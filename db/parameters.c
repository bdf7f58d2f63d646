#include "db/parameters.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"
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

    for (uint32_t l = 0; !status && l < network->n_layers; l++) {
        uint32_t inputs = network->widths[l], outputs = network->widths[l + 1];

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

    for (uint32_t l = 0; !status && l < network->n_layers; l++) {
        size_t outputs = network->widths[l + 1];
        int row = 0;

        sqlite3_bind_int64(statement, 2, l + 1);
        status = kl_db_next(statement, &row, err);
        if (!status && !row)
            status = damaged(db, "a layer's parameters are missing", err);
        if (!status)
            status =
                copy_blob(db, statement, 0, network->weights[l], network->widths[l] * outputs, err);
        if (!status)
            status = copy_blob(db, statement, 1, network->biases[l], outputs, err);
        sqlite3_reset(statement);
    }
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
    return status;
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
    return status;
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
    return status;
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
