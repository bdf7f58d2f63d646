/* Allocation with a size check and a message. */
#ifndef KL_CORE_BASE_MEMORY_H
#define KL_CORE_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* Allocates count zeroed elements of size bytes into *out (owned by the caller, free()); what names
 * them in the message ("the keys of layer 2"). count may be 0: then *out is a valid pointer too.
 * Errors: KL_ERR_MEMORY. */
enum kl_status kl_alloc(void *out, size_t count, size_t size, const char *what,
                        struct kl_error *err);

/* As kl_alloc, aligned to 64 bytes and backed by huge pages where the system offers them: for
 * arrays that are scanned at the speed of memory. Behind it are KL_SLACK bytes that loops over
 * whole vectors may read and write, too. free() releases it. Not zeroed. */
#define KL_SLACK 64
#define KL_CACHE_LINE 64 /* bytes of a line of the processor's cache */
enum kl_status kl_alloc_scanned(void *out, size_t count, size_t size, const char *what,
                                struct kl_error *err);

/* From now on threads share few pools of free blocks, so that what many of them took and gave back
 * does not stay with each. Before other threads start. */
void kl_memory_share_pools(void);

/* From now on leaves so many bytes of address space to others than kl_alloc and kl_alloc_scanned;
 * refuses if they are not there now. Has no effect where address space is not limited (ulimit -v).
 * Not thread-safe: call it before other threads start. Errors: KL_ERR_MEMORY. */
enum kl_status kl_memory_reserve(uint64_t n_bytes, const char *what, struct kl_error *err);

/* Bytes that this process may still take without others losing theirs: what the system calls
 * available, less where its container (whose files in memory count as free), or its own limit of
 * address space (ulimit -v), allows less. Never 0, but if it is not known; where a
 * group of processes within the container has a limit of its own (systemd), that is not seen. */
uint64_t kl_memory_free(void);

/* Bytes of this process's own in memory, files that it reads through the system's cache not among
 * them; 0: not known. */
uint64_t kl_memory_used(void);

#endif
