#include "core/explain/places/bilinear.h"

#include <cblas.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/explain/places/places.h"

#define SLICE_NUMBERS ((size_t)1 << 18) /* of keys, error signals or products: some of a cache */

struct job {
    const struct kl_history *history;
    uint32_t layer, inputs, outputs, places;
    const float *matrix;
    float *products;
    uint32_t slice; /* showings at a time */
};

/* Room for a slice. */
struct room {
    float *keys, *errors, *outputs;
};

static void end(struct room *room)
{
    free(room->keys);
    free(room->errors);
    free(room->outputs);
}

static enum kl_status begin(const struct job *job, struct room *room, struct kl_error *err)
{
    size_t n = (size_t)job->slice * job->places;
    enum kl_status status = kl_alloc(&room->keys, n * job->inputs, sizeof(float), "keys", err);

    if (!status)
        status = kl_alloc(&room->errors, n * job->outputs, sizeof(float), "error signals", err);
    if (!status)
        status = kl_alloc(&room->outputs, n * job->outputs, sizeof(float), "products", err);
    return status;
}

/* Reads n showings, and room->outputs become M x of each of their patterns. */
static enum kl_status multiply(const struct job *job, const struct room *room, unsigned worker,
                               uint64_t first, uint32_t n, struct kl_error *err)
{
    const struct kl_history *history = job->history;
    uint32_t n_patterns = n * job->places;
    int inputs = (int)job->inputs, outputs = (int)job->outputs;
    enum kl_status status = kl_read_keys(history, history->keys[job->layer], job->layer, worker,
                                         first, n, room->keys, err);

    if (!status)
        status = kl_read_errors(history, job->layer, worker, first, n, room->errors, err);
    if (!status)
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n_patterns, outputs, inputs, 1,
                    room->keys, inputs, job->matrix, inputs + 1, 0, room->outputs, outputs);
    return status;
}

/* d^T M (x, 1) of one pattern of a slice, after multiply: here the column of the bias is added. */
static double product_of(const struct job *job, const struct room *room, size_t pattern)
{
    const float *errors = room->errors + pattern * job->outputs;
    const float *outputs = room->outputs + pattern * job->outputs;
    double sum = 0;

    for (size_t j = 0; j < job->outputs; j++)
        sum += (double)errors[j] *
               (double)(outputs[j] + job->matrix[j * (job->inputs + 1) + job->inputs]);
    return sum;
}

static enum kl_status scan_part(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    const struct job *job = argument;
    uint64_t n_patterns = job->history->n_patterns, part = (n_patterns - 1) / KL_PARTS_MAX + 1;
    uint64_t end_of_part = (task + 1) * part < n_patterns ? (task + 1) * part : n_patterns;
    struct room room = {0};
    enum kl_status status = begin(job, &room, err);

    for (uint64_t first = task * part; !status && first < end_of_part; first += job->slice) {
        uint64_t left = end_of_part - first;
        uint32_t n = left < job->slice ? (uint32_t)left : job->slice;

        status = multiply(job, &room, worker, first, n, err);
        for (uint32_t i = 0; !status && i < n; i++) {
            double sum = 0;

            for (uint32_t p = 0; p < job->places; p++)
                sum += product_of(job, &room, (size_t)i * job->places + p);
            job->products[first + i] = (float)sum;
        }
    }
    end(&room);
    return status;
}

enum kl_status kl_scan_bilinear(struct kl_pool *pool, const struct kl_history *history,
                                uint32_t layer, const float *matrix, float *products,
                                struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    struct job job = {.history = history,
                      .layer = layer,
                      .inputs = shape->inputs[layer],
                      .outputs = shape->outputs[layer],
                      .places = kl_shape_places(shape, layer),
                      .matrix = matrix,
                      .products = products};
    size_t widest = job.inputs > job.outputs ? job.inputs : job.outputs;

    job.slice = (uint32_t)(SLICE_NUMBERS / (widest * job.places)) + 1;
    return kl_pool_run(pool, scan_part, &job, KL_PARTS_MAX, err);
}
