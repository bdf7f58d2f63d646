/* The SQLite VFS that every run is opened through. It knows the runs that this process has open and
 * their own journals, and nothing else: whatever a file beside a run, or the run itself, names (a
 * super-journal, a write-ahead log, another database) is not there, cannot be opened and is never
 * removed. A journal of a run that is open for reading is not there, either: readers write nothing.
 *
 * A run that is read is mapped into memory as a whole, once for all connections to it: pages come
 * straight from the page cache, without system calls and, once touched, without page faults.
 * SQLite's own mapping ends at 2 GB, and each connection has its own. What a file that was cut off
 * is read as, db/file/mapping.h says. Internal to db/. */
#ifndef KL_DB_FILE_VFS_H
#define KL_DB_FILE_VFS_H

#include <sqlite3.h>

#include "core/base/error.h"
#include "db/file/mapping.h"

/* Where a SQLite file says how it is written and read: 1 but for files with a write-ahead log (2),
 * which another program may have given to a run. Readers see 1: db/file/database.c lets them only
 * near a run without a log of its own. */
enum { KL_AT_WRITE_VERSION = 18, KL_AT_READ_VERSION = 19 };

/* The VFS's name, for sqlite3_open_v2. It is registered by the first call. A file that cannot be
 * mapped is read as any other. Thread-safe. Errors: KL_ERR_MEMORY. */
enum kl_status kl_vfs(const char **name, struct kl_error *err);

/* The mapping that a connection's run is read from, valid while the connection is open; or NULL. */
const struct kl_mapping *kl_vfs_mapping(sqlite3 *db);

#endif
