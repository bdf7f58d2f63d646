#include "core/scan/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/half.h"
#include "core/explain/history.h"
#include "core/base/memory.h"

#define PART_BYTES ((size_t)128 << 10)

/* What some of a source's rows are multiplied with. */
struct factor {
    uint64_t first, end; /* the rows */
    const float *query;  /* (width) */
    float offset;        /* added to every product */
};

/* One caller's products; those of one source are scanned for together. */
struct request {
    struct kl_shared shared; /* first, so that a pointer to it is one to this */
    const struct kl_block_source *source;
    uint32_t n_factors; /* the same rows for every request of a source */
    struct factor factors[KL_DATASETS_MAX];
    float *out; /* (n_rows) */
};

struct dot_job {
    struct kl_shared *const *requests;
    unsigned n;
};

static const struct request *request_of(const struct dot_job *job, unsigned number)
{
    return (const struct request *)(const void *)job->requests[number];
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

/* Rows first .. end of a block with factor number f of requests from, from + 1, .. */
static void dot_rows(const struct dot_job *job, const struct kl_block *block, uint64_t first,
                     uint64_t end, uint32_t f, unsigned from)
{
    const struct kl_block_source *source = request_of(job, 0)->source;
    float scale = ldexpf(1, -block->exponent);
    struct kl_dots dots = {.n = job->n - from < KL_DOTS_MAX ? job->n - from : KL_DOTS_MAX};

    for (size_t q = 0; q < dots.n; q++) {
        const struct request *request = request_of(job, from + (unsigned)q);

        dots.queries[q] = request->factors[f].query;
        dots.out[q] = request->out + first;
        if (block->indices)
            dot_sparse(source, block, dots.queries[q], dots.out[q]);
    }
    if (!block->indices)
        kl_dot(block->dtype,
               (const char *)block->numbers + (first - block->first) * kl_row_bytes(source),
               end - first, source->width, &dots);
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
        const struct factor *factor = &any->factors[f];
        uint64_t first = part->first > factor->first ? part->first : factor->first;
        uint64_t end = part->first + part->count;

        end = end < factor->end ? end : factor->end;
        for (unsigned from = 0; first < end && from < job->n; from += KL_DOTS_MAX)
            dot_rows(job, part, first, end, f, from);
    }
}

/* Reads a block in parts that stay in the processor's cache until all requests are done. */
static enum kl_status dot_block(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    const struct dot_job *job = argument;
    const struct kl_block_source *source = request_of(job, 0)->source;
    uint32_t count = source->extents[task].count;
    uint32_t rows = (uint32_t)(PART_BYTES / kl_row_bytes(source)) + 1;
    enum kl_status status = KL_OK;

    for (uint32_t row = 0; !status && row < count; row += rows) {
        struct kl_block part = {0};

        status = source->read(source->self, worker, task, row,
                              count - row < rows ? count - row : rows, &part, err);
        if (!status)
            dot_part(job, &part);
    }
    return status;
}

static enum kl_status scan_together(struct kl_pool *pool, struct kl_shared *const *requests,
                                    unsigned n, struct kl_error *err)
{
    struct dot_job job = {requests, n};

    return kl_pool_run(pool, dot_block, &job, request_of(&job, 0)->source->n_blocks, err);
}

static enum kl_status scan(struct kl_pool *pool, struct request *request, struct kl_error *err)
{
    request->shared.key = request->source;
    return kl_pool_share(pool, &request->shared, scan_together, err);
}

enum kl_status kl_scan_dot(struct kl_pool *pool, const struct kl_block_source *source,
                           const float *query, float offset, float *out, struct kl_error *err)
{
    struct request request = {.source = source,
                              .n_factors = 1,
                              .factors = {{0, source->n_rows, query, offset}},
                              .out = out};

    return scan(pool, &request, err);
}

/* Folds a data set's standardisation into the query: bytes . folded + offset is the product of the
 * standardised image with the query. */
static float fold_standardisation(const struct kl_dataset *dataset, const float *query,
                                  float *folded)
{
    size_t area = (size_t)dataset->width * dataset->height;
    double offset = 0;

    for (uint32_t c = 0; c < dataset->channels; c++) {
        for (size_t i = c * area; i < (c + 1) * area; i++) {
            folded[i] = (float)(query[i] / dataset->deviation[c]);
            offset -= dataset->mean[c] * query[i] / dataset->deviation[c];
        }
    }
    return (float)offset;
}

/* From samples to patterns. */
struct gather_job {
    const uint32_t *samples; /* (n_patterns) */
    const float *by_sample;
    float *out; /* (n_patterns) */
};

static enum kl_status gather(void *argument, const struct kl_part *part, struct kl_error *err)
{
    const struct gather_job *job = argument;

    (void)err;
    for (uint64_t t = part->first; t < part->end; t++)
        job->out[t] = job->by_sample[job->samples[t]];
    return KL_OK;
}

/* Every data set's images by its own standardisation. */
static enum kl_status scan_images(struct kl_pool *pool, const struct kl_history *history,
                                  const float *query, float *attention, struct kl_error *err)
{
    const struct kl_block_source *images = history->keys[0];
    const struct kl_collection *data = history->data;
    struct request request = {.source = images, .n_factors = data->n_datasets};
    struct gather_job job = {history->samples, NULL, attention};
    uint64_t first = 0;
    float *folded = NULL;
    enum kl_status status =
        kl_alloc(&folded, (size_t)images->width * data->n_datasets, sizeof(float), "a query", err);

    if (!status)
        status = kl_alloc(&request.out, images->n_rows, sizeof(float), "a layer's attention", err);
    for (uint32_t d = 0; !status && d < data->n_datasets; d++) {
        struct factor *factor = &request.factors[d];
        float *own = folded + (size_t)d * images->width;

        *factor =
            (struct factor){first, first, own, fold_standardisation(data->datasets[d], query, own)};
        for (int s = 0; s < KL_N_SPLITS; s++)
            factor->end += data->datasets[d]->splits[s].count;
        first = factor->end;
    }
    if (!status)
        status = scan(pool, &request, err);
    job.by_sample = request.out;
    if (!status)
        status = kl_pool_split(pool, history->n_patterns, KL_PARTS_MAX, gather, &job, err);
    free(request.out);
    free(folded);
    return status;
}

enum kl_status kl_scan_attention(struct kl_pool *pool, const struct kl_history *history,
                                 uint32_t layer, const float *query, float *attention,
                                 struct kl_error *err)
{
    if (kl_shape_reads_samples(&history->final->shape, layer))
        return scan_images(pool, history, query, attention, err);
    return kl_scan_dot(pool, history->keys[layer], query, 0, attention, err);
}

struct squares_job {
    const struct kl_block_source *source;
    const struct kl_history *standardise; /* rows are images by sample id; or NULL */
    float *out;
};

static enum kl_status square_block(void *argument, unsigned worker, unsigned task,
                                   struct kl_error *err)
{
    const struct squares_job *job = argument;
    size_t width = job->source->width;
    struct kl_block block = {0};
    float *row = NULL;
    enum kl_status status = kl_alloc(&row, width, sizeof(float), "a row", err);

    if (!status)
        status = kl_read_block(job->source, worker, task, &block, err);
    for (uint32_t i = 0; !status && i < block.count; i++) {
        double sum = 0;

        kl_block_to_float(&block, i * width, width, row);
        if (job->standardise) {
            const struct kl_collection *data = job->standardise->data;
            uint32_t sample = (uint32_t)block.first + i;

            kl_dataset_standardise_floats(data->datasets[kl_collection_place(data, sample).dataset],
                                          row);
        }
        for (size_t j = 0; j < width; j++)
            sum += (double)row[j] * row[j];
        job->out[block.first + i] = (float)sum;
    }
    free(row);
    return status;
}

static enum kl_status scan_image_squares(struct kl_pool *pool, const struct kl_history *history,
                                         float *out, struct kl_error *err)
{
    const struct kl_block_source *images = history->keys[0];
    struct squares_job job = {images, history, NULL};
    enum kl_status status =
        kl_alloc(&job.out, images->n_rows, sizeof(float), "the images' lengths", err);

    if (!status)
        status = kl_pool_run(pool, square_block, &job, images->n_blocks, err);
    if (!status)
        status = kl_pool_split(pool, history->n_patterns, KL_PARTS_MAX, gather,
                               &(struct gather_job){history->samples, job.out, out}, err);
    free(job.out);
    return status;
}

enum kl_status kl_scan_key_squares(struct kl_pool *pool, const struct kl_history *history,
                                   uint32_t layer, float *out, struct kl_error *err)
{
    struct squares_job job = {history->keys[layer], NULL, out};

    if (kl_shape_reads_samples(&history->final->shape, layer))
        return scan_image_squares(pool, history, out, err);
    return kl_pool_run(pool, square_block, &job, job.source->n_blocks, err);
}
