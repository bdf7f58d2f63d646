/* FNV-1a, 64 bits (Fowler, Noll, Vo; draft-eastlake-fnv): names runs and answers. It tells
 * different contents apart; it does not protect against anybody who wants to deceive. */
#ifndef KL_CORE_BASE_HASH_H
#define KL_CORE_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define KL_HASH_START UINT64_C(0xcbf29ce484222325)

/* The hash of everything hashed so far (KL_HASH_START at first) followed by bytes. */
uint64_t kl_hash(uint64_t hash, const void *bytes, size_t n_bytes);

#endif
