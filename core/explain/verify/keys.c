#include "core/explain/verify/keys.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/data/text/corpus.h"
#include "core/explain/places/places.h"
#include "core/explain/verify/distance.h"

#define STEEPEST 1.2       /* slope of an activation: GELU's is 1.13 */
#define CERTAIN 0.95       /* of tanh c: beyond, h says too little of c */
#define SLACK 4            /* roundings by which h may be more than its gate lets through */
#define SINGLE 0x1p-22     /* share of itself by which float32 may have a sum wrong */
#define LEAST_F16 0x1p-25  /* half of the smallest number of float16 */
#define LEAST_F32 0x1p-126 /* the smallest number of float32 that is whole */
#define SIGMAS 6           /* more than so many is no chance */

/* A cell whose h may be wrong by more than this, as its gate was nearly shut, says nothing. */
#define BLIND 0.02

struct job {
    const struct kl_history *history;
    struct kl_reading reading;
    float *keys, *above, *computed; /* (most_per_step, inputs, next inputs or outputs) of a layer */
    float *lengths;                 /* (outputs) of the weights' rows */
    struct kl_network *then;        /* a snapshot */
    struct kl_keys_check found;
    char is_known[KL_LAYERS_MAX]; /* whether keys said something of its weights */
};

/* What is read of one step by one layer, with its rounding: a share of itself, and at least. */
struct seen {
    const struct kl_network *network;
    uint32_t step, layer, n, inputs, outputs;
    uint64_t first; /* pattern */
    double share, least;
};

static double share_of(const struct kl_block_source *keys)
{
    return keys->dtype == KL_F16 ? 0x1p-11 : SINGLE;
}

static double least_of(const struct kl_block_source *keys)
{
    return keys->dtype == KL_F16 ? LEAST_F16 : LEAST_F32;
}

/* Reads the keys of a layer, and computes its sums. */
static enum kl_status see(struct job *job, const struct kl_network *network, uint32_t step,
                          uint32_t layer, struct seen *seen, struct kl_error *err)
{
    const struct kl_history *history = job->history;
    const struct kl_shape *shape = &network->shape;
    const struct kl_block_source *source = history->keys[layer];

    *seen = (struct seen){.network = network,
                          .step = step,
                          .layer = layer,
                          .n = kl_history_count(history, step),
                          .inputs = shape->inputs[layer],
                          .outputs = shape->outputs[layer],
                          .first = kl_history_start(history, step),
                          .share = share_of(source),
                          .least = least_of(source)};
    if (kl_read_keys(history, source, layer, 0, seen->first, seen->n, job->keys, err))
        return err->status;
    for (uint32_t i = 0; i < seen->n; i++)
        memcpy(job->computed + (size_t)i * seen->outputs, network->biases[layer],
               seen->outputs * sizeof(float));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)seen->n, (int)seen->outputs,
                (int)seen->inputs, 1, job->keys, (int)seen->inputs, network->weights[layer],
                (int)seen->inputs, 1, job->computed, (int)seen->outputs);
    for (uint32_t j = 0; j < seen->outputs; j++)
        job->lengths[j] =
            (float)kl_length(network->weights[layer] + (size_t)j * seen->inputs, seen->inputs);
    return KL_OK;
}

static void find(struct job *job, const struct seen *seen, const struct kl_misfit *misfit)
{
    double excess = kl_misfit_excess(misfit);

    if (misfit->n == 0)
        return;
    if (job->found.step == 0 || excess > job->found.excess)
        job->found = (struct kl_keys_check){seen->step, seen->layer + 1, excess, 0};
}

/* By how much a key of that length may be wrong. */
static double wrong_by(const struct seen *seen, const float *key)
{
    return seen->share * kl_length(key, seen->inputs) + seen->least * sqrt(seen->inputs);
}

/* The keys of the layer above, of a perceptron. */
static enum kl_status check_above(struct job *job, const struct seen *seen, struct kl_error *err)
{
    const struct kl_history *history = job->history;
    uint32_t layer = seen->layer, outputs = seen->outputs;
    const struct kl_block_source *source = history->keys[layer + 1];
    struct kl_misfit misfit = {0};

    if (kl_read_keys(history, source, layer + 1, 0, seen->first, seen->n, job->above, err))
        return err->status;
    kl_activate(seen->network->shape.activation, job->computed, (size_t)seen->n * outputs,
                job->computed);
    for (uint32_t i = 0; i < seen->n; i++) {
        double by = wrong_by(seen, job->keys + (size_t)i * seen->inputs);

        for (uint32_t j = 0; j < outputs; j++) {
            double x = job->above[(size_t)i * outputs + j];

            kl_misfit_add(&misfit, job->computed[(size_t)i * outputs + j], x,
                          STEEPEST * (double)job->lengths[j] * by + share_of(source) * fabs(x) +
                              least_of(source));
        }
    }
    find(job, seen, &misfit);
    job->is_known[layer] |= misfit.n > 0;
    return KL_OK;
}

/* The tokens that were read, as the first layer saw them. */
static void check_embedding(struct job *job, const struct seen *seen)
{
    const struct kl_collection *data = job->history->data;
    const struct kl_corpus *corpus = data->datasets[0]->corpus;
    uint32_t width = seen->network->shape.embedding;
    struct kl_misfit misfit = {0};

    for (uint32_t i = 0; i < seen->n; i++) {
        struct kl_sample_place place =
            kl_collection_place(data, job->history->samples[seen->first + i]);
        const float *embedded =
            seen->network->embedding + (size_t)corpus->tokens[place.split][place.index] * width;

        for (uint32_t j = 0; j < width; j++)
            kl_misfit_add(&misfit, embedded[j], job->keys[(size_t)i * seen->inputs + j],
                          seen->share * fabs((double)embedded[j]) + seen->least);
    }
    find(job, seen, &misfit);
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

/* One cell: its four sums z and the lengths of their weights, both outputs / 4 apart, and by how
 * much its key may be wrong; what it passed on at the token before, and what its output gate let
 * through of it then, which may be wrong by a share of out_by; and what it passed on now. */
struct cell {
    const float *z, *lengths;
    double key_by, before, out_before, out_by, now;
};

/* Backwards from h_{t-1} to c_{t-1}, and on to h_t, each with how wrong it may be. */
static void add_cell(const struct seen *seen, const struct cell *cell, struct kl_misfit *misfit)
{
    uint32_t cells = seen->outputs / 4;
    double in = sigmoid((double)cell->z[0]), forget = sigmoid((double)cell->z[cells]);
    double candidate = tanh((double)cell->z[2 * (size_t)cells]);
    double out = sigmoid((double)cell->z[3 * (size_t)cells]);
    double ratio = cell->before / cell->out_before, then, now, tanh_now, by;

    if (!isfinite(in + forget + candidate + out)) {
        kl_misfit_add(misfit, NAN, cell->now, 0);
        return;
    }
    if (fabs(ratio) > CERTAIN || cell->out_before <= 0) {
        double most = cell->out_before * (1 + SLACK * (seen->share + cell->out_by)) + seen->least;

        kl_misfit_add(misfit, fmin(fabs(cell->before), most), fabs(cell->before), 0);
        return;
    }
    then = atanh(ratio);
    now = forget * then + in * candidate;
    tanh_now = tanh(now);
    by = forget *
         (fabs(ratio) * (seen->share + cell->out_by) + seen->least / cell->out_before + SINGLE) /
         (1 - ratio * ratio);
    by += cell->key_by *
          (fabs(then) * forget * (1 - forget) * (double)cell->lengths[cells] +
           fabs(candidate) * in * (1 - in) * (double)cell->lengths[0] +
           in * (1 - candidate * candidate) * (double)cell->lengths[2 * (size_t)cells]);
    by = out * (1 - tanh_now * tanh_now) * by +
         fabs(tanh_now) * out * (1 - out) * cell->key_by * (double)cell->lengths[3 * (size_t)cells];
    by += seen->share * fabs(cell->now) + out * SINGLE + seen->least;
    if (by < BLIND)
        kl_misfit_add(misfit, out * tanh_now, cell->now, by);
}

/* What the layer above read of what an LSTM layer passes on. */
static enum kl_status check_passed(struct job *job, const struct seen *seen, struct kl_error *err)
{
    const struct kl_shape *shape = &seen->network->shape;
    const struct kl_block_source *source = job->history->keys[seen->layer + 1];
    uint32_t streams = job->reading.streams, cells = seen->outputs / 4;
    size_t behind = seen->inputs - cells, width = shape->inputs[seen->layer + 1];
    double dropout = seen->layer + 2 == shape->n_layers ? job->reading.dropout : 0;
    double n = 0, n_dropped = 0;
    struct kl_misfit misfit = {0};

    if (kl_read_keys(job->history, source, seen->layer + 1, 0, seen->first, seen->n, job->above,
                     err))
        return err->status;
    for (size_t i = 0; i + streams < seen->n; i++)
        for (uint32_t j = 0; j < cells; j++) {
            double h = job->keys[(i + streams) * seen->inputs + behind + j];
            double read = job->above[i * width + j];
            int is_dropped = dropout > 0 && read == 0 && h != 0;

            n++;
            n_dropped += is_dropped;
            if (!is_dropped)
                kl_misfit_add(&misfit, h / (1 - dropout), read,
                              dropout > 0 ? 2 * (seen->share * fabs(read) + seen->least) : 0);
        }
    if (n_dropped > dropout * n + SIGMAS * sqrt(n * dropout * (1 - dropout)))
        kl_misfit_add(&misfit, NAN, 0, 0);
    find(job, seen, &misfit);
    return KL_OK;
}

/* What an LSTM layer passes on: h_{t-1} stands in the key of t, behind what it reads. */
static void check_state(struct job *job, const struct seen *seen)
{
    uint32_t streams = job->reading.streams, cells = seen->outputs / 4,
             behind = seen->inputs - cells;
    uint32_t n_tokens = seen->n / streams;
    struct kl_misfit misfit = {0};

    for (uint32_t t = 1; t + 1 < n_tokens; t++)
        for (uint32_t s = 0; s < streams; s++) {
            size_t row = (size_t)t * streams + s;
            const float *key = job->keys + row * seen->inputs,
                        *z = job->computed + row * seen->outputs;
            const float *key_before = key - (size_t)streams * seen->inputs;
            double by = wrong_by(seen, key);
            double by_before = wrong_by(seen, key_before);

            for (uint32_t j = 0; j < cells; j++) {
                const float *out_before =
                    z - (size_t)streams * seen->outputs + 3 * (size_t)cells + j;
                struct cell cell = {z + j,
                                    job->lengths + j,
                                    by,
                                    key[behind + j],
                                    sigmoid((double)*out_before),
                                    by_before * (double)job->lengths[3 * (size_t)cells + j],
                                    key[(size_t)streams * seen->inputs + behind + j]};

                add_cell(seen, &cell, &misfit);
            }
        }
    find(job, seen, &misfit);
    job->is_known[seen->layer] |= misfit.n > 0;
}

static enum kl_status check_step(struct job *job, const struct kl_network *network, uint32_t step,
                                 struct kl_error *err)
{
    enum kl_status status = KL_OK;
    struct seen seen;

    for (uint32_t l = 0; !status && l + 1 < network->shape.n_layers; l++) {
        status = see(job, network, step, l, &seen, err);
        if (!status && !network->embedding)
            status = check_above(job, &seen, err);
        if (status || !network->embedding)
            continue;
        if (l == 0)
            check_embedding(job, &seen);
        check_state(job, &seen);
        status = check_passed(job, &seen, err);
    }
    return status;
}

/* As one pool task: GEMM has its own threads. */
static enum kl_status check_steps(void *argument, unsigned worker, unsigned task,
                                  struct kl_error *err)
{
    struct job *job = argument;
    const struct kl_snapshots *snapshots = &job->history->snapshots;
    enum kl_status status = check_step(job, job->history->initial, 1, err);

    (void)worker;
    (void)task;
    for (uint32_t i = 0; !status && i < snapshots->n; i++) {
        status = snapshots->read(snapshots->self, 0, i, job->then, err);
        if (!status)
            status = check_step(job, job->then, snapshots->steps[i] + 1, err);
    }
    return status;
}

enum kl_status kl_keys_check(struct kl_pool *pool, const struct kl_history *history,
                             struct kl_reading reading, struct kl_keys_check *check,
                             struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    struct job job = {.history = history, .reading = reading};
    size_t inputs = 0, outputs = 0, n = history->most_per_step;
    const char *what = "checking keys";
    enum kl_status status;

    *check = (struct kl_keys_check){0};
    if (shape->n_layers < 2)
        return KL_OK;
    for (uint32_t l = 0; l < shape->n_layers; l++) {
        inputs = shape->inputs[l] > inputs ? shape->inputs[l] : inputs;
        if (l + 1 < shape->n_layers && shape->outputs[l] > outputs)
            outputs = shape->outputs[l];
    }
    status = kl_alloc(&job.keys, n * inputs, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&job.above, n * inputs, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&job.computed, n * outputs, sizeof(float), what, err);
    if (!status)
        status = kl_alloc(&job.lengths, outputs, sizeof(float), what, err);
    if (!status)
        status = kl_network_create(shape, &job.then, err);
    if (!status)
        status = kl_pool_run(pool, check_steps, &job, 1, err);
    if (!status)
        *check = job.found;
    for (uint32_t l = shape->n_layers - 1; !status && l-- > 0;)
        if (!job.is_known[l])
            check->unknown = l + 1;
    kl_network_free(job.then);
    free(job.keys);
    free(job.above);
    free(job.computed);
    free(job.lengths);
    return status;
}
