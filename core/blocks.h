/* Where a scan gets its rows: keys, error signals or images, in blocks of whole rows.
 *
 * core defines the interface; db implements it over the history file, resident.h over memory. */
#ifndef KL_CORE_BLOCKS_H
#define KL_CORE_BLOCKS_H

#include <stdint.h>

#include "core/kernels.h"
#include "core/pool.h"

struct kl_block {
    uint64_t first;       /* row number of its first row */
    uint32_t count;       /* rows */
    enum kl_dtype dtype;
    int exponent;         /* a stored number n stands for n * 2^-exponent */
    const void *numbers;  /* (count, width) row-major */
};

struct kl_block_source {
    void *self;
    uint64_t n_rows;
    uint32_t width;
    uint32_t n_blocks; /* blocks follow each other without gaps from row 0 */
    /* Reads block number block. The numbers are valid until the same worker reads again. Different
     * workers (below the pool's number) may read at the same time.
     * Errors: KL_ERR_IO, KL_ERR_DAMAGED. */
    enum kl_status (*read)(void *self, unsigned worker, uint32_t block, struct kl_block *out,
                           struct kl_error *err);
    /* Reads n rows from row first as numbers (n, width), scaled. Same threads, same errors. */
    enum kl_status (*read_rows)(void *self, unsigned worker, uint64_t first, uint32_t n,
                                float *rows, struct kl_error *err);
};

/* Writes n stored numbers of the block, from number offset on, as scaled floats. */
void kl_block_to_float(const struct kl_block *block, size_t offset, size_t n, float *out);

/* The number format of the source's first block, which is that of all. */
enum kl_status kl_blocks_dtype(const struct kl_block_source *source, enum kl_dtype *dtype,
                               struct kl_error *err);

/* A copy of a whole source in memory, that reads without copying. The caller owns *resident (whose
 * first member is the source to scan) and ends it with kl_resident_free. Errors: KL_ERR_MEMORY,
 * and those of reading. */
struct kl_resident {
    struct kl_block_source source;
    struct kl_block *blocks;
    void *numbers;
};
enum kl_status kl_resident_create(const struct kl_block_source *from, struct kl_pool *pool,
                                  struct kl_resident **resident, struct kl_error *err);
void kl_resident_free(struct kl_resident *resident);

#endif
