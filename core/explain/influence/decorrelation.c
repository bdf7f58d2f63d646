#include "core/explain/influence/decorrelation.h"

#include <cblas.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/history.h"

#define ROWS 32       /* patterns that are read together */
#define ROWS_MIN 4096 /* patterns that C is made of, at least, and two for each of its columns */
#define WIDTH_MAX                                                                                  \
    2048 /* up to which C itself is factored; of wider layers the patterns' products */

/* LAPACK's Cholesky factorisation, and its solution: column-major, so "L" is the upper triangle of
 * what is row-major here. */
extern void dpotrf_(const char *uplo, const int *n, double *a, const int *lda, int *info);
extern void dpotrs_(const char *uplo, const int *n, const int *n_right, const double *a,
                    const int *lda, double *b, const int *ldb, int *info);

/* Of one layer: (C + f m I) / m factored; or, of N sampled keys K (N, n) of a wider one,
 * K K^T + N f m I: x^ = (x - K^T (K K^T + N f m I)^-1 K x) / f. */
struct layer {
    int size;       /* of the factor; 0: not made yet */
    double *factor; /* (size, size) */
    double *keys;   /* (size, n), or NULL */
};

struct kl_decorrelation {
    pthread_mutex_t locks[KL_LAYERS_MAX]; /* each held while its layer is factored */
    struct layer layers[KL_LAYERS_MAX];
};

enum kl_status kl_decorrelation_create(struct kl_decorrelation **out, struct kl_error *err)
{
    enum kl_status status = kl_alloc(out, 1, sizeof **out, "the layers' second moments", err);

    for (uint32_t l = 0; !status && l < KL_LAYERS_MAX; l++)
        pthread_mutex_init(&(*out)->locks[l], NULL);
    return status;
}

void kl_decorrelation_free(struct kl_decorrelation *decorrelation)
{
    if (!decorrelation)
        return;
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        free(decorrelation->layers[l].factor);
        free(decorrelation->layers[l].keys);
        pthread_mutex_destroy(&decorrelation->locks[l]);
    }
    free(decorrelation);
}

/* Keys of some patterns of a layer: (n_rows, width), the last column 1 where it has a bias. */
struct sample {
    const struct kl_history *history;
    uint32_t layer, inputs, width;
    uint64_t n_rows;
    double *keys;
};

static enum kl_status read_key(const struct sample *sample, unsigned worker, uint64_t pattern,
                               uint32_t n, float *rows, struct kl_error *err)
{
    const struct kl_history *history = sample->history;
    const struct kl_collection *data = history->data;
    enum kl_status status = KL_OK;

    if (!kl_shape_reads_samples(&history->final->shape, sample->layer))
        return kl_read_rows(history->keys[sample->layer], worker, pattern, n, rows, err);
    for (uint32_t i = 0; !status && i < n; i++, rows += sample->inputs) {
        uint32_t id = history->samples[pattern + i];

        status = kl_read_rows(history->keys[0], worker, id, 1, rows, err);
        if (!status)
            kl_dataset_standardise_floats(data->datasets[kl_collection_place(data, id).dataset],
                                          rows);
    }
    return status;
}

/* Runs as the pool's only task, so that it may read as a worker. */
static enum kl_status read_keys(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    const struct sample *sample = argument;
    uint64_t n_patterns = sample->history->n_patterns, done = 0;
    float *rows = NULL;
    enum kl_status status =
        kl_alloc(&rows, (size_t)ROWS * sample->inputs, sizeof *rows, "keys", err);

    (void)task;
    while (!status && done < sample->n_rows) {
        uint64_t left = sample->n_rows - done;
        uint32_t n = left < ROWS ? (uint32_t)left : ROWS;
        /* Evenly over all patterns, without going beyond them. */
        uint64_t first = done * n_patterns / sample->n_rows; /* both far below 2^32 times 4096 */

        if (first + n > n_patterns)
            first = n_patterns - n;
        status = read_key(sample, worker, first, n, rows, err);
        for (uint32_t i = 0; !status && i < n; i++) {
            double *key = sample->keys + (done + i) * sample->width;

            for (uint32_t j = 0; j < sample->inputs; j++)
                key[j] = (double)rows[(size_t)i * sample->inputs + j];
            if (sample->width > sample->inputs)
                key[sample->inputs] = 1;
        }
        done += n;
    }
    free(rows);
    return status;
}

/* The factor of what keys say: it is left NULL where all of them are 0. */
static enum kl_status factor_keys(const struct sample *sample, struct layer *layer,
                                  struct kl_error *err)
{
    int n = (int)sample->width, n_rows = (int)sample->n_rows, info = 0;
    int is_wide = sample->width > WIDTH_MAX, size = is_wide ? n_rows : n;
    size_t stride = (size_t)size, n_numbers = stride * stride;
    double trace = 0, damping;
    enum kl_status status =
        kl_alloc(&layer->factor, n_numbers, sizeof(double), "a second moment", err);

    if (status)
        return status;
    cblas_dsyrk(CblasRowMajor, CblasUpper, is_wide ? CblasNoTrans : CblasTrans, size,
                is_wide ? n : n_rows, 1, sample->keys, n, 0, layer->factor, size);
    for (size_t i = 0; i < stride; i++)
        trace += layer->factor[i * stride + i];
    damping = KL_DECORRELATION * trace / n; /* N f m */
    for (size_t i = 0; i < stride; i++)
        layer->factor[i * stride + i] += damping;
    for (size_t i = 0; !is_wide && i < n_numbers; i++)
        layer->factor[i] *= trace > 0 ? n / trace : 0;
    dpotrf_("L", &size, layer->factor, &size, &info);
    if (info != 0) { /* no number, or no key that is not 0: then nothing is to be discounted */
        free(layer->factor);
        layer->factor = NULL;
    }
    layer->size = size;
    return KL_OK;
}

static enum kl_status make_layer(struct kl_pool *pool, const struct kl_history *history, uint32_t l,
                                 struct layer *layer, struct kl_error *err)
{
    uint32_t inputs = history->final->shape.inputs[l];
    struct sample sample = {.history = history,
                            .layer = l,
                            .inputs = inputs,
                            .width = inputs + (history->layers[l].bias > 0)};
    uint64_t wanted = 2 * (uint64_t)sample.width > ROWS_MIN ? 2 * (uint64_t)sample.width : ROWS_MIN;
    enum kl_status status;

    if (sample.width > WIDTH_MAX)
        wanted = WIDTH_MAX;
    sample.n_rows = history->n_patterns < wanted ? history->n_patterns : wanted;
    status = kl_alloc(&sample.keys, sample.n_rows * sample.width, sizeof(double), "keys", err);
    if (!status)
        status = kl_pool_run(pool, read_keys, &sample, 1, err);
    if (!status)
        status = factor_keys(&sample, layer, err);
    if (!status && sample.width > WIDTH_MAX)
        layer->keys = sample.keys;
    else
        free(sample.keys);
    return status;
}

/* solved (width) = x^ from x, in place. */
static enum kl_status solve(const struct layer *layer, uint32_t width, double *solved,
                            struct kl_error *err)
{
    int one = 1, n = (int)width, info;
    double *products = NULL;
    enum kl_status status = KL_OK;

    if (!layer->factor)
        return KL_OK;
    if (!layer->keys) {
        dpotrs_("L", &layer->size, &one, layer->factor, &layer->size, solved, &layer->size, &info);
        return KL_OK;
    }
    status = kl_alloc(&products, (size_t)layer->size, sizeof *products, "a query", err);
    if (status)
        return status;
    cblas_dgemv(CblasRowMajor, CblasNoTrans, layer->size, n, 1, layer->keys, n, solved, 1, 0,
                products, 1);
    dpotrs_("L", &layer->size, &one, layer->factor, &layer->size, products, &layer->size, &info);
    cblas_dgemv(CblasRowMajor, CblasTrans, layer->size, n, -1 / KL_DECORRELATION, layer->keys, n,
                products, 1, 1 / KL_DECORRELATION, solved, 1);
    free(products);
    return KL_OK;
}

enum kl_status kl_decorrelate(struct kl_pool *pool, const struct kl_history *history, uint32_t l,
                              const float *x, float *out, float *offset, struct kl_error *err)
{
    struct kl_decorrelation *all = history->decorrelation;
    uint32_t inputs = history->final->shape.inputs[l];
    int has_bias = history->layers[l].bias > 0;
    double *solved = NULL;
    enum kl_status status = kl_alloc(&solved, (size_t)inputs + 1, sizeof *solved, "a query", err);

    if (status)
        return status;
    for (uint32_t i = 0; i < inputs; i++)
        solved[i] = (double)x[i];
    solved[inputs] = 1;
    pthread_mutex_lock(&all->locks[l]);
    if (all->layers[l].size == 0)
        status = make_layer(pool, history, l, &all->layers[l], err);
    pthread_mutex_unlock(&all->locks[l]);
    if (!status)
        status = solve(&all->layers[l], inputs + (uint32_t)has_bias, solved, err);
    for (uint32_t i = 0; !status && i < inputs; i++)
        out[i] = (float)solved[i];
    *offset = has_bias && !status ? (float)solved[inputs] : 0;
    free(solved);
    return status;
}
