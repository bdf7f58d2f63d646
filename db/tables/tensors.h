/* The parameters of a run as tensors with names: at the start, now, and along the way. Internal to
 * db/. */
#ifndef KL_DB_TABLES_TENSORS_H
#define KL_DB_TABLES_TENSORS_H

#include <sqlite3.h>

#include "core/models/model.h"

/* Writes (or overwrites) a network's parameters under a state: "initial", "current", "snapshot"
 * with its step (otherwise 0), "first_moment", "second_moment". */
enum kl_status kl_tensors_write(sqlite3 *db, const char *state, uint32_t step,
                                const struct kl_network *network, struct kl_error *err);

/* Reads them into a network of the right shape. */
enum kl_status kl_tensors_read(sqlite3 *db, const char *state, uint32_t step,
                               struct kl_network *network, struct kl_error *err);

/* Removes what only a training that goes on needs. */
enum kl_status kl_tensors_end(sqlite3 *db, struct kl_error *err);

/* The state that a model carries from one minibatch to the next: n numbers. */
enum kl_status kl_carried_write(sqlite3 *db, const float *carried, size_t n, struct kl_error *err);
enum kl_status kl_carried_read(sqlite3 *db, float *carried, size_t n, struct kl_error *err);

/* The steps of all snapshots, rising; *steps (n) is the caller's, to free. Snapshots that are not
 * of a step between the first and the last, or not of all tensors of a network, are damage. */
enum kl_status kl_snapshot_steps(sqlite3 *db, uint32_t n_steps, const struct kl_network *network,
                                 uint32_t **steps, uint32_t *n, struct kl_error *err);

#endif
