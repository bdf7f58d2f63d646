/* A run that is to go on. Internal to db/. */
#ifndef KL_DB_FILE_UNFINISHED_H
#define KL_DB_FILE_UNFINISHED_H

#include <sqlite3.h>

#include "core/base/error.h"

/* Opens an unfinished run to be written, as of its last checkpoint: what was written after it is
 * taken back. It is distrusted (kl_db_distrust) until the caller has read it. *finished: there is
 * nothing to go on with. The caller closes *db, also on failure. Errors: those of kl_db_open and
 * kl_objects_check; KL_ERR_EMPTY (cut off before it began). */
enum kl_status kl_unfinished_open(const char *path, sqlite3 **db, sqlite3_int64 *finished,
                                  struct kl_error *err);

#endif
