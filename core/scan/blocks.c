#include "core/scan/blocks.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
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

struct copy_job {
    const struct kl_block_source *from;
    struct kl_resident *to;
    uint32_t first; /* block */
};

static enum kl_status copy_block(void *argument, unsigned worker, unsigned task,
                                 struct kl_error *err)
{
    const struct copy_job *job = argument;
    const struct kl_block_source *from = job->from;
    size_t entries = from->entries;
    size_t row_bytes = (entries ? entries : from->width) * kl_dtype_size(from->dtype);
    struct kl_block block = {0};
    uint32_t number = job->first + task;
    enum kl_status status = kl_read_block(job->from, worker, number, &block, err);

    if (status)
        return status;
    job->to->exponents[number] = block.exponent;
    memcpy((char *)job->to->numbers + block.first * row_bytes, block.numbers,
           block.count * row_bytes);
    if (entries)
        memcpy(job->to->indices + block.first * entries, block.indices,
               block.count * entries * sizeof(uint32_t));
    return KL_OK;
}

static enum kl_status resident_read(void *self, unsigned worker, uint32_t block, uint32_t row,
                                    uint32_t count, struct kl_block *out, struct kl_error *err)
{
    const struct kl_resident *resident = self;
    const struct kl_block_source *source = &resident->source;
    uint64_t first = source->extents[block].first + row;
    size_t entries = source->entries;
    size_t row_bytes = (entries ? entries : source->width) * kl_dtype_size(source->dtype);

    (void)worker;
    (void)err;
    *out = (struct kl_block){first,
                             count,
                             source->dtype,
                             resident->exponents[block],
                             (const char *)resident->numbers + first * row_bytes,
                             entries ? resident->indices + first * entries : NULL};
    return KL_OK;
}

enum kl_status kl_resident_begin(const struct kl_block_source *from, struct kl_resident **out,
                                 struct kl_error *err)
{
    struct kl_resident *resident = NULL;
    enum kl_status status = kl_alloc(&resident, 1, sizeof *resident, "a layer", err);

    if (status)
        return status;
    resident->source = *from;
    resident->source.self = resident;
    resident->source.read = resident_read;
    status = kl_alloc(&resident->exponents, from->n_blocks, sizeof(int), "a layer", err);
    if (!status)
        status = kl_alloc_scanned(&resident->numbers,
                                  from->n_rows * (from->entries ? from->entries : from->width),
                                  kl_dtype_size(from->dtype), "a layer", err);
    if (!status && from->entries)
        status = kl_alloc_scanned(&resident->indices, from->n_rows * from->entries,
                                  sizeof(uint32_t), "a layer", err);
    if (status) {
        kl_resident_free(resident);
        return status;
    }
    *out = resident;
    return KL_OK;
}

enum kl_status kl_resident_copy(struct kl_resident *resident, const struct kl_block_source *from,
                                struct kl_pool *pool, uint32_t first, uint32_t n,
                                struct kl_error *err)
{
    struct copy_job job = {from, resident, first};

    return kl_pool_run(pool, copy_block, &job, n, err);
}

enum kl_status kl_resident_create(const struct kl_block_source *from, struct kl_pool *pool,
                                  struct kl_resident **out, struct kl_error *err)
{
    enum kl_status status;

    *out = NULL;
    status = kl_resident_begin(from, out, err);
    if (!status)
        status = kl_resident_copy(*out, from, pool, 0, from->n_blocks, err);
    if (status) {
        kl_resident_free(*out);
        *out = NULL;
    }
    return status;
}

void kl_resident_free(struct kl_resident *resident)
{
    if (!resident)
        return;
    free(resident->exponents);
    free(resident->numbers);
    free(resident->indices);
    free(resident);
}
