/* Data sets and their samples, row by row. Internal to db/. */
#ifndef KL_DB_TABLES_DATASETS_H
#define KL_DB_TABLES_DATASETS_H

#include <sqlite3.h>

#include "core/models/model.h"

/* The rows of dataset, class, channel and sample, or of a text its own, that stand before the first
 * step. */
enum kl_status kl_datasets_write(sqlite3 *db, const struct kl_collection *data,
                                 struct kl_error *err);

/* The reverse, of the kind that a model reads; *data gets labels but no pixels. On failure the
 * caller still clears *data. Sizes and counts are checked against each other. Errors:
 * KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_datasets_read(sqlite3 *db, const struct kl_model *model, enum kl_heads heads,
                                struct kl_collection *data, struct kl_error *err);

#endif
