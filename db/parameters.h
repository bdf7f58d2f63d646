/* The weights and biases of a run: at the start, now, and along the way. Internal to db/. */
#ifndef KL_DB_PARAMETERS_H
#define KL_DB_PARAMETERS_H

#include <sqlite3.h>

#include "core/models/network.h"

/* Writes (or overwrites) a network's parameters under a state: initial, current, velocity,
 * squares. */
enum kl_status kl_parameters_write(sqlite3 *db, const char *state, const struct kl_network *network,
                                   struct kl_error *err);

/* Reads them into a network of the right shape. */
enum kl_status kl_parameters_read(sqlite3 *db, const char *state, struct kl_network *network,
                                  struct kl_error *err);

/* Removes what only a training that goes on needs. */
enum kl_status kl_parameters_end(sqlite3 *db, struct kl_error *err);

/* The state that an LSTM carries from one minibatch to the next: n numbers. */
enum kl_status kl_carried_write(sqlite3 *db, const float *carried, size_t n, struct kl_error *err);
enum kl_status kl_carried_read(sqlite3 *db, float *carried, size_t n, struct kl_error *err);

/* Writes a network as the snapshot after a step. */
enum kl_status kl_snapshot_write(sqlite3 *db, uint32_t step, const struct kl_network *network,
                                 struct kl_error *err);

/* Reads it into a network of the right shape. */
enum kl_status kl_snapshot_read(sqlite3 *db, uint32_t step, struct kl_network *network,
                                struct kl_error *err);

/* The steps of all snapshots, rising; *steps (n) is the caller's, to free. Snapshots that are not
 * of a step between the first and the last, or not of all layers, are damage. */
enum kl_status kl_snapshot_steps(sqlite3 *db, uint32_t n_steps, uint32_t n_layers, uint32_t **steps,
                                 uint32_t *n, struct kl_error *err);

#endif
