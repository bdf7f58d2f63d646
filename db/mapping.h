/* A SQLite VFS that reads finished runs through one mapping of the whole file into memory, shared
 * by all connections to it: pages come straight from the page cache, without system calls and, once
 * touched, without page faults. SQLite's own mapping ends at 2 GB, and each connection has its own.
 * Reading what somebody has cut off a file that is open ends the process, as with every mapping.
 * Internal to db/. */
#ifndef KL_DB_MAPPING_H
#define KL_DB_MAPPING_H

#include "core/error.h"

/* The VFS's name, for sqlite3_open_v2; for files that are opened read only and do not change. It is
 * registered by the first call. A file that cannot be mapped is read as any other. Thread-safe.
 * Errors: KL_ERR_MEMORY. */
enum kl_status kl_mapping_vfs(const char **name, struct kl_error *err);

#endif
