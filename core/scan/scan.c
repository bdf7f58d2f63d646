#include "core/scan/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/half.h"
#include "core/base/memory.h"
#include "core/scan/packing.h"

#define PART_BYTES ((size_t)128 << 10)
#define ROWS_TASK 64 /* rows of kl_scan_rows that are a task */

/* One caller's products; those of one source are scanned for together. */
struct request {
    struct kl_shared shared; /* first, so that a pointer to it is one to this */
    const struct kl_block_source *source;
    uint32_t n_factors; /* the same rows for every request of a source */
    struct kl_scan_factor factors[KL_FACTORS_MAX];
    float *out; /* (n_rows) */
};

struct dot_job {
    struct kl_shared *const *requests;
    unsigned n;
};

static struct request *request_of(const struct dot_job *job, unsigned number)
{
    return (struct request *)(void *)job->requests[number];
}

/* A block of sparse rows with one query. */
static void dot_sparse(const struct kl_block_source *source, const struct kl_block *block,
                       const float *query, float *out)
{
    size_t entries = source->entries;

    for (size_t i = 0; i < block->count; i++) {
        const uint32_t *indices = block->indices + i * entries;
        float sum = 0;

        for (size_t k = 0; k < entries; k++) {
            float number =
                block->dtype == KL_F16
                    ? kl_half_to_float(((const uint16_t *)block->numbers)[i * entries + k])
                    : ((const float *)block->numbers)[i * entries + k];

            sum += number * query[indices[k]];
        }
        out[i] = sum;
    }
}

/* Rows from first on, count of them, with the queries of dots. */
static void dot_stored(const struct kl_block_source *source, const struct kl_block *block,
                       uint64_t first, size_t count, const struct kl_dots *dots)
{
    size_t skipped = (size_t)(first - block->first), width = source->width;
    size_t bits_bytes = kl_bits_bytes(width);
    const char *numbers = block->numbers;

    if (block->indices) {
        for (size_t q = 0; q < dots->n; q++)
            dot_sparse(source, block, dots->queries[q], dots->out[q]);
    } else if (block->bits) {
        numbers += skipped ? kl_packed_count(block->bits, skipped, width) * sizeof(uint16_t) : 0;
        kl_kernels()->dot_packed_f16(block->bits + skipped * bits_bytes, numbers, count, width,
                                     dots);
    } else {
        kl_dot(block->dtype, numbers + skipped * kl_row_bytes(source), count, width, dots);
    }
}

/* Rows first .. end of a block with factor number f of requests from, from + 1, .. */
static void dot_rows(const struct dot_job *job, const struct kl_block *block, uint64_t first,
                     uint64_t end, uint32_t f, unsigned from)
{
    float scale = ldexpf(1, -block->exponent);
    struct kl_dots dots = {.n = job->n - from < KL_DOTS_MAX ? job->n - from : KL_DOTS_MAX};

    for (size_t q = 0; q < dots.n; q++) {
        const struct request *request = request_of(job, from + (unsigned)q);

        dots.queries[q] = request->factors[f].query;
        dots.out[q] = request->out + first;
    }
    dot_stored(request_of(job, 0)->source, block, first, (size_t)(end - first), &dots);
    for (size_t q = 0; q < dots.n; q++) {
        float offset = request_of(job, from + (unsigned)q)->factors[f].offset;

        for (uint64_t i = 0; (block->exponent || offset != 0) && i < end - first; i++)
            dots.out[q][i] = dots.out[q][i] * scale + offset;
    }
}

/* Some rows of a block with all factors of all requests. */
static void dot_part(const struct dot_job *job, const struct kl_block *part)
{
    const struct request *any = request_of(job, 0);

    for (uint32_t f = 0; f < any->n_factors; f++) {
        const struct kl_scan_factor *factor = &any->factors[f];
        uint64_t first = part->first > factor->first ? part->first : factor->first;
        uint64_t end = part->first + part->count;

        end = end < factor->end ? end : factor->end;
        for (unsigned from = 0; first < end && from < job->n; from += KL_DOTS_MAX)
            dot_rows(job, part, first, end, f, from);
    }
}

/* Reads a block in parts that stay in the processor's cache until all requests are done. */
static enum kl_status dot_block(struct kl_shared *const *requests, unsigned n, unsigned worker,
                                unsigned number, struct kl_error *err)
{
    const struct dot_job job = {requests, n};
    const struct kl_block_source *source = request_of(&job, 0)->source;
    uint32_t count = source->extents[number].count;
    uint32_t rows = (uint32_t)(PART_BYTES / kl_row_bytes(source)) + 1;
    enum kl_status status = KL_OK;

    for (uint32_t row = 0; !status && row < count;) {
        struct kl_block part = {0};

        status = kl_read_packed(source, worker, number, row,
                                count - row < rows ? count - row : rows, &part, err);
        if (!status)
            dot_part(&job, &part);
        row += part.count;
    }
    return status;
}

/* Puts the queries where the kernels read them fastest: in *room, the caller's to free. */
static enum kl_status align_queries(struct request *request, float **room, struct kl_error *err)
{
    size_t width = request->source->width, stride = kl_padded(width);
    enum kl_status status =
        kl_alloc_scanned(room, request->n_factors * stride, sizeof **room, "queries", err);

    for (uint32_t f = 0; !status && f < request->n_factors; f++)
        request->factors[f].query =
            memcpy(*room + f * stride, request->factors[f].query, width * sizeof **room);
    return status;
}

enum kl_status kl_scan_factors(struct kl_pool *pool, const struct kl_block_source *source,
                               const struct kl_scan_factor *factors, uint32_t n, float *out,
                               struct kl_error *err)
{
    struct request request = {.shared.key = source, .source = source, .n_factors = n, .out = out};
    float *room = NULL;
    enum kl_status status;

    memcpy(request.factors, factors, n * sizeof *factors);
    status = align_queries(&request, &room, err);
    if (!status)
        status = kl_pool_share(pool, &request.shared, source->n_blocks, dot_block, err);
    free(room);
    return status;
}

enum kl_status kl_scan_dot(struct kl_pool *pool, const struct kl_block_source *source,
                           const float *query, float offset, float *out, struct kl_error *err)
{
    struct kl_scan_factor factor = {0, source->n_rows, query, offset};

    return kl_scan_factors(pool, source, &factor, 1, out, err);
}

struct rows_job {
    const struct dot_job *dots;
    const uint64_t *rows;
    uint32_t n;
};

static enum kl_status dot_some(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct rows_job *job = argument;
    const struct kl_block_source *source = request_of(job->dots, 0)->source;
    uint32_t first = task * ROWS_TASK;
    uint32_t end = job->n - first < ROWS_TASK ? job->n : first + ROWS_TASK;
    enum kl_status status = KL_OK;

    for (uint32_t i = first; !status && i < end; i++) {
        uint32_t number = kl_block_of(source, job->rows[i]);
        struct kl_block block = {0};

        status = kl_read_packed(source, worker, number,
                                (uint32_t)(job->rows[i] - source->extents[number].first), 1, &block,
                                err);
        if (!status)
            dot_rows(job->dots, &block, block.first, block.first + 1, 0, 0);
    }
    return status;
}

enum kl_status kl_scan_rows(struct kl_pool *pool, const struct kl_block_source *source,
                            const float *query, const uint64_t *rows, uint32_t n, float *out,
                            struct kl_error *err)
{
    struct request request = {
        .source = source, .n_factors = 1, .factors = {{0, source->n_rows, query, 0}}, .out = out};
    struct kl_shared *shared = &request.shared;
    struct dot_job dots = {&shared, 1};
    struct rows_job job = {&dots, rows, n};
    float *room = NULL;
    enum kl_status status = align_queries(&request, &room, err);

    if (!status)
        status = kl_pool_run(pool, dot_some, &job, (n + ROWS_TASK - 1) / ROWS_TASK, err);
    free(room);
    return status;
}
