/* Where a scan gets its rows: keys, error signals or images, in blocks of whole rows.
 *
 * core defines the interface; db implements it over the history file, kl_resident over memory. */
#ifndef KL_CORE_SCAN_BLOCKS_H
#define KL_CORE_SCAN_BLOCKS_H

#include <stdint.h>

#include "core/scan/kernels.h"
#include "core/base/pool.h"

/* Rows of one block, or of a part of one. */
struct kl_block {
    uint64_t first;      /* row number of its first row */
    uint32_t count;      /* rows */
    enum kl_dtype dtype; /* the source's */
    int exponent;        /* a stored number n stands for n * 2^-exponent */
    const void *numbers; /* without bits: (count, width) row-major, with KL_SLACK bytes behind that
                            may be read; or (count, entries) of sparse rows, */
    const uint32_t *indices; /* (count, entries) and where in the row these numbers stand; or NULL:
                                rows are whole */
    const uint8_t *bits; /* (count, kl_bits_bytes(width)) of read_packed: rows of float16 without
                            their zeros, whose numbers need not be aligned; or NULL */
};

/* Where a block's rows stand in the source. */
struct kl_extent {
    uint64_t first;
    uint32_t count;
    /* Of its bits and numbers, if it is packed (core/scan/packing.h); or 0. */
    uint32_t packed_bytes;
};

struct kl_block_source {
    void *self;
    uint64_t n_rows;
    uint32_t width;
    uint32_t entries; /* numbers kept of every row, with their places, the others being 0; or 0: all
                         width numbers are there */
    enum kl_dtype dtype;
    uint32_t n_blocks;
    const struct kl_extent *extents; /* (n_blocks), following each other without gaps from row 0 */
    /* Reads count rows of a block, from its row number row on. The numbers are valid until the same
     * worker reads again, from any source, or its task ends. Different workers (numbered below the
     * pool's) may read at the same time; outside a pool's task, nobody else may. Errors: KL_ERR_IO,
     * KL_ERR_DAMAGED, KL_ERR_MEMORY. */
    enum kl_status (*read)(void *self, unsigned worker, uint32_t block, uint32_t row,
                           uint32_t count, struct kl_block *out, struct kl_error *err);
    /* The same, for who can do with rows as they are stored, where they are stored: reads at least
     * one and at most count of them, as out->count says. NULL: read does. */
    enum kl_status (*read_packed)(void *self, unsigned worker, uint32_t block, uint32_t row,
                                  uint32_t count, struct kl_block *out, struct kl_error *err);
};

/* Bytes of a row of a block, with its indices. */
static inline size_t kl_row_bytes(const struct kl_block_source *source)
{
    return source->entries ? source->entries * (kl_dtype_size(source->dtype) + sizeof(uint32_t))
                           : source->width * kl_dtype_size(source->dtype);
}

/* Bytes of a block as it is stored. */
static inline size_t kl_block_bytes(const struct kl_block_source *source, uint32_t block)
{
    const struct kl_extent *extent = &source->extents[block];

    return extent->packed_bytes ? extent->packed_bytes : extent->count * kl_row_bytes(source);
}

/* The block that has a row. */
uint32_t kl_block_of(const struct kl_block_source *source, uint64_t row);

/* What read_packed reads, or read. */
enum kl_status kl_read_packed(const struct kl_block_source *source, unsigned worker, uint32_t block,
                              uint32_t row, uint32_t count, struct kl_block *out,
                              struct kl_error *err);

/* Reads a whole block. */
enum kl_status kl_read_block(const struct kl_block_source *source, unsigned worker, uint32_t block,
                             struct kl_block *out, struct kl_error *err);

/* Reads n rows from row first on as scaled floats: rows (n, width). */
enum kl_status kl_read_rows(const struct kl_block_source *source, unsigned worker, uint64_t first,
                            uint32_t n, float *rows, struct kl_error *err);

/* Writes n rows of a block of the source, as read gives it, from row number first on, as scaled
 * floats: (n, width), sparse rows with all their zeros. */
void kl_block_rows(const struct kl_block_source *source, const struct kl_block *block,
                   uint32_t first, uint32_t n, float *rows);

/* Writes n stored numbers of the block, from number offset on, as scaled floats. */
void kl_block_to_float(const struct kl_block *block, size_t offset, size_t n, float *out);

#endif
