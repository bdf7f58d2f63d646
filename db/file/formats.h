/* The formats of history files: 5 is db/file/schema.h, and every later one a step from the one
 * before. Internal to db/. */
#ifndef KL_DB_FILE_FORMATS_H
#define KL_DB_FILE_FORMATS_H

#define KL_OLDEST_FORMAT 4 /* that db/upgrade.h can bring up to date */

/* The format that is written, and the only one that is opened. */
int kl_format_version(void);

/* The SQL that makes a file of format version from one of the format before; static. */
const char *kl_format_step(int version);

#endif
