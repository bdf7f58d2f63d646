#include "core/explain/many/sample_map.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/many/batch_rows.h"
#include "core/explain/places/places.h"

#define ROWS 256       /* keys at a time */
#define ROWS_MAX 8192  /* samples that the covariance is made of, at most */
#define WIDTH_MAX 2048 /* up to which that is factored; of wider keys the samples' products */

/* LAPACK's eigenvectors of some eigenvalues: column-major. */
extern void dsyevr_(const char *jobz, const char *range, const char *uplo, const int *n, double *a,
                    const int *lda, const double *vl, const double *vu, const int *il,
                    const int *iu, const double *abstol, int *m, double *w, double *z,
                    const int *ldz, int *isuppz, double *work, const int *lwork, int *iwork,
                    const int *liwork, int *info);

int kl_sample_map_applies(const struct kl_history *history)
{
    const struct kl_shape *shape = &history->final->shape;

    return !kl_history_is_text(history) && kl_shape_places(shape, shape->n_layers - 1) == 1;
}

/* Who takes the keys of the samples, some at a time: n of them, (n, width). */
typedef void (*take_keys)(void *self, const uint32_t *samples, const float *keys, uint32_t n);

struct walk {
    const struct kl_history *history;
    const struct kl_batch_rows *rows; /* of a network that cannot be run here */
    uint32_t layer, width;
    take_keys take;
    void *self;
};

/* Those that the network reads here. */
static enum kl_status walk_run(const struct walk *walk, struct kl_error *err)
{
    const struct kl_history *history = walk->history;
    const struct kl_network *network = history->final;
    uint32_t n_samples = kl_collection_size(history->data), ids[ROWS];
    struct kl_activations *activations = NULL;
    enum kl_status status = kl_activations_create(&network->shape, ROWS, &activations, err);

    for (uint32_t first = 0; !status && first < n_samples; first += ROWS) {
        uint32_t n = n_samples - first < ROWS ? n_samples - first : ROWS;

        for (uint32_t i = 0; i < n; i++) {
            ids[i] = first + i;
            kl_dataset_standardise(
                history->data->datasets[kl_collection_place(history->data, first + i).dataset],
                kl_collection_pixels(history->data, first + i),
                activations->keys[0] + (size_t)i * network->shape.inputs[0]);
        }
        network->shape.model->forward(network, n, activations);
        walk->take(walk->self, ids, activations->keys[walk->layer], n);
    }
    kl_activations_free(activations);
    return status;
}

/* The last pattern of each training sample. */
static enum kl_status walk_patterns(const struct walk *walk, unsigned worker, struct kl_error *err)
{
    const struct kl_history *history = walk->history;
    uint32_t ids[ROWS];
    float *keys = NULL;
    enum kl_status status = kl_alloc(&keys, (size_t)ROWS * walk->width, sizeof *keys, "keys", err);

    for (uint64_t first = 0; !status && first < history->n_patterns; first += ROWS) {
        uint32_t n =
            history->n_patterns - first < ROWS ? (uint32_t)(history->n_patterns - first) : ROWS;
        uint32_t taken = 0;

        status = kl_read_keys(history, history->keys[walk->layer], walk->layer, worker, first, n,
                              keys, err);
        for (uint32_t i = 0; !status && i < n; i++) {
            uint32_t sample = history->samples[first + i];

            if (!walk->rows->is_last_here[sample] || walk->rows->last[sample] != first + i)
                continue;
            if (taken != i)
                memcpy(keys + (size_t)taken * walk->width, keys + (size_t)i * walk->width,
                       walk->width * sizeof *keys);
            ids[taken++] = sample;
        }
        if (!status && taken)
            walk->take(walk->self, ids, keys, taken);
    }
    free(keys);
    return status;
}

/* The samples whose keys were recorded by themselves. */
static enum kl_status walk_queries(const struct walk *walk, struct kl_error *err)
{
    const struct kl_queries *queries = walk->history->queries;
    struct kl_activations *activations = NULL;
    uint32_t *samples = NULL, n = 0;
    enum kl_status status = queries->list(queries->self, &samples, &n, err);

    if (!status)
        status = kl_activations_create(&walk->history->final->shape, 1, &activations, err);
    for (uint32_t i = 0; !status && i < n; i++) {
        if (samples[i] >= kl_collection_size(walk->history->data))
            continue; /* asked by a program, none of the run's */
        status = queries->read(queries->self, samples[i], activations, err);
        if (!status)
            walk->take(walk->self, &samples[i], activations->keys[walk->layer], 1);
    }
    free(samples);
    kl_activations_free(activations);
    return status;
}

/* Runs as the pool's only task, so that it may read as a worker. */
static enum kl_status walk_all(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct walk *walk = argument;
    enum kl_status status;

    (void)task;
    if (!walk->history->queries)
        return walk_run(walk, err);
    status = walk_patterns(walk, worker, err);
    return status || kl_peers_own(walk->history->peers) > 0 ? status : walk_queries(walk, err);
}

/* Keys of some samples, one of stride, by their ids alone: the same in whatever order they come. */
struct chosen {
    uint32_t width, stride, n, most;
    double *keys; /* (most, width) */
};

/* Scattered by Fibonacci hashing, so that ids that rise by steps are no worse than others. */
static int is_chosen(uint32_t sample, uint32_t stride)
{
    return (uint64_t)(uint32_t)(sample * 2654435769u) * stride >> 32 == 0;
}

static void choose(void *self, const uint32_t *samples, const float *keys, uint32_t n)
{
    struct chosen *chosen = self;

    for (uint32_t i = 0; i < n; i++)
        if (is_chosen(samples[i], chosen->stride) && chosen->n < chosen->most) {
            for (uint32_t j = 0; j < chosen->width; j++)
                chosen->keys[(size_t)chosen->n * chosen->width + j] =
                    (double)keys[(size_t)i * chosen->width + j];
            chosen->n++;
        }
}

/* Takes the mean (width) off the chosen keys. */
static void centre(struct chosen *chosen, double *mean)
{
    for (uint32_t i = 0; i < chosen->n; i++)
        cblas_daxpy((int)chosen->width, 1.0 / chosen->n, chosen->keys + (size_t)i * chosen->width,
                    1, mean, 1);
    for (uint32_t i = 0; i < chosen->n; i++)
        cblas_daxpy((int)chosen->width, -1, mean, 1, chosen->keys + (size_t)i * chosen->width, 1);
}

/* The two largest eigenvalues of a symmetric (n, n), n at least 2, and their eigenvectors: (2, n)
 * rising. */
static enum kl_status largest_two(double *matrix, int n, double values[2], double *vectors,
                                  struct kl_error *err)
{
    int first = n - 1, found = 0, support[4], n_work = 26 * n, n_whole = 10 * n, info = 0,
        *whole = NULL;
    double none = 0, tolerance = 0, *work = NULL, *all = NULL;
    enum kl_status status = kl_alloc(&work, (size_t)n_work, sizeof *work, "axes", err);

    if (!status)
        status = kl_alloc(&whole, (size_t)n_whole, sizeof *whole, "axes", err);
    if (!status)
        status = kl_alloc(&all, (size_t)n, sizeof *all, "axes", err);
    if (!status)
        dsyevr_("V", "I", "L", &n, matrix, &n, &none, &none, &first, &n, &tolerance, &found, all,
                vectors, &n, support, work, &n_work, whole, &n_whole, &info);
    if (!status && (info || found != 2))
        status = kl_fail(err, KL_ERR_DAMAGED, "the keys of the last layer have no axes");
    for (int i = 0; !status && i < 2; i++)
        values[i] = all[i];
    free(work);
    free(whole);
    free(all);
    return status;
}

/* The axes (2, width), the one of most variance first, and how much of it. Without any variance
 * they are 0. */
static enum kl_status find_axes(const struct chosen *chosen, double *axes, double share[2],
                                struct kl_error *err)
{
    int is_wide = chosen->width > WIDTH_MAX, width = (int)chosen->width;
    int size = is_wide ? (int)chosen->n : width;
    double *products = NULL, *vectors = NULL, values[2] = {0, 0}, trace = 0;
    enum kl_status status;

    if (size < 2 || chosen->n < 2)
        return KL_OK;
    status = kl_alloc(&products, (size_t)size * (size_t)size, sizeof *products, "axes", err);
    if (!status)
        status = kl_alloc(&vectors, 2 * (size_t)size, sizeof *vectors, "axes", err);
    if (!status) {
        /* The upper triangle of rows is the lower one of columns. */
        cblas_dsyrk(CblasRowMajor, CblasUpper, is_wide ? CblasNoTrans : CblasTrans, size,
                    is_wide ? width : (int)chosen->n, 1, chosen->keys, width, 0, products, size);
        for (int i = 0; i < size; i++)
            trace += products[(size_t)i * (size_t)size + (size_t)i];
    }
    if (!status && trace > 0)
        status = largest_two(products, size, values, vectors, err);
    for (int a = 0; !status && trace > 0 && a < 2; a++) {
        const double *vector = vectors + (size_t)(1 - a) * (size_t)size;
        double *axis = axes + (size_t)a * chosen->width;
        double value = values[1 - a] > 0 ? values[1 - a] : 0;

        share[a] = value / trace;
        if (!is_wide)
            memcpy(axis, vector, chosen->width * sizeof *axis);
        else if (value > 0) /* K^T u / |K^T u| */
            cblas_dgemv(CblasRowMajor, CblasTrans, size, width, 1 / sqrt(value), chosen->keys,
                        width, vector, 1, 0, axis, 1);
        if (axis[cblas_idamax(width, axis, 1)] < 0)
            cblas_dscal(width, -1, axis, 1);
    }
    free(products);
    free(vectors);
    return status;
}

struct projection {
    uint32_t width;
    const double *axes, *mean; /* (2, width), (width) */
    struct kl_sample_map *map;
};

static void project(void *self, const uint32_t *samples, const float *keys, uint32_t n)
{
    const struct projection *projection = self;

    for (uint32_t i = 0; i < n; i++) {
        const float *key = keys + (size_t)i * projection->width;
        double sums[2] = {0, 0};

        for (uint32_t j = 0; j < projection->width; j++)
            for (uint32_t a = 0; a < 2; a++)
                sums[a] += ((double)key[j] - projection->mean[j]) *
                           projection->axes[(size_t)a * projection->width + j];
        projection->map->x[samples[i]] = (float)sums[0];
        projection->map->y[samples[i]] = (float)sums[1];
    }
}

/* Walks over all keys, once: each is taken by take. */
static enum kl_status each(struct kl_pool *pool, const struct kl_history *history,
                           const struct kl_batch_rows *rows, take_keys take, void *self,
                           struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    uint32_t layer = shape->n_layers - 1;
    struct walk walk = {history, rows, layer, shape->inputs[layer], take, self};

    return kl_pool_run(pool, walk_all, &walk, 1, err);
}

/* The keys that all processes chose, if each has some of its own. */
static enum kl_status gather(struct kl_peers *peers, struct chosen *chosen, struct kl_error *err)
{
    size_t n_bytes = chosen->width * sizeof *chosen->keys, n = 0;
    double *all = NULL;
    enum kl_status status =
        kl_peers_gather_lists(peers, chosen->keys, chosen->n, n_bytes, &all, &n, err);

    if (status)
        return status;
    free(chosen->keys);
    chosen->keys = all;
    chosen->n = (uint32_t)n;
    return KL_OK;
}

/* Every sample's place from who has it; nobody has: NaN. */
static enum kl_status share(struct kl_peers *peers, struct kl_sample_map *map, struct kl_error *err)
{
    double *sums = NULL; /* (n, 3): x, y, how many have it */
    enum kl_status status = kl_alloc(&sums, 3 * (size_t)map->n, sizeof *sums, "a map", err);

    for (size_t i = 0; !status && i < map->n; i++)
        if (!isnan(map->x[i])) {
            sums[3 * i] = (double)map->x[i];
            sums[3 * i + 1] = (double)map->y[i];
            sums[3 * i + 2] = 1;
        }
    if (!status)
        status = kl_peers_sum(peers, sums, 3 * (size_t)map->n, err);
    for (size_t i = 0; !status && i < map->n; i++)
        if (sums[3 * i + 2] > 0) {
            map->x[i] = (float)(sums[3 * i] / sums[3 * i + 2]);
            map->y[i] = (float)(sums[3 * i + 1] / sums[3 * i + 2]);
        }
    free(sums);
    return status;
}

static enum kl_status make(struct kl_pool *pool, const struct kl_history *history,
                           struct chosen *chosen, double *axes, double *mean,
                           struct kl_sample_map *map, struct kl_error *err)
{
    struct projection projection = {chosen->width, axes, mean, map};
    struct kl_batch_rows *rows = NULL;
    int is_shared = history->queries && kl_peers_n(history->peers) > 1;
    enum kl_status status = history->queries ? kl_batch_rows_create(history, &rows, err) : KL_OK;

    if (!status)
        status = each(pool, history, rows, choose, chosen, err);
    if (!status && is_shared)
        status = gather(history->peers, chosen, err);
    if (!status) {
        centre(chosen, mean);
        status = find_axes(chosen, axes, map->share, err);
    }
    if (!status)
        status = each(pool, history, rows, project, &projection, err);
    if (!status && is_shared)
        status = share(history->peers, map, err);
    kl_batch_rows_free(rows);
    return status;
}

enum kl_status kl_sample_map(struct kl_pool *pool, const struct kl_history *history,
                             struct kl_sample_map *map, struct kl_error *err)
{
    const struct kl_shape *shape = &history->final->shape;
    uint32_t width = shape->inputs[shape->n_layers - 1], n = kl_collection_size(history->data);
    struct chosen chosen = {width, 1 + n / ROWS_MAX, 0, ROWS_MAX, NULL};
    double *axes = NULL, *mean = NULL;
    enum kl_status status;

    *map = (struct kl_sample_map){.n = n};
    if (width > WIDTH_MAX)
        chosen.stride = 1 + n / (chosen.most = WIDTH_MAX);
    status = kl_alloc(&map->x, n, sizeof *map->x, "a map", err);
    if (!status)
        status = kl_alloc(&map->y, n, sizeof *map->y, "a map", err);
    if (!status)
        status = kl_alloc(&axes, 2 * (size_t)width, sizeof *axes, "axes", err);
    if (!status)
        status = kl_alloc(&mean, width, sizeof *mean, "axes", err);
    if (!status)
        status =
            kl_alloc(&chosen.keys, (size_t)chosen.most * width, sizeof *chosen.keys, "keys", err);
    for (uint32_t i = 0; !status && i < n; i++)
        map->x[i] = map->y[i] = NAN;
    if (!status)
        status = make(pool, history, &chosen, axes, mean, map, err);
    free(axes);
    free(mean);
    free(chosen.keys);
    return status;
}

void kl_sample_map_clear(struct kl_sample_map *map)
{
    free(map->x);
    free(map->y);
    *map = (struct kl_sample_map){0};
}
