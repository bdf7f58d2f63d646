#include "core/explain/verify/replay.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/places/places.h"
#include "core/explain/verify/distance.h"
#include "core/scan/resident.h"

#define SLICE_NUMBERS ((size_t)1 << 22) /* of a slice's keys or error signals */

struct replay {
    const struct kl_history *history;
    const struct kl_optimiser *optimiser;
    uint32_t layer, places, slice; /* patterns of a showing; showings at a time */
    const struct kl_block_source *keys;
    struct kl_resident *images; /* of a layer that reads them */
    size_t inputs, outputs, n_weights;
    float *slice_keys, *slice_errors; /* (slice * places, inputs), (slice * places, outputs) */
    float *block;                     /* what the following are parts of */
    /* The layer's weights, and the biases that have a dual form. */
    struct kl_network now, gradient, moments[KL_MOMENTS_MAX];
    struct kl_network *then; /* a snapshot */
    double way;              /* of the whole training, squared */
    struct kl_layer_replay found;
};

/* The gradient of a step, from 1. */
static enum kl_status add_up(struct replay *replay, uint32_t step, struct kl_error *err)
{
    const struct kl_history *history = replay->history;
    uint64_t first = kl_history_start(history, step);
    uint32_t count = kl_history_count(history, step), n;
    float *gradient = replay->gradient.parameters, *biases = gradient + replay->n_weights;
    int inputs = (int)replay->inputs, outputs = (int)replay->outputs;
    int has_biases = replay->gradient.n_parameters > replay->n_weights;
    enum kl_status status = KL_OK;

    memset(gradient, 0, replay->gradient.n_parameters * sizeof *gradient);
    for (uint32_t done = 0; done < count; done += n) {
        n = count - done < replay->slice ? count - done : replay->slice;
        status = kl_read_keys(history, replay->keys, replay->layer, 0, first + done, n,
                              replay->slice_keys, err);
        if (!status)
            status = kl_read_errors(history, replay->layer, 0, first + done, n,
                                    replay->slice_errors, err);
        if (status)
            return status;
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, outputs, inputs,
                    (int)(n * replay->places), 1, replay->slice_errors, outputs, replay->slice_keys,
                    inputs, 1, gradient, inputs);
        for (size_t i = 0; has_biases && i < (size_t)n * replay->places; i++)
            for (size_t j = 0; j < replay->outputs; j++)
                biases[j] += replay->slice_errors[i * replay->outputs + j];
    }
    return status;
}

/* How far now is from a network's layer, and that from the initial one. */
static struct kl_distance measure(const struct replay *replay, const struct kl_network *network)
{
    const struct kl_network *initial = replay->history->initial;
    const float *now = replay->now.parameters;
    struct kl_distance distance = {0};
    uint32_t l = replay->layer;

    for (size_t i = 0; i < replay->n_weights; i++)
        kl_distance_add(&distance, (double)now[i], (double)network->weights[l][i],
                        (double)initial->weights[l][i]);
    for (size_t j = 0; j < replay->now.n_parameters - replay->n_weights; j++)
        kl_distance_add(&distance, (double)now[replay->n_weights + j],
                        (double)network->biases[l][j], (double)initial->biases[l][j]);
    return distance;
}

/* Against a snapshot, numbered from 0. */
static enum kl_status compare(struct replay *replay, uint32_t number, struct kl_error *err)
{
    const struct kl_snapshots *snapshots = &replay->history->snapshots;
    uint32_t step = snapshots->steps[number];
    struct kl_distance distance;
    double excess;
    enum kl_status status = snapshots->read(snapshots->self, 0, number, replay->then, err);

    if (status)
        return status;
    distance = measure(replay, replay->then);
    if (distance.way < replay->way)
        distance.way = replay->way;
    excess = kl_distance_excess(&distance, step);
    if (replay->found.step == 0 || excess > replay->found.excess)
        replay->found = (struct kl_layer_replay){step, kl_distance_relative(&distance), excess};
    return KL_OK;
}

/* As one pool task: GEMM has its own threads. */
static enum kl_status train(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    struct replay *replay = argument;
    const struct kl_history *history = replay->history;
    const struct kl_snapshots *snapshots = &history->snapshots;
    struct kl_network *moments[KL_MOMENTS_MAX];
    uint32_t step = 0;
    enum kl_status status = KL_OK;

    (void)worker;
    (void)task;
    for (uint32_t i = 0; i < KL_MOMENTS_MAX; i++)
        moments[i] = &replay->moments[i];
    replay->way = measure(replay, history->final).way;
    for (uint32_t number = 0; !status && number < snapshots->n; number++) {
        while (!status && step < snapshots->steps[number]) {
            status = add_up(replay, ++step, err);
            if (!status)
                replay->optimiser->update(&history->layers[replay->layer].rules[step - 1], step,
                                          &replay->gradient, moments, &replay->now);
        }
        if (!status)
            status = compare(replay, number, err);
    }
    return status;
}

static enum kl_status allocate(struct replay *replay, struct kl_error *err)
{
    const char *what = "training a layer again";
    const struct kl_network *initial = replay->history->initial;
    uint32_t l = replay->layer;
    size_t rows = (size_t)replay->slice * replay->places;
    size_t n_biases = replay->history->layers[l].bias > 0 ? replay->outputs : 0;
    size_t n = replay->n_weights + n_biases;
    _Static_assert(KL_MOMENTS_MAX == 2, "parts has as many");
    struct kl_network *parts[] = {&replay->now, &replay->gradient, &replay->moments[0],
                                  &replay->moments[1]};
    enum kl_status status =
        kl_alloc(&replay->slice_keys, rows * replay->inputs, sizeof(float), what, err);

    if (!status)
        status = kl_alloc(&replay->slice_errors, rows * replay->outputs, sizeof(float), what, err);
    if (!status)
        status =
            kl_alloc(&replay->block, n * (sizeof parts / sizeof *parts), sizeof(float), what, err);
    if (!status)
        status = kl_network_create(&initial->shape, &replay->then, err);
    for (size_t i = 0; !status && i < sizeof parts / sizeof *parts; i++) {
        parts[i]->n_parameters = n;
        parts[i]->parameters = replay->block + i * n;
    }
    if (status)
        return status;
    memcpy(replay->now.parameters, initial->weights[l], replay->n_weights * sizeof(float));
    memcpy(replay->now.parameters + replay->n_weights, initial->biases[l],
           n_biases * sizeof(float));
    return KL_OK;
}

enum kl_status kl_layer_replay(struct kl_pool *pool, const struct kl_history *history,
                               const struct kl_optimiser *optimiser, uint32_t layer,
                               struct kl_layer_replay *out, struct kl_error *err)
{
    struct replay replay = {.history = history,
                            .optimiser = optimiser,
                            .layer = layer,
                            .keys = history->keys[layer],
                            .places = kl_shape_places(&history->final->shape, layer),
                            .inputs = history->final->shape.inputs[layer],
                            .outputs = history->final->shape.outputs[layer]};
    size_t widest = replay.inputs > replay.outputs ? replay.inputs : replay.outputs;
    size_t slice = SLICE_NUMBERS / widest / replay.places + 1;
    enum kl_status status;

    replay.n_weights = replay.inputs * replay.outputs;
    replay.slice = slice < history->most_per_step ? (uint32_t)slice : history->most_per_step;
    status = allocate(&replay, err);
    if (!status && kl_shape_reads_samples(&history->final->shape, layer)) {
        status = kl_resident_create(history->keys[0], pool, &replay.images, err);
        if (!status)
            replay.keys = &replay.images->source;
    }
    if (!status)
        status = kl_pool_run(pool, train, &replay, 1, err);
    if (!status)
        *out = replay.found;
    kl_resident_free(replay.images);
    kl_network_free(replay.then);
    free(replay.slice_keys);
    free(replay.slice_errors);
    free(replay.block);
    return status;
}
