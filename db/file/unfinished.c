#include "db/file/unfinished.h"

#include <stddef.h>

#include "db/file/database.h"
#include "db/file/objects.h"

enum kl_status kl_unfinished_open(const char *path, sqlite3 **db, sqlite3_int64 *finished,
                                  struct kl_error *err)
{
    sqlite3 *reader = NULL;
    sqlite3_int64 version = 0;
    enum kl_status status = kl_db_open(path, KL_OPEN_READ, &reader, err);

    sqlite3_close(reader);
    if (status && status != KL_ERR_UNFINISHED) /* that it was cut off is no news here */
        return status;
    status = kl_db_open(path, KL_OPEN_WRITE, db, err);
    if (!status)
        kl_db_distrust(*db);
    if (!status)
        status = kl_db_integer(*db, "PRAGMA user_version", &version, err);
    if (!status && version == 0)
        status = kl_fail(err, KL_ERR_EMPTY,
                         "%s has nothing to go on with: its training was cut off before its data "
                         "were written",
                         path);
    if (!status)
        status = kl_objects_check(*db, err);
    if (!status)
        status = kl_db_integer(*db, "SELECT finished FROM run", finished, err);
    return status;
}
