/* The run's settings and layers, row by row. Internal to db/. */
#ifndef KL_DB_TABLES_SETTINGS_H
#define KL_DB_TABLES_SETTINGS_H

#include <sqlite3.h>

#include "core/training/training.h"
#include "db/other_setting.h"

/* The rows of setting and layer that stand before the first step. */
enum kl_status kl_settings_write(sqlite3 *db, const struct kl_training *training,
                                 struct kl_error *err);

/* Reads the settings; those that this program does not know are listed in *others, whose block the
 * caller frees. Errors: KL_ERR_DAMAGED. */
enum kl_status kl_settings_read(sqlite3 *db, struct kl_training *training,
                                struct kl_other_setting **others, uint32_t *n_others,
                                struct kl_error *err);

#endif
