/* The pixels of all samples, in chunks by sample id. Internal to db/. */
#ifndef KL_DB_TABLES_IMAGES_H
#define KL_DB_TABLES_IMAGES_H

#include <sqlite3.h>

#include "core/data/collection.h"

/* Writes the pixels of all data sets; only images have some. */
enum kl_status kl_images_write(sqlite3 *db, const struct kl_collection *data, struct kl_error *err);

/* Reads them back into data sets that have everything else. */
enum kl_status kl_images_read(sqlite3 *db, struct kl_collection *data, struct kl_error *err);

#endif
