/* The run's settings and data set descriptions, row by row. Internal to db/. */
#ifndef KL_DB_SETTINGS_H
#define KL_DB_SETTINGS_H

#include <sqlite3.h>

#include "core/data/collection.h"
#include "core/training/training.h"

/* The rows of run, layer, dataset, class, channel and sample that stand before the first step. */
enum kl_status kl_settings_write(sqlite3 *db, const struct kl_training *training,
                                 const struct kl_collection *data, struct kl_error *err);

/* The reverse; *data gets labels but no pixels, *steps_done as of the last checkpoint. On failure
 * the caller still clears *data. Sizes and counts are checked against each other. */
enum kl_status kl_settings_read(sqlite3 *db, struct kl_training *training,
                                struct kl_collection *data, uint32_t *steps_done,
                                struct kl_error *err);

#endif
