#include "tests/lib/packed_rows.h"

#include <stdlib.h>
#include <string.h>

#include "core/scan/packing.h"
#include "tests/lib/suite.h"

static size_t n_numbers(const struct packed_rows *rows)
{
    return (size_t)rows->source.n_rows * rows->source.width;
}

static size_t number_size(const struct packed_rows *rows)
{
    return kl_dtype_size(rows->source.dtype);
}

static uint8_t *bits_of(const struct packed_rows *rows, uint32_t block)
{
    return rows->bits + (size_t)block * rows->rows_per_block * kl_bits_bytes(rows->source.width);
}

static enum kl_status read_whole(void *self, unsigned worker, uint32_t block, uint32_t row,
                                 uint32_t count, struct kl_block *out, struct kl_error *err)
{
    const struct packed_rows *rows = self;
    uint64_t first = (uint64_t)block * rows->rows_per_block + row;

    (void)worker;
    (void)err;
    *out = (struct kl_block){.first = first,
                             .count = count,
                             .dtype = rows->source.dtype,
                             .exponent = (int)(block % 4) - 1,
                             .numbers = (const char *)rows->whole +
                                        first * rows->source.width * number_size(rows)};
    return KL_OK;
}

static enum kl_status read_packed(void *self, unsigned worker, uint32_t block, uint32_t row,
                                  uint32_t count, struct kl_block *out, struct kl_error *err)
{
    const struct packed_rows *rows = self;
    uint32_t width = rows->source.width;
    const uint8_t *bits = bits_of(rows, block);
    enum kl_status status = read_whole(self, worker, block, row, count < 7 ? count : 7, out, err);

    if (!rows->extents[block].packed_bytes)
        return status;
    out->bits = bits + row * kl_bits_bytes(width);
    out->numbers =
        rows->numbers + rows->begin[block] + kl_packed_count(bits, row, width) * number_size(rows);
    return status;
}

struct packed_rows *packed_rows_create(enum kl_dtype dtype, uint32_t width, uint32_t n_blocks,
                                       uint32_t rows_per_block)
{
    struct packed_rows *rows = calloc(1, sizeof *rows);
    uint32_t n_rows = n_blocks * rows_per_block;
    size_t n_bytes = ((size_t)n_rows * width + 1) * kl_dtype_size(dtype) + KL_SLACK;

    ck_assert_ptr_nonnull(rows);
    rows->rows_per_block = rows_per_block;
    rows->extents = calloc(n_blocks, sizeof *rows->extents);
    rows->begin = calloc(n_blocks, sizeof *rows->begin);
    rows->bits = calloc(n_rows * kl_bits_bytes(width) + KL_SLACK, 1);
    rows->whole = calloc(n_bytes, 1);
    rows->numbers = calloc(n_bytes, 1);
    ck_assert(rows->extents && rows->begin && rows->bits && rows->whole && rows->numbers);
    for (uint32_t b = 0; b < n_blocks; b++)
        rows->extents[b] = (struct kl_extent){(uint64_t)b * rows_per_block, rows_per_block, 0};
    rows->source = (struct kl_block_source){.self = rows,
                                            .n_rows = n_rows,
                                            .width = width,
                                            .dtype = dtype,
                                            .n_blocks = n_blocks,
                                            .extents = rows->extents,
                                            .read = read_whole,
                                            .read_packed = read_packed};
    return rows;
}

void packed_rows_free(struct packed_rows *rows)
{
    free(rows->extents);
    free(rows->begin);
    free(rows->bits);
    free(rows->whole);
    free(rows->numbers);
    free(rows);
}

void packed_rows_pack(struct packed_rows *rows, int (*is_packed)(uint32_t block))
{
    uint32_t width = rows->source.width, per_block = rows->rows_per_block;
    char *packed = malloc(n_numbers(rows) * number_size(rows) + KL_SLACK);
    size_t stored = 1; /* so that numbers are not aligned */

    ck_assert_ptr_nonnull(packed);
    for (uint32_t b = 0; b < rows->source.n_blocks; b++) {
        size_t n;

        rows->begin[b] = stored;
        rows->extents[b].packed_bytes = 0;
        if (!is_packed(b))
            continue;
        n = kl_pack(rows->source.dtype,
                    (const char *)rows->whole + (size_t)b * per_block * width * number_size(rows),
                    per_block, width, bits_of(rows, b), packed);
        memcpy(rows->numbers + stored, packed, n * number_size(rows));
        rows->extents[b].packed_bytes =
            (uint32_t)(per_block * kl_bits_bytes(width) + n * number_size(rows));
        stored += n * number_size(rows);
    }
    free(packed);
}
