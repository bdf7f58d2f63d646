#include "core/explain/places/places.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

/* Keys that are samples: each by its id, standardised. */
static enum kl_status read_samples(const struct kl_history *history,
                                   const struct kl_block_source *source, unsigned worker,
                                   uint64_t first, uint32_t n, float *keys, struct kl_error *err)
{
    const struct kl_collection *data = history->data;
    enum kl_status status = KL_OK;

    for (uint32_t i = 0; !status && i < n; i++, keys += source->width) {
        uint32_t sample = history->samples[first + i];

        status = kl_read_rows(source, worker, sample, 1, keys, err);
        if (!status)
            kl_dataset_standardise_floats(data->datasets[kl_collection_place(data, sample).dataset],
                                          keys);
    }
    return status;
}

static enum kl_status read_patches(const struct kl_convolution *convolution,
                                   const struct kl_block_source *source, unsigned worker,
                                   uint64_t first, uint32_t n, size_t patches, float *keys,
                                   struct kl_error *err)
{
    float *maps = NULL;
    enum kl_status status =
        kl_alloc(&maps, (size_t)n * source->width, sizeof *maps, "a layer's inputs", err);

    if (!status)
        status = kl_read_rows(source, worker, first, n, maps, err);
    for (uint32_t i = 0; !status && i < n; i++)
        kl_unfold(convolution, maps + (size_t)i * source->width, keys + i * patches);
    free(maps);
    return status;
}

enum kl_status kl_read_keys(const struct kl_history *history, const struct kl_block_source *source,
                            uint32_t layer, unsigned worker, uint64_t first, uint32_t n,
                            float *keys, struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    const struct kl_convolution *convolution = kl_shape_convolution(shape, layer);
    size_t patches = (size_t)kl_shape_places(shape, layer) * shape->inputs[layer];

    if (kl_shape_reads_samples(shape, layer))
        return read_samples(history, source, worker, first, n, keys, err);
    return convolution ? read_patches(convolution, source, worker, first, n, patches, keys, err)
                       : kl_read_rows(source, worker, first, n, keys, err);
}

enum kl_status kl_read_errors(const struct kl_history *history, uint32_t layer, unsigned worker,
                              uint64_t first, uint32_t n, float *errors, struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    size_t places = kl_shape_places(shape, layer), outputs = shape->outputs[layer];
    float *rows = NULL;
    enum kl_status status;

    if (!kl_shape_convolution(shape, layer))
        return kl_read_rows(history->errors[layer], worker, first, n, errors, err);
    status = kl_alloc(&rows, n * places * outputs, sizeof *rows, "error signals", err);
    if (!status)
        status = kl_read_rows(history->errors[layer], worker, first, n, rows, err);
    for (size_t i = 0; !status && i < n; i++) {
        const float *from = rows + i * places * outputs; /* (outputs, places) */
        float *to = errors + i * places * outputs;

        for (size_t j = 0; j < outputs; j++)
            for (size_t p = 0; p < places; p++)
                to[p * outputs + j] = from[j * places + p];
    }
    free(rows);
    return status;
}

void kl_attend_to_place(uint32_t layer, uint32_t place, struct kl_activations *activations)
{
    const struct kl_shape *shape = &activations->shape;
    const struct kl_convolution *convolution = kl_shape_convolution(shape, layer);
    struct kl_places *places = activations->places[layer];
    size_t inputs = shape->inputs[layer];
    float *row = activations->keys[layer];

    memset(places->attended, 0, inputs * sizeof(float));
    for (uint32_t q = 0; q < places->n; q++)
        if (place == KL_ALL_PLACES || q == place)
            cblas_saxpy((int)inputs, 1, places->keys + q * inputs, 1, places->attended, 1);
    if (convolution)
        kl_fold(convolution, places->attended, row);
    for (uint32_t p = 0; !convolution && p < kl_shape_places(shape, layer); p++)
        memcpy(row + p * inputs, places->attended, inputs * sizeof(float));
}

void kl_places_matrix(const struct kl_activations *activations, uint32_t layer, int has_bias,
                      float *matrix)
{
    const struct kl_places *places = activations->places[layer];
    int inputs = (int)activations->shape.inputs[layer];
    int outputs = (int)activations->shape.outputs[layer], width = inputs + 1;

    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, outputs, inputs, (int)places->n, 1,
                places->errors, outputs, places->keys, inputs, 0, matrix, width);
    for (int j = 0; j < outputs; j++) {
        float sum = 0;

        for (uint32_t q = 0; has_bias && q < places->n; q++)
            sum += places->errors[(size_t)q * (size_t)outputs + (size_t)j];
        matrix[(size_t)j * (size_t)width + (size_t)inputs] = sum;
    }
}
