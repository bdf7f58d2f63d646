#include "core/scan/resident.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/scan/packing.h"

#define APART 64 /* blocks begin at multiples of this, with KL_SLACK bytes between them */

struct copy_job {
    const struct kl_block_source *from;
    struct kl_resident *to;
    uint32_t first; /* block */
};

static size_t number_bytes(const struct kl_block_source *source)
{
    return (source->entries ? source->entries : source->width) * kl_dtype_size(source->dtype);
}

/* Where the numbers of a block stand in it: behind its indices, or its bits, aligned. */
static size_t numbers_begin(const struct kl_block_source *source, uint32_t block)
{
    const struct kl_extent *extent = &source->extents[block];

    if (extent->packed_bytes)
        return (extent->count * kl_bits_bytes(source->width) + 15) / 16 * 16;
    return extent->count * source->entries * sizeof(uint32_t);
}

uint64_t kl_resident_bytes(const struct kl_block_source *from)
{
    uint64_t n_bytes = 0;

    for (uint32_t b = 0; b < from->n_blocks; b++)
        n_bytes += kl_block_bytes(from, b) +
                   (from->extents[b].packed_bytes ? from->extents[b].count * sizeof(uint32_t) : 0);
    return n_bytes;
}

/* Takes over rows of a packed block, from its row number row on; *stored: numbers so far. A file
 * may change while it is read: then there may be more of them than there is room for. */
static enum kl_status copy_packed(struct kl_resident *to, uint32_t number, uint32_t row,
                                  const struct kl_block *part, size_t *stored, struct kl_error *err)
{
    const struct kl_block_source *source = &to->source;
    const struct kl_extent *extent = &source->extents[number];
    size_t width = source->width, row_bytes = kl_bits_bytes(width);
    size_t number_size = kl_dtype_size(source->dtype), before = *stored;
    size_t most = (extent->packed_bytes - extent->count * row_bytes) / number_size;
    uint8_t *bits = (uint8_t *)to->bytes + to->begin[number] + row * row_bytes;
    char *numbers = to->bytes + to->begin[number] + numbers_begin(source, number);

    if (part->bits)
        memcpy(bits, part->bits, part->count * row_bytes);
    else
        (void)kl_pack(source->dtype, part->numbers, part->count, width, bits,
                      numbers + before * number_size);
    for (uint32_t i = 0; i < part->count; i++) {
        size_t more = kl_packed_count(bits + i * row_bytes, 1, width);

        if (more > most - *stored)
            return kl_fail(err, KL_ERR_DAMAGED,
                           "the run's file changed while it was read: open it again");
        to->before[extent->first + row + i] = (uint32_t)*stored;
        *stored += more;
    }
    if (part->bits)
        memcpy(numbers + before * number_size, part->numbers, (*stored - before) * number_size);
    return KL_OK;
}

static enum kl_status copy_block(void *argument, unsigned worker, unsigned task,
                                 struct kl_error *err)
{
    const struct copy_job *job = argument;
    const struct kl_block_source *from = job->from;
    struct kl_resident *to = job->to;
    uint32_t number = job->first + task;
    const struct kl_extent *extent = &from->extents[number];
    size_t row_bytes = number_bytes(from), entries = from->entries, stored = 0;
    char *bytes = to->bytes + to->begin[number];

    for (uint32_t row = 0; row < extent->count;) {
        struct kl_block part = {0};
        enum kl_status status =
            kl_read_packed(from, worker, number, row, extent->count - row, &part, err);

        if (!status && extent->packed_bytes)
            status = copy_packed(to, number, row, &part, &stored, err);
        if (status)
            return status;
        to->exponents[number] = part.exponent;
        if (!extent->packed_bytes)
            memcpy(bytes + numbers_begin(from, number) + row * row_bytes, part.numbers,
                   part.count * row_bytes);
        if (entries)
            memcpy(bytes + row * entries * sizeof(uint32_t), part.indices,
                   part.count * entries * sizeof(uint32_t));
        row += part.count;
    }
    return KL_OK;
}

/* Rows as they are kept. */
static void find_rows(const struct kl_resident *resident, uint32_t block, uint32_t row,
                      uint32_t count, struct kl_block *out)
{
    const struct kl_block_source *source = &resident->source;
    const struct kl_extent *extent = &source->extents[block];
    size_t entries = source->entries, row_bytes = kl_bits_bytes(source->width);
    const char *bytes = resident->bytes + resident->begin[block];

    *out = (struct kl_block){.first = extent->first + row,
                             .count = count,
                             .dtype = source->dtype,
                             .exponent = resident->exponents[block],
                             .numbers =
                                 bytes + numbers_begin(source, block) + row * number_bytes(source)};
    if (entries)
        out->indices = (const uint32_t *)(const void *)bytes + row * entries;
    if (!extent->packed_bytes)
        return;
    out->bits = (const uint8_t *)bytes + row * row_bytes;
    out->numbers = bytes + numbers_begin(source, block) +
                   resident->before[out->first] * kl_dtype_size(source->dtype);
}

static enum kl_status resident_read(void *self, unsigned worker, uint32_t block, uint32_t row,
                                    uint32_t count, struct kl_block *out, struct kl_error *err)
{
    const struct kl_resident *resident = self;
    const struct kl_block_source *source = &resident->source;
    struct kl_unpacked *unpacked = &resident->unpacked[worker];
    size_t n_bytes = count * number_bytes(source);

    find_rows(resident, block, row, count, out);
    if (!out->bits)
        return KL_OK;
    if (unpacked->n_bytes < n_bytes) {
        free(unpacked->rows);
        *unpacked = (struct kl_unpacked){0};
        if (kl_alloc_scanned(&unpacked->rows, n_bytes, 1, "a block", err))
            return err->status;
        unpacked->n_bytes = n_bytes;
    }
    kl_unpack(source->dtype, out->bits, out->numbers, count, source->width, unpacked->rows);
    out->bits = NULL;
    out->numbers = unpacked->rows;
    return KL_OK;
}

static enum kl_status resident_read_packed(void *self, unsigned worker, uint32_t block,
                                           uint32_t row, uint32_t count, struct kl_block *out,
                                           struct kl_error *err)
{
    const struct kl_resident *resident = self;

    if (resident->source.dtype == KL_F32)
        return resident_read(self, worker, block, row, count, out, err);
    find_rows(resident, block, row, count, out);
    return KL_OK;
}

/* Where each block begins, and how many bytes they take in all, with room for KL_SLACK and, if it
 * is packed, for its numbers to be aligned; whether any of them is. */
static uint64_t lay_out(struct kl_resident *resident, int *has_packed)
{
    uint64_t at = 0;

    for (uint32_t b = 0; b < resident->source.n_blocks; b++) {
        resident->begin[b] = (size_t)at;
        at += (kl_block_bytes(&resident->source, b) + 15 + KL_SLACK + APART - 1) / APART * APART;
        *has_packed |= resident->source.extents[b].packed_bytes > 0;
    }
    return at;
}

static enum kl_status make_room(struct kl_resident *resident, struct kl_error *err)
{
    const struct kl_block_source *source = &resident->source;
    int has_packed = 0;
    uint64_t n_bytes = 0;
    enum kl_status status =
        kl_alloc(&resident->exponents, source->n_blocks, sizeof(int), "a layer", err);

    if (!status)
        status = kl_alloc(&resident->begin, source->n_blocks, sizeof(size_t), "a layer", err);
    if (!status)
        status = kl_alloc(&resident->unpacked, resident->n_workers, sizeof *resident->unpacked,
                          "a layer", err);
    if (!status)
        n_bytes = lay_out(resident, &has_packed);
    if (!status && n_bytes > SIZE_MAX)
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for a layer");
    if (!status)
        status = kl_alloc_scanned(&resident->bytes, (size_t)n_bytes, 1, "a layer", err);
    if (!status && has_packed)
        status = kl_alloc(&resident->before, source->n_rows, sizeof(uint32_t), "a layer", err);
    return status;
}

enum kl_status kl_resident_begin(const struct kl_block_source *from, const struct kl_pool *pool,
                                 struct kl_resident **out, struct kl_error *err)
{
    struct kl_resident *resident = NULL;
    enum kl_status status = kl_alloc(&resident, 1, sizeof *resident, "a layer", err);

    if (status)
        return status;
    resident->source = *from;
    resident->source.self = resident;
    resident->source.read = resident_read;
    resident->source.read_packed = resident_read_packed;
    resident->n_workers = kl_pool_n_workers(pool);
    status = make_room(resident, err);
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
    status = kl_resident_begin(from, pool, out, err);
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
    for (unsigned w = 0; resident->unpacked && w < resident->n_workers; w++)
        free(resident->unpacked[w].rows);
    free(resident->unpacked);
    free(resident->exponents);
    free(resident->begin);
    free(resident->bytes);
    free(resident->before);
    free(resident);
}
