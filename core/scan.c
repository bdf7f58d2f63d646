#include "core/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/half.h"
#include "core/history.h"
#include "core/memory.h"

struct dot_job {
    const struct kl_block_source *source;
    const float *query;
    float offset;
    uint64_t first, end; /* blocks outside these rows are left out */
    float *out;
};

/* As kl_dot, of sparse rows. */
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

static enum kl_status dot_block(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    const struct dot_job *job = argument;
    const struct kl_block_source *source = job->source;
    const struct kl_extent *extent = &source->extents[task];
    float *out = job->out + extent->first;
    struct kl_block block = {0};
    enum kl_status status;
    float scale;

    if (extent->first >= job->end || extent->first + extent->count <= job->first)
        return KL_OK;
    status = kl_read_block(source, worker, task, &block, err);
    if (status)
        return status;
    if (block.indices)
        dot_sparse(source, &block, job->query, out);
    else
        kl_dot(block.dtype, block.numbers, block.count, source->width,
               &(struct kl_dots){1, {job->query}, {out}});
    if (block.exponent == 0 && job->offset == 0)
        return KL_OK;
    scale = ldexpf(1, -block.exponent);
    for (uint32_t i = 0; i < block.count; i++)
        out[i] = out[i] * scale + job->offset;
    return KL_OK;
}

enum kl_status kl_scan_dot(struct kl_pool *pool, const struct kl_block_source *source,
                           const float *query, float offset, float *out, struct kl_error *err)
{
    struct dot_job job = {source, query, offset, 0, source->n_rows, out};

    return kl_pool_run(pool, dot_block, &job, source->n_blocks, err);
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

static enum kl_status scan_images(struct kl_pool *pool, const struct kl_history *history,
                                  const float *query, float *attention, struct kl_error *err)
{
    const struct kl_block_source *images = history->keys[0];
    const struct kl_collection *data = history->data;
    float *folded = NULL, *by_sample = NULL;
    struct dot_job job;
    enum kl_status status = kl_alloc(&folded, images->width, sizeof(float), "a query", err);

    if (!status)
        status = kl_alloc(&by_sample, images->n_rows, sizeof(float), "a layer's attention", err);
    /* Every data set's images by its own standardisation. */
    for (uint32_t d = 0, first = 0; !status && d < data->n_datasets; d++) {
        float offset = fold_standardisation(data->datasets[d], query, folded);
        uint32_t end = first;

        for (int s = 0; s < KL_N_SPLITS; s++)
            end += data->datasets[d]->splits[s].count;
        job = (struct dot_job){images, folded, offset, first, end, by_sample};
        status = kl_pool_run(pool, dot_block, &job, images->n_blocks, err);
        for (uint64_t t = 0; !status && t < history->n_patterns; t++) {
            uint32_t sample = history->samples[t];

            if (sample >= first && sample < end)
                attention[t] = by_sample[sample];
        }
        first = end;
    }
    free(by_sample);
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
    for (uint64_t t = 0; !status && t < history->n_patterns; t++)
        out[t] = job.out[history->samples[t]];
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
