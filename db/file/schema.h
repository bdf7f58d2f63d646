/* The tables of a history file. docs/format.md explains them to people who write readers. */
#ifndef KL_DB_FILE_SCHEMA_H
#define KL_DB_FILE_SCHEMA_H

#define KL_APPLICATION_ID 0x6b6c6974 /* "klit" */
#define KL_PAGE_SIZE 65536           /* blobs read three times as fast as with 4 KiB pages */

/* The schema of format 5 as one SQL text, run on an empty file. Later formats are this one and the
 * statements of db/migrations, which every new file goes through, too. */
#define KL_SCHEMA_VERSION 5
extern const char kl_schema[];

#endif
