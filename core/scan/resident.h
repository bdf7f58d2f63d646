/* Copies of block sources in memory. */
#ifndef KL_CORE_SCAN_RESIDENT_H
#define KL_CORE_SCAN_RESIDENT_H

#include "core/scan/blocks.h"

/* A copy of a whole source in memory, that reads without copying. The caller owns *resident and
 * ends it with kl_resident_free; the source it was copied from must outlive it. Errors:
 * KL_ERR_MEMORY, and those of reading. */
struct kl_resident {
    struct kl_block_source source; /* the one to scan */
    int *exponents;                /* (n_blocks) */
    void *numbers;                 /* (n_rows, width), or (n_rows, entries) */
    uint32_t *indices;             /* (n_rows, entries), or NULL */
};
enum kl_status kl_resident_create(const struct kl_block_source *from, struct kl_pool *pool,
                                  struct kl_resident **resident, struct kl_error *err);
/* The same by parts: room for all, and then n blocks from number first on. */
enum kl_status kl_resident_begin(const struct kl_block_source *from, struct kl_resident **resident,
                                 struct kl_error *err);
enum kl_status kl_resident_copy(struct kl_resident *resident, const struct kl_block_source *from,
                                struct kl_pool *pool, uint32_t first, uint32_t n,
                                struct kl_error *err);
void kl_resident_free(struct kl_resident *resident);

#endif
