#include "core/scan/resident.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

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
