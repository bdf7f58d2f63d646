#include "core/scan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/history.h"
#include "core/memory.h"

struct dot_job {
    const struct kl_block_source *source;
    const float *query;
    float offset;
    float *out;
};

static enum kl_status dot_block(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    const struct dot_job *job = argument;
    const struct kl_block_source *source = job->source;
    struct kl_block block = {0};
    enum kl_status status = kl_read_block(source, worker, task, &block, err);
    float *out = job->out + block.first;
    float scale;

    if (status)
        return status;
    kl_dot(block.dtype, block.numbers, block.count, source->width, job->query, out);
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
    struct dot_job job = {source, query, offset, out};

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
    enum kl_status status = kl_alloc(&folded, images->width, sizeof(float), "a query", err);

    if (!status)
        status = kl_alloc(&by_sample, images->n_rows, sizeof(float), "a layer's attention", err);
    /* One pass per distinct standardisation; a run of one data set takes one. */
    for (uint32_t d = 0, first = 0; !status && d < data->n_datasets; d++) {
        float offset = fold_standardisation(data->datasets[d], query, folded);
        uint32_t end = first;

        for (int s = 0; s < KL_N_SPLITS; s++)
            end += data->datasets[d]->splits[s].count;
        status = kl_scan_dot(pool, images, folded, offset, by_sample, err);
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
    if (layer == 0)
        return scan_images(pool, history, query, attention, err);
    return kl_scan_dot(pool, history->keys[layer], query, 0, attention, err);
}
