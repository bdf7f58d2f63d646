/* Copies of block sources in memory, as they are stored: what is packed stays so. Its read_packed
 * gives all rows that it is asked for, and its read unpacks
 * such rows into a buffer of the worker, which is one of the pool that the copy was made for; what
 * else is read stays as long as the copy. */
#ifndef KL_CORE_SCAN_RESIDENT_H
#define KL_CORE_SCAN_RESIDENT_H

#include "core/scan/blocks.h"

/* A copy of a whole source. */
struct kl_resident {
    struct kl_block_source source; /* the one to scan */
    int *exponents;                /* (n_blocks) */
    size_t *begin;                 /* (n_blocks) where in bytes each begins, */
    char *bytes;                   /* its bits or indices, and its numbers */
    uint32_t *before; /* (n_rows) of packed ones: numbers stored before in their block; or NULL */
    unsigned n_workers;
    struct kl_unpacked {
        void *rows;
        size_t n_bytes;
    } * unpacked; /* (n_workers) what each has read of packed rows */
};

/* The caller owns *resident and ends it with kl_resident_free; the source it is copied from must
 * outlive it. Errors: KL_ERR_MEMORY, and those of reading. */
enum kl_status kl_resident_create(const struct kl_block_source *from, struct kl_pool *pool,
                                  struct kl_resident **resident, struct kl_error *err);
/* The same by parts: room for all, for the workers of pool, and then n blocks from number first on.
 */
enum kl_status kl_resident_begin(const struct kl_block_source *from, const struct kl_pool *pool,
                                 struct kl_resident **resident, struct kl_error *err);
enum kl_status kl_resident_copy(struct kl_resident *resident, const struct kl_block_source *from,
                                struct kl_pool *pool, uint32_t first, uint32_t n,
                                struct kl_error *err);
void kl_resident_free(struct kl_resident *resident);

/* Bytes of a source's rows as a copy has them, and of where packed ones begin; not of the few
 * between its blocks, nor of the workers' buffers. */
uint64_t kl_resident_bytes(const struct kl_block_source *from);

#endif
