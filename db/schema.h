/* The tables of a history file. docs/format.md explains them to people who write readers. */
#ifndef KL_DB_SCHEMA_H
#define KL_DB_SCHEMA_H

#define KL_APPLICATION_ID 0x6b6c6974 /* "klit" */
#define KL_FORMAT_VERSION 4          /* user_version; raise it with every change of the schema */
#define KL_PAGE_SIZE 65536           /* blobs read three times as fast as with 4 KiB pages */

/* The schema as one SQL text, run on an empty file. */
extern const char kl_schema[];

#endif
