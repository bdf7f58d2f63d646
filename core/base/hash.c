#include "core/base/hash.h"

uint64_t kl_hash(uint64_t hash, const void *bytes, size_t n_bytes)
{
    const unsigned char *byte = bytes;

    for (size_t i = 0; i < n_bytes; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}
