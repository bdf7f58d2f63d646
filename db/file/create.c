#include "db/file/create.h"

#include <stdio.h>

#include "db/file/database.h"
#include "db/file/formats.h"
#include "db/file/schema.h"

enum kl_status kl_db_advance(sqlite3 *db, int from, struct kl_error *err)
{
    char sql[64];
    enum kl_status status = KL_OK;

    for (int version = from + 1; !status && version <= kl_format_version(); version++)
        status = kl_db_exec(db, kl_format_step(version), err);
    snprintf(sql, sizeof sql, "PRAGMA user_version = %d", kl_format_version());
    return status ? status : kl_db_exec(db, sql, err);
}

enum kl_status kl_db_create(sqlite3 *db, struct kl_error *err)
{
    char sql[120];
    enum kl_status status;

    snprintf(sql, sizeof sql, "PRAGMA page_size = %d; PRAGMA application_id = %d; BEGIN IMMEDIATE",
             KL_PAGE_SIZE, KL_APPLICATION_ID);
    status = kl_db_exec(db, sql, err);
    if (!status)
        status = kl_db_exec(db, kl_schema, err);
    return status ? status : kl_db_advance(db, KL_SCHEMA_VERSION, err);
}
