/* Rows made for tests, in blocks, of which some are packed (core/scan/packing.h). Not thread-safe
 * but for reading. */
#ifndef KL_TESTS_LIB_PACKED_ROWS_H
#define KL_TESTS_LIB_PACKED_ROWS_H

#include "core/scan/blocks.h"

struct packed_rows {
    /* Reads whole rows; read_packed those of packed blocks as they are packed, at most seven at a
     * time, from any address. Block b has the exponent b % 4 - 1. */
    struct kl_block_source source;
    struct kl_extent *extents;
    uint32_t rows_per_block;
    void *whole;   /* (n_blocks * rows_per_block, width) of the source's dtype, filled by who makes
                      them */
    uint8_t *bits; /* what packed_rows_pack made of that */
    char *numbers;
    size_t *begin; /* of a block's numbers */
};

/* Rows of zeros, float16 or float32, not packed yet; the caller ends them with packed_rows_free. */
struct packed_rows *packed_rows_create(enum kl_dtype dtype, uint32_t width, uint32_t n_blocks,
                                       uint32_t rows_per_block);
void packed_rows_free(struct packed_rows *rows);

/* Packs the blocks that is_packed says of whole, and may do so again. */
void packed_rows_pack(struct packed_rows *rows, int (*is_packed)(uint32_t block));

#endif
