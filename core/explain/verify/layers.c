#include "core/explain/verify/layers.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/text/corpus.h"
#include "core/base/memory.h"
#include "core/explain/dual/adam.h"
#include "core/explain/places/places.h"
#include "core/explain/verify/distance.h"
#include "core/scan/resident.h"

/* Patterns at a time, or one showing's: one GEMM, its sums in float32, added up in double. */
#define SLICE 4096
/* Numbers of one of a slice's arrays, where layers are wide: fewer patterns at a time. */
#define SLICE_NUMBERS ((size_t)1 << 25)

struct rebuild {
    struct kl_pool *pool;
    const struct kl_history *history;
    uint32_t layer;
    const struct kl_block_source *keys;
    struct kl_resident *images; /* layer 0 only */
    size_t inputs, outputs;
    uint32_t places, slice;           /* patterns of a showing; showings at a time */
    float *slice_keys, *slice_errors; /* (slice * places, inputs), (slice * places, outputs) */
    float *product;                   /* (outputs, inputs) of one slice */
    double *weights, *biases;         /* the dual form's */
    uint64_t non_finite;
};

static uint64_t count_non_finite(const float *numbers, size_t n)
{
    uint64_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += isfinite(numbers[i]) ? 0 : 1;
    return count;
}

/* Of so many showings from first on. */
static enum kl_status add_slice(struct rebuild *rebuild, uint64_t first, uint32_t n_showings,
                                struct kl_error *err)
{
    const struct kl_history *history = rebuild->history;
    int inputs = (int)rebuild->inputs, outputs = (int)rebuild->outputs;
    uint32_t n = n_showings * rebuild->places;
    enum kl_status status = kl_read_keys(history, rebuild->keys, rebuild->layer, 0, first,
                                         n_showings, rebuild->slice_keys, err);

    if (!status)
        status = kl_read_errors(history, rebuild->layer, 0, first, n_showings,
                                rebuild->slice_errors, err);
    if (status)
        return status;
    rebuild->non_finite += count_non_finite(rebuild->slice_keys, n * rebuild->inputs) +
                           count_non_finite(rebuild->slice_errors, n * rebuild->outputs);
    for (uint32_t i = 0; i < n; i++) {
        double c = kl_history_coefficient(history, rebuild->layer, first + i / rebuild->places);
        float *row = rebuild->slice_errors + i * rebuild->outputs;

        for (size_t j = 0; j < rebuild->outputs; j++) {
            row[j] = (float)(c * row[j]);
            rebuild->biases[j] += (double)(history->layers[rebuild->layer].bias * row[j]);
        }
    }
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, outputs, inputs, (int)n, 1,
                rebuild->slice_errors, outputs, rebuild->slice_keys, inputs, 0, rebuild->product,
                inputs);
    for (size_t i = 0; i < rebuild->inputs * rebuild->outputs; i++)
        rebuild->weights[i] += rebuild->product[i];
    return KL_OK;
}

/* The whole rebuilding runs as one pool task: GEMM has its own threads. */
static enum kl_status rebuild_weights(void *argument, unsigned worker, unsigned task,
                                      struct kl_error *err)
{
    struct rebuild *rebuild = argument;
    const struct kl_history *history = rebuild->history;
    const struct kl_layer_steps *steps = &history->layers[rebuild->layer];
    const struct kl_network *initial = history->initial;
    enum kl_status status = KL_OK;

    (void)worker;
    (void)task;
    for (size_t i = 0; i < rebuild->inputs * rebuild->outputs; i++)
        rebuild->weights[i] = steps->alpha * initial->weights[rebuild->layer][i];
    for (size_t j = 0; j < rebuild->outputs; j++)
        rebuild->biases[j] = steps->bias > 0 ? steps->alpha * initial->biases[rebuild->layer][j]
                                             : history->final->biases[rebuild->layer][j];
    for (uint64_t first = 0; !status && first < history->n_patterns; first += rebuild->slice) {
        uint64_t left = history->n_patterns - first;

        status =
            add_slice(rebuild, first, left < rebuild->slice ? (uint32_t)left : rebuild->slice, err);
    }
    return status;
}

/* What is left of the initial weights, and what the patterns made. */
static enum kl_status rebuild_adam(struct rebuild *rebuild, struct kl_error *err)
{
    size_t width = rebuild->inputs + 1, n = rebuild->outputs * width;
    double *made = NULL;
    enum kl_status status = kl_alloc(&made, n, sizeof *made, "the dual form's weights", err);

    if (!status)
        status =
            kl_adam_sum(rebuild->pool, rebuild->history, rebuild->layer, NULL, 0, 1, made, err);
    for (size_t j = 0; !status && j < rebuild->outputs; j++) {
        memcpy(rebuild->weights + j * rebuild->inputs, made + j * width,
               rebuild->inputs * sizeof *made);
        rebuild->biases[j] = made[j * width + width - 1];
    }
    free(made);
    return status;
}

static void measure_weights(const struct rebuild *rebuild, struct kl_layer_check *found)
{
    const struct kl_network *initial = rebuild->history->initial, *final = rebuild->history->final;
    uint32_t l = rebuild->layer;
    struct kl_distance distance = {0};

    for (size_t i = 0; i < rebuild->inputs * rebuild->outputs; i++)
        kl_distance_add(&distance, rebuild->weights[i], (double) final->weights[l][i],
                        (double)initial->weights[l][i]);
    for (size_t j = 0; rebuild->history->layers[l].bias > 0 && j < rebuild->outputs; j++)
        kl_distance_add(&distance, rebuild->biases[j], (double) final->biases[l][j],
                        (double)initial->biases[l][j]);
    found->weight_distance = kl_distance_relative(&distance);
    found->weight_excess = kl_distance_excess(&distance, rebuild->history->n_steps);
}

/* The largest |difference . x| over n inputs x of the layer, where rebuild->product holds the
 * difference of both weights: it is small, so it is formed first, in double, and applied then. */
static void measure_outputs(const struct rebuild *rebuild, const float *x, uint32_t n,
                            double *distance)
{
    const float *biases = rebuild->history->final->biases[rebuild->layer];
    int inputs = (int)rebuild->inputs, outputs = (int)rebuild->outputs;
    float *results = rebuild->slice_errors;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n, outputs, inputs, 1, x, inputs,
                rebuild->product, inputs, 0, results, outputs);
    for (size_t i = 0; i < n * rebuild->outputs; i++) {
        size_t j = i % rebuild->outputs;
        double off = fabs(results[i] + rebuild->biases[j] - biases[j]);

        *distance = off > *distance ? off : *distance;
    }
}

/* Over all test samples. */
static enum kl_status measure_samples(const struct rebuild *rebuild, double *distance,
                                      struct kl_error *err)
{
    const struct kl_history *history = rebuild->history;
    const struct kl_block_source *images = history->keys[0];
    size_t size = images->width;
    struct kl_activations *activations = NULL;
    enum kl_status status =
        kl_activations_create(&history->final->shape, rebuild->slice, &activations, err);

    for (uint32_t d = 0; !status && d < history->data->n_datasets; d++) {
        const struct kl_dataset *dataset = history->data->datasets[d];
        uint32_t count = dataset->splits[KL_SPLIT_TEST].count;
        uint64_t base =
            kl_collection_id(history->data, (struct kl_sample_place){d, KL_SPLIT_TEST, 0});

        for (uint32_t first = 0; !status && first < count; first += rebuild->slice) {
            uint32_t n = count - first < rebuild->slice ? count - first : rebuild->slice;

            status = kl_read_rows(images, 0, base + first, n, activations->keys[0], err);
            if (status)
                break;
            for (uint32_t i = 0; i < n; i++)
                kl_dataset_standardise_floats(dataset, activations->keys[0] + i * size);
            history->final->shape.model->forward(history->final, n, activations);
            measure_outputs(rebuild, activations->keys[rebuild->layer], n, distance);
        }
    }
    kl_activations_free(activations);
    return status;
}

/* Over the first test tokens (or training ones, without a test split), as many as fit a slice. */
static enum kl_status measure_text(const struct rebuild *rebuild, double *distance,
                                   struct kl_error *err)
{
    const struct kl_history *history = rebuild->history;
    const struct kl_model *model = history->final->shape.model;
    const struct kl_corpus *corpus = history->data->datasets[0]->corpus;
    enum kl_split split = corpus->lengths[KL_SPLIT_TEST] ? KL_SPLIT_TEST : KL_SPLIT_TRAIN;
    uint32_t n = corpus->lengths[split] < rebuild->slice ? corpus->lengths[split] : rebuild->slice;
    void *reader = NULL;
    enum kl_status status = model->reader_create(history->final, n, &reader, err);

    if (status)
        return status;
    model->reader_read(reader, corpus->tokens[split], n);
    measure_outputs(rebuild, model->reader_keys(reader, rebuild->layer), n, distance);
    model->reader_free(reader);
    return KL_OK;
}

/* Over all places of a recorded sample, as many at a time as fit a slice. */
static void measure_query(const struct rebuild *rebuild, const struct kl_activations *activations,
                          double *distance)
{
    const struct kl_places *places = activations->places[rebuild->layer];
    const float *keys = places ? places->keys : activations->keys[rebuild->layer];
    uint32_t n = places ? places->n : 1, most = rebuild->slice * rebuild->places;

    for (uint32_t first = 0; first < n; first += most)
        measure_outputs(rebuild, keys + first * rebuild->inputs,
                        n - first < most ? n - first : most, distance);
}

/* Over the recorded test samples. */
static enum kl_status measure_queries(const struct rebuild *rebuild, double *distance,
                                      struct kl_error *err)
{
    const struct kl_history *history = rebuild->history;
    struct kl_activations *activations = NULL;
    uint32_t *samples = NULL, n = 0;
    enum kl_status status = kl_activations_create(&history->final->shape, 1, &activations, err);

    if (!status)
        status = history->queries->list(history->queries->self, &samples, &n, err);
    for (uint32_t i = 0; !status && i < n; i++) {
        status = history->queries->read(history->queries->self, samples[i], activations, err);
        if (!status)
            measure_query(rebuild, activations, distance);
    }
    free(samples);
    kl_activations_free(activations);
    return status;
}

static enum kl_status output_distance(const struct rebuild *rebuild, double *distance,
                                      struct kl_error *err)
{
    const struct kl_history *history = rebuild->history;

    for (size_t i = 0; i < rebuild->inputs * rebuild->outputs; i++)
        rebuild->product[i] =
            (float)(rebuild->weights[i] - history->final->weights[rebuild->layer][i]);
    if (history->queries)
        return measure_queries(rebuild, distance, err);
    return history->final->shape.model->forward ? measure_samples(rebuild, distance, err)
                                                : measure_text(rebuild, distance, err);
}

static enum kl_status allocate(struct rebuild *rebuild, struct kl_error *err)
{
    const char *what = "the dual form's weights";
    size_t n = (size_t)rebuild->slice * rebuild->places;
    enum kl_status status =
        kl_alloc(&rebuild->slice_keys, n * rebuild->inputs, sizeof(float), what, err);

    if (!status)
        status = kl_alloc(&rebuild->slice_errors, n * rebuild->outputs, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&rebuild->product, rebuild->inputs * rebuild->outputs, sizeof(float),
                          what, err);
    if (!status)
        status = kl_alloc(&rebuild->weights, rebuild->inputs * rebuild->outputs, sizeof(double),
                          what, err);
    if (!status)
        status = kl_alloc(&rebuild->biases, rebuild->outputs, sizeof(double), what, err);
    return status;
}

enum kl_status kl_layer_check(struct kl_pool *pool, const struct kl_history *history,
                              uint32_t layer, struct kl_layer_check *check, struct kl_error *err)
{
    struct rebuild rebuild = {.pool = pool, .history = history, .layer = layer};
    struct kl_layer_check found = {0};
    enum kl_status status;

    rebuild.inputs = history->final->shape.inputs[layer];
    rebuild.outputs = history->final->shape.outputs[layer];
    rebuild.keys = history->keys[layer];
    rebuild.places = kl_shape_places(&history->final->shape, layer);
    rebuild.slice = SLICE_NUMBERS / rebuild.outputs < SLICE
                        ? (uint32_t)(SLICE_NUMBERS / rebuild.outputs) + 1
                        : SLICE;
    rebuild.slice = rebuild.slice / rebuild.places + (rebuild.places > 1);
    status = allocate(&rebuild, err);
    if (status)
        goto out;
    if (kl_shape_reads_samples(&history->final->shape, layer)) {
        status = kl_resident_create(history->keys[0], pool, &rebuild.images, err);
        if (status)
            goto out;
        rebuild.keys = &rebuild.images->source;
    }
    status = history->adam ? rebuild_adam(&rebuild, err)
                           : kl_pool_run(pool, rebuild_weights, &rebuild, 1, err);
    if (status)
        goto out;
    measure_weights(&rebuild, &found);
    found.non_finite = rebuild.non_finite;
    status = output_distance(&rebuild, &found.output_distance, err);
    if (status)
        goto out;
    *check = found;
out:
    kl_resident_free(rebuild.images);
    free(rebuild.slice_keys);
    free(rebuild.slice_errors);
    free(rebuild.product);
    free(rebuild.weights);
    free(rebuild.biases);
    return status;
}
