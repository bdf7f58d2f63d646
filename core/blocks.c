#include "core/blocks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

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
    for (size_t i = 0; block->exponent && i < n; i++)
        out[i] *= scale;
}

enum kl_status kl_blocks_dtype(const struct kl_block_source *source, enum kl_dtype *dtype,
                               struct kl_error *err)
{
    struct kl_block block = {0};
    enum kl_status status = source->read(source->self, 0, 0, &block, err);

    if (!status)
        *dtype = block.dtype;
    return status;
}

struct copy_job {
    const struct kl_block_source *from;
    struct kl_resident *to;
    enum kl_dtype dtype;
};

static enum kl_status copy_block(void *argument, unsigned worker, unsigned task,
                                 struct kl_error *err)
{
    struct copy_job *job = argument;
    struct kl_block *block = &job->to->blocks[task];
    enum kl_status status = job->from->read(job->from->self, worker, task, block, err);
    size_t row_bytes = job->from->width * kl_dtype_size(job->dtype);
    char *numbers = (char *)job->to->numbers + block->first * row_bytes;

    if (status)
        return status;
    if (block->dtype != job->dtype)
        return kl_fail(err, KL_ERR_DAMAGED, "a layer's chunks have different number formats");
    memcpy(numbers, block->numbers, block->count * row_bytes);
    block->numbers = numbers;
    return KL_OK;
}

static enum kl_status resident_read(void *self, unsigned worker, uint32_t block,
                                    struct kl_block *out, struct kl_error *err)
{
    (void)worker;
    (void)err;
    *out = ((struct kl_resident *)self)->blocks[block];
    return KL_OK;
}

/* The block that holds a row: blocks are in order and without gaps. */
static const struct kl_block *find_block(const struct kl_resident *resident, uint64_t row)
{
    uint32_t low = 0, high = resident->source.n_blocks;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (resident->blocks[middle].first <= row)
            low = middle;
        else
            high = middle;
    }
    return &resident->blocks[low];
}

static enum kl_status resident_read_rows(void *self, unsigned worker, uint64_t first, uint32_t n,
                                         float *rows, struct kl_error *err)
{
    const struct kl_resident *resident = self;
    size_t width = resident->source.width;

    (void)worker;
    (void)err;
    while (n > 0) {
        const struct kl_block *block = find_block(resident, first);
        uint64_t left = block->first + block->count - first;
        uint32_t now = n < left ? n : (uint32_t)left;

        kl_block_to_float(block, (first - block->first) * width, now * width, rows);
        rows += now * width;
        first += now;
        n -= now;
    }
    return KL_OK;
}

enum kl_status kl_resident_create(const struct kl_block_source *from, struct kl_pool *pool,
                                  struct kl_resident **out, struct kl_error *err)
{
    struct kl_resident *resident = NULL;
    struct copy_job job;
    enum kl_dtype dtype = KL_F16;
    enum kl_status status = kl_blocks_dtype(from, &dtype, err);

    if (!status)
        status = kl_alloc(&resident, 1, sizeof *resident, "a layer", err);
    if (status)
        return status;
    resident->source = *from;
    resident->source.self = resident;
    resident->source.read = resident_read;
    resident->source.read_rows = resident_read_rows;
    job = (struct copy_job){from, resident, dtype};
    status = kl_alloc(&resident->blocks, from->n_blocks, sizeof *resident->blocks, "a layer", err);
    if (!status)
        status = kl_alloc_scanned(&resident->numbers, from->n_rows * from->width,
                                  kl_dtype_size(dtype), "a layer", err);
    if (!status)
        status = kl_pool_run(pool, copy_block, &job, from->n_blocks, err);
    if (status) {
        kl_resident_free(resident);
        return status;
    }
    *out = resident;
    return KL_OK;
}

void kl_resident_free(struct kl_resident *resident)
{
    if (!resident)
        return;
    free(resident->blocks);
    free(resident->numbers);
    free(resident);
}
