/* The rows of the linear layers. Internal to db/. */
#ifndef KL_DB_TABLES_LAYERS_H
#define KL_DB_TABLES_LAYERS_H

#include <sqlite3.h>

#include "core/data/collection.h"
#include "core/training/training.h"

/* Those of a training that begins. */
enum kl_status kl_layers_write(sqlite3 *db, const struct kl_training *training,
                               struct kl_error *err);

/* Finds the shape of the run's network: what its settings and data make, against which the rows are
 * checked; or of a recorded one what the rows say, and then *facts, which is the caller's to free
 * (failed or not) and must outlive the shape, as it points there; NULL of others. Errors:
 * KL_ERR_DAMAGED (settings, data and layers do not fit each other), KL_ERR_USAGE, KL_ERR_MEMORY. */
enum kl_status kl_layers_read(sqlite3 *db, const struct kl_collection *data,
                              struct kl_training *training, struct kl_layer_facts **facts,
                              struct kl_error *err);

#endif
