#include "core/explain/influence/decorrelation.h"

#include <cblas.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/history.h"
#include "core/explain/places/places.h"

#define ROWS 32       /* patterns that are read together */
#define SHOWINGS 1024 /* of a layer with places: patterns of so many at least, where there are */
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

static void clear_layer(struct layer *layer)
{
    free(layer->factor);
    free(layer->keys);
    *layer = (struct layer){0};
}

void kl_decorrelation_free(struct kl_decorrelation *decorrelation)
{
    if (!decorrelation)
        return;
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        clear_layer(&decorrelation->layers[l]);
        pthread_mutex_destroy(&decorrelation->locks[l]);
    }
    free(decorrelation);
}

/* Keys of some patterns of a layer: (n_rows, width), the last column 1 where it has a bias. */
struct sample {
    const struct kl_history *history;
    uint32_t layer, inputs, width;
    uint32_t places, per_showing, n_showings; /* of a showing: all, and those that are taken */
    uint64_t n_rows;                          /* n_showings * per_showing */
    uint32_t n_read;                          /* showings */
    double *keys;
};

/* Of n showings that were read, or that another process reads (rows is NULL), some places each:
 * further rows of the sample. */
static void take(struct sample *sample, const float *rows, uint32_t n)
{
    for (uint32_t i = 0; rows && i < n * sample->per_showing; i++) {
        uint32_t showing = i / sample->per_showing;
        /* Evenly over the places, beginning elsewhere in every showing. */
        uint32_t place =
            (uint32_t)((uint64_t)(i % sample->per_showing) * sample->places / sample->per_showing +
                       sample->n_read + showing) %
            sample->places;
        const float *row = rows + ((size_t)showing * sample->places + place) * sample->inputs;
        double *key =
            sample->keys + ((size_t)sample->n_read * sample->per_showing + i) * sample->width;

        for (uint32_t j = 0; j < sample->inputs; j++)
            key[j] = (double)row[j];
        if (sample->width > sample->inputs)
            key[sample->inputs] = 1;
    }
    sample->n_read += n;
}

/* Showings first .. first + n - 1, as all processes number them, as far as this one has them. */
static enum kl_status read_some(struct sample *sample, unsigned worker, uint64_t first, uint32_t n,
                                float *rows, struct kl_error *err)
{
    const struct kl_history *history = sample->history;
    const struct kl_block_source *keys = history->keys[sample->layer];
    uint32_t together = kl_peers_n(history->peers) == 1 ? n : 1;
    uint64_t t;
    enum kl_status status = KL_OK;

    for (uint32_t i = 0; !status && i < n; i += together) {
        int is_here = kl_history_find(history, first + i, &t);

        if (is_here)
            status = kl_read_keys(history, keys, sample->layer, worker, t, together, rows, err);
        if (!status)
            take(sample, is_here ? rows : NULL, together);
    }
    return status;
}

/* Runs as the pool's only task, so that it may read as a worker. */
static enum kl_status read_keys(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    struct sample *sample = argument;
    const struct kl_history *history = sample->history;
    uint32_t together = sample->places > 1 ? 1 : ROWS;
    float *rows = NULL;
    enum kl_status status = kl_alloc(&rows, (size_t)together * sample->places * sample->inputs,
                                     sizeof *rows, "keys", err);

    (void)task;
    while (!status && sample->n_read < sample->n_showings) {
        uint32_t left = sample->n_showings - sample->n_read;
        uint32_t n = left < together ? left : together;
        /* Evenly over all showings, without going beyond them; both far below 2^32 times 4096. */
        uint64_t first = sample->n_read * history->n_all / sample->n_showings;

        if (first + n > history->n_all)
            first = history->n_all - n;
        status = read_some(sample, worker, first, n, rows, err);
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

/* How many patterns are taken: so many, as far as there are as many. */
static void plan(struct sample *sample, uint64_t wanted)
{
    uint64_t n_showings = sample->history->n_all, per_showing;

    per_showing = (wanted - 1) / (n_showings < SHOWINGS ? n_showings : SHOWINGS) + 1;
    if (sample->places == 1)
        per_showing = 1;
    else if (per_showing > sample->places)
        per_showing = sample->places;
    wanted = (wanted - 1) / per_showing + 1;
    sample->per_showing = (uint32_t)per_showing;
    sample->n_showings = (uint32_t)(n_showings < wanted ? n_showings : wanted);
    sample->n_rows = (uint64_t)sample->n_showings * per_showing;
}

static enum kl_status make_layer(struct kl_pool *pool, const struct kl_history *history, uint32_t l,
                                 struct layer *layer, struct kl_error *err)
{
    uint32_t inputs = history->final->shape.inputs[l];
    struct sample sample = {.history = history,
                            .layer = l,
                            .inputs = inputs,
                            .width = inputs + (history->layers[l].bias > 0),
                            .places = kl_shape_places(&history->final->shape, l)};
    uint64_t wanted = 2 * (uint64_t)sample.width > ROWS_MIN ? 2 * (uint64_t)sample.width : ROWS_MIN;
    enum kl_status status;

    plan(&sample, sample.width > WIDTH_MAX ? WIDTH_MAX : wanted);
    status = kl_alloc(&sample.keys, sample.n_rows * sample.width, sizeof(double), "keys", err);
    if (!status)
        status = kl_pool_run(pool, read_keys, &sample, 1, err);
    if (!status)
        status = kl_peers_sum(history->peers, sample.keys, sample.n_rows * sample.width, err);
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
                              uint32_t n, float *rows, struct kl_error *err)
{
    struct kl_decorrelation *all = history->decorrelation;
    uint32_t inputs = history->final->shape.inputs[l];
    uint32_t width = inputs + (history->layers[l].bias > 0);
    double *solved = NULL;
    enum kl_status status = kl_alloc(&solved, width, sizeof *solved, "a query", err);

    if (status)
        return status;
    pthread_mutex_lock(&all->locks[l]);
    if (all->layers[l].size == 0) {
        status = make_layer(pool, history, l, &all->layers[l], err);
        if (!status)
            status = kl_peers_meet(history->peers, err);
        if (status)
            clear_layer(&all->layers[l]);
    }
    pthread_mutex_unlock(&all->locks[l]);
    for (uint32_t r = 0; !status && r < n; r++, rows += inputs + 1) {
        for (uint32_t i = 0; i < width; i++)
            solved[i] = (double)rows[i];
        status = solve(&all->layers[l], width, solved, err);
        rows[inputs] = 0;
        for (uint32_t i = 0; !status && i < width; i++)
            rows[i] = (float)solved[i];
    }
    free(solved);
    return status;
}
