#include "core/scan/blocks.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#include "core/base/memory.h"

#define PART 256 /* numbers of sparse rows that are converted at a time */

void kl_block_to_float(const struct kl_block *block, size_t offset, size_t n, float *out)
{
    float scale = ldexpf(1, -block->exponent);

    switch (block->dtype) {
    case KL_U8:
        for (size_t i = 0; i < n; i++)
            out[i] = ((const uint8_t *)block->numbers)[offset + i];
        break;
    case KL_F16:
        kl_kernels()->from_f16((const uint16_t *)block->numbers + offset, n, out);
        break;
    case KL_F32:
        memcpy(out, (const float *)block->numbers + offset, n * sizeof(float));
        break;
    }
    if (block->exponent)
        cblas_sscal((int)n, scale, out, 1);
}

enum kl_status kl_read_packed(const struct kl_block_source *source, unsigned worker, uint32_t block,
                              uint32_t row, uint32_t count, struct kl_block *out,
                              struct kl_error *err)
{
    return source->read_packed
               ? source->read_packed(source->self, worker, block, row, count, out, err)
               : source->read(source->self, worker, block, row, count, out, err);
}

enum kl_status kl_read_block(const struct kl_block_source *source, unsigned worker, uint32_t block,
                             struct kl_block *out, struct kl_error *err)
{
    return source->read(source->self, worker, block, 0, source->extents[block].count, out, err);
}

void kl_block_rows(const struct kl_block_source *source, const struct kl_block *block,
                   uint32_t first, uint32_t n, float *rows)
{
    size_t width = source->width, entries = source->entries;

    if (!block->indices) {
        kl_block_to_float(block, first * width, n * width, rows);
        return;
    }
    memset(rows, 0, n * width * sizeof(float));
    for (size_t i = 0; i < n * entries; i += PART) {
        size_t at = first * entries + i, now = n * entries - i < PART ? n * entries - i : PART;
        float numbers[PART];

        kl_block_to_float(block, at, now, numbers);
        for (size_t k = 0; k < now; k++)
            rows[(i + k) / entries * width + block->indices[at + k]] = numbers[k];
    }
}

/* The block that holds a row. */
uint32_t kl_block_of(const struct kl_block_source *source, uint64_t row)
{
    uint32_t low = 0, high = source->n_blocks;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (source->extents[middle].first <= row)
            low = middle;
        else
            high = middle;
    }
    return low;
}

enum kl_status kl_read_rows(const struct kl_block_source *source, unsigned worker, uint64_t first,
                            uint32_t n, float *rows, struct kl_error *err)
{
    size_t width = source->width;

    while (n > 0) {
        uint32_t number = kl_block_of(source, first);
        const struct kl_extent *extent = &source->extents[number];
        uint32_t row = (uint32_t)(first - extent->first), left = extent->count - row;
        uint32_t now = n < left ? n : left;
        struct kl_block block = {0};
        enum kl_status status = source->read(source->self, worker, number, row, now, &block, err);

        if (status)
            return status;
        kl_block_rows(source, &block, 0, now, rows);
        rows += now * width;
        first += now;
        n -= now;
    }
    return KL_OK;
}
