#include "core/explain/layer_scan.h"

#include <stdlib.h>

#include "core/base/memory.h"
#include "core/explain/places/places.h"
#include "core/scan/scan.h"

_Static_assert(KL_DATASETS_MAX <= KL_FACTORS_MAX, "every data set has a factor of its own");

float kl_fold_standardisation(const struct kl_dataset *dataset, const float *query, float *folded)
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
    struct kl_scan_factor factors[KL_FACTORS_MAX];
    struct gather_job job = {history->samples, NULL, attention};
    uint64_t first = 0;
    float *folded = NULL, *by_sample = NULL;
    enum kl_status status =
        kl_alloc(&folded, (size_t)images->width * data->n_datasets, sizeof(float), "a query", err);

    if (!status)
        status = kl_alloc(&by_sample, images->n_rows, sizeof(float), "a layer's attention", err);
    for (uint32_t d = 0; !status && d < data->n_datasets; d++) {
        struct kl_scan_factor *factor = &factors[d];
        float *own = folded + (size_t)d * images->width;

        *factor = (struct kl_scan_factor){first, first, own,
                                          kl_fold_standardisation(data->datasets[d], query, own)};
        for (int s = 0; s < KL_N_SPLITS; s++)
            factor->end += data->datasets[d]->splits[s].count;
        first = factor->end;
    }
    if (!status)
        status = kl_scan_factors(pool, images, factors, data->n_datasets, by_sample, err);
    job.by_sample = by_sample;
    if (!status)
        status = kl_pool_split(pool, history->n_patterns, KL_PARTS_MAX, gather, &job, err);
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

struct places_job {
    const struct kl_history *history;
    uint32_t layer;
    float *out; /* (n_patterns) */
};

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

/* |sum over the places of x_p|^2 of the showings of a block of keys. */
static enum kl_status square_places(void *argument, unsigned worker, unsigned task,
                                    struct kl_error *err)
{
    const struct places_job *job = argument;
    const struct kl_history *history = job->history;
    const struct kl_shape *shape = &history->final->shape;
    size_t inputs = shape->inputs[job->layer], places = kl_shape_places(shape, job->layer);
    const struct kl_extent *extent = &history->keys[job->layer]->extents[task];
    float *keys = NULL;
    enum kl_status status = kl_alloc(&keys, inputs * places, sizeof *keys, "keys", err);

    for (uint32_t i = 0; !status && i < extent->count; i++) {
        double squares = 0;

        status = kl_read_keys(history, history->keys[job->layer], job->layer, worker,
                              extent->first + i, 1, keys, err);
        for (size_t j = 0; !status && j < inputs; j++) {
            double sum = 0;

            for (size_t p = 0; p < places; p++)
                sum += (double)keys[p * inputs + j];
            squares += sum * sum;
        }
        job->out[extent->first + i] = (float)squares;
    }
    free(keys);
    return status;
}

enum kl_status kl_scan_key_squares(struct kl_pool *pool, const struct kl_history *history,
                                   uint32_t layer, float *out, struct kl_error *err)
{
    struct squares_job job = {history->keys[layer], NULL, out};

    if (kl_shape_reads_samples(&history->final->shape, layer))
        return scan_image_squares(pool, history, out, err);
    if (kl_shape_places(&history->final->shape, layer) > 1)
        return kl_pool_run(pool, square_places, &(struct places_job){history, layer, out},
                           history->keys[layer]->n_blocks, err);
    return kl_pool_run(pool, square_block, &job, job.source->n_blocks, err);
}
