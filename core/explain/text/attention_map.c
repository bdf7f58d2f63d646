#include "core/explain/text/attention_map.h"

#include <cblas.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/top.h"

#define ROWS 512 /* keys a matrix product */

/* A position's best pattern. */
struct place {
    double score;
    uint64_t pattern;
    uint32_t sample;
};

/* What one task found: of the passage's every token. */
struct part {
    double *sums, *squares; /* (n) of the attention */
    struct place *places;   /* (n, capacity) the best positions, each by its best pattern */
    uint32_t *n_places;     /* (n) */
};

struct job {
    const struct kl_history *history;
    const struct kl_attention_map_query *query;
    const float *x; /* (n, width) the layer's inputs for the tokens */
    uint32_t n_tasks;
    struct part total;
    pthread_mutex_t lock; /* of total */
};

static enum kl_status make_part(struct part *part, uint32_t n, uint32_t capacity,
                                struct kl_error *err)
{
    enum kl_status status = kl_alloc(&part->sums, n, sizeof(double), "the attention map", err);

    if (!status)
        status = kl_alloc(&part->squares, n, sizeof(double), "the attention map", err);
    if (!status)
        status = kl_alloc(&part->places, (size_t)n * capacity, sizeof *part->places,
                          "the attention map", err);
    return status ? status
                  : kl_alloc(&part->n_places, n, sizeof(uint32_t), "the attention map", err);
}

static void free_part(struct part *part)
{
    free(part->places);
    free(part->n_places);
    free(part->sums);
    free(part->squares);
}

static double score_of(const struct kl_rank *rank, float attention)
{
    rank->row(&attention, 1, 0);
    return (double)attention;
}

/* Whether one place is better: by score, of equal ones the earlier pattern. */
static int is_better(const struct place *a, const struct place *b)
{
    return a->score > b->score || (a->score == b->score && a->pattern < b->pattern);
}

/* Takes a place into a list of at most capacity, best first, in which every position stands once.
 */
static void offer(struct place *places, uint32_t *n, uint32_t capacity, struct place place)
{
    uint32_t at = 0, end;

    while (at < *n && places[at].sample != place.sample)
        at++;
    if (at < *n && !is_better(&place, &places[at]))
        return;
    if (at == capacity && !is_better(&place, &places[capacity - 1]))
        return;
    if (at == *n && *n < capacity)
        ++*n;
    end = at < *n ? at : *n - 1; /* the place of the position before, or the last */
    while (end > 0 && is_better(&place, &places[end - 1])) {
        places[end] = places[end - 1];
        end--;
    }
    places[end] = place;
}

/* One row of attention: one key, all tokens. */
static void take_row(const struct job *job, uint64_t pattern, const float *row, struct part *part)
{
    uint32_t capacity = job->query->n_best;

    for (uint32_t q = 0; q < job->query->n; q++) {
        struct place *places = part->places + (size_t)q * capacity;
        struct place place = {score_of(job->query->rank, row[q]), pattern,
                              job->history->samples[pattern]};

        part->sums[q] += place.score;
        part->squares[q] += place.score * place.score;
        if (part->n_places[q] < capacity || is_better(&place, &places[capacity - 1]))
            offer(places, &part->n_places[q], capacity, place);
    }
}

static void merge(struct job *job, const struct part *part)
{
    uint32_t capacity = job->query->n_best;

    pthread_mutex_lock(&job->lock);
    for (uint32_t q = 0; q < job->query->n; q++) {
        size_t first = (size_t)q * capacity;

        job->total.sums[q] += part->sums[q];
        job->total.squares[q] += part->squares[q];
        for (uint32_t i = 0; i < part->n_places[q]; i++)
            offer(job->total.places + first, &job->total.n_places[q], capacity,
                  part->places[first + i]);
    }
    pthread_mutex_unlock(&job->lock);
}

/* A position of a token's list, as another process tells it. */
struct told_place {
    struct place place;
    uint64_t token;
};

/* What all processes found; patterns by their numbers from here on. */
static enum kl_status merge_processes(struct job *job, struct kl_error *err)
{
    uint32_t n = job->query->n, capacity = job->query->n_best;
    struct kl_peers *peers = job->history->peers;
    struct told_place *own = NULL, *all = NULL;
    size_t n_own = 0, n_all = 0;
    enum kl_status status =
        kl_alloc(&own, (size_t)n * capacity, sizeof *own, "the attention map", err);

    for (uint32_t q = 0; !status && q < n; q++) {
        for (uint32_t i = 0; i < job->total.n_places[q]; i++) {
            struct place place = job->total.places[(size_t)q * capacity + i];

            place.pattern = kl_history_number(job->history, place.pattern);
            own[n_own++] = (struct told_place){place, q};
        }
        job->total.n_places[q] = 0;
    }
    if (!status)
        status = kl_peers_gather_lists(peers, own, n_own, sizeof *own, &all, &n_all, err);
    for (size_t i = 0; !status && i < n_all; i++)
        offer(job->total.places + all[i].token * capacity, &job->total.n_places[all[i].token],
              capacity, all[i].place);
    free(own);
    free(all);
    if (!status)
        status = kl_peers_sum(peers, job->total.sums, n, err);
    return status ? status : kl_peers_sum(peers, job->total.squares, n, err);
}

static enum kl_status scan_part(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    struct job *job = argument;
    const struct kl_block_source *keys = job->history->keys[job->query->layer - 1];
    uint32_t n = job->query->n, width = keys->width;
    uint32_t first = (uint32_t)((uint64_t)keys->n_blocks * task / job->n_tasks);
    uint32_t end = (uint32_t)((uint64_t)keys->n_blocks * (task + 1) / job->n_tasks);
    struct part part = {0};
    float *rows = NULL, *attention = NULL;
    enum kl_status status = make_part(&part, n, job->query->n_best, err);

    if (status)
        goto out;
    status = kl_alloc(&rows, (size_t)ROWS * width, sizeof(float), "keys", err);
    if (status)
        goto out;
    status = kl_alloc(&attention, (size_t)ROWS * n, sizeof(float), "the attention", err);
    if (status)
        goto out;
    for (uint32_t b = first; !status && b < end; b++) {
        struct kl_block block = {0};

        status = kl_read_block(keys, worker, b, &block, err);
        for (uint32_t at = 0; !status && at < block.count; at += ROWS) {
            uint32_t now = block.count - at < ROWS ? block.count - at : ROWS;

            kl_block_rows(keys, &block, at, now, rows);
            cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)now, (int)n, (int)width, 1,
                        rows, (int)width, job->x, (int)width, 0, attention, (int)n);
            for (uint32_t i = 0; i < now; i++)
                take_row(job, block.first + at + i, attention + (size_t)i * n, &part);
        }
    }
    if (status)
        goto out;
    merge(job, &part);
out:
    free_part(&part);
    free(rows);
    free(attention);
    return status;
}

/* The layer's inputs for the tokens asked about: *x (n, width) is the caller's. */
static enum kl_status read_tokens(const struct kl_history *history,
                                  const struct kl_attention_map_query *query, float **x,
                                  struct kl_error *err)
{
    const struct kl_model *model = history->final->shape.model;
    uint32_t layer = query->layer - 1, all = query->n_before + query->n;
    size_t width = history->final->shape.inputs[layer];
    void *reader = NULL;
    enum kl_status status;

    if (!model->reader_create)
        return kl_fail_on(err, KL_ERR_USAGE, "text",
                          "this network was recorded: only the framework that trained it can run "
                          "it, so that there is attention to one token at a time alone");
    status = model->reader_create(history->final, all, &reader, err);
    if (status)
        return status;
    status = kl_alloc(x, query->n * width, sizeof(float), "the tokens' keys", err);
    if (!status) {
        model->reader_read(reader, query->tokens, all);
        memcpy(*x, model->reader_keys(reader, layer) + query->n_before * width,
               query->n * width * sizeof(float));
    }
    model->reader_free(reader);
    return status;
}

static void list_best(const struct job *job, struct kl_attention_map *map)
{
    for (uint32_t q = 0; q < map->n; q++) {
        const struct place *places = job->total.places + (size_t)q * map->n_best;
        double sign = score_of(job->query->rank, 1);

        map->n_found[q] = job->total.n_places[q];
        for (uint32_t i = 0; i < map->n_found[q]; i++)
            map->best[(size_t)q * map->n_best + i] = (struct kl_attention_map_best){
                places[i].sample, places[i].pattern, (float)(sign * places[i].score)};
    }
}

/* The positions that stand out most, over all tokens. */
static enum kl_status choose_columns(const struct job *job, struct kl_attention_map *map,
                                     struct kl_error *err)
{
    struct kl_top top = {NULL, 0, map->n * map->n_best};
    enum kl_status status =
        kl_alloc(&top.items, top.capacity, sizeof *top.items, "the attention map", err);

    for (uint32_t q = 0; !status && q < map->n; q++) {
        for (uint32_t i = 0; i < map->n_found[q]; i++) {
            size_t at = (size_t)q * map->n_best + i;
            double score = score_of(job->query->rank, map->best[at].attention);

            if (map->deviation[q] > 0)
                kl_top_offer(&top, (score - map->mean[q]) / map->deviation[q], at);
        }
    }
    if (!status)
        kl_top_sort(&top);
    for (uint32_t i = 0; i < top.n && map->n_columns < job->query->n_columns; i++) {
        const struct kl_attention_map_best *best = &map->best[top.items[i].index];
        uint32_t seen = 0;

        while (seen < map->n_columns && map->columns[seen].sample != best->sample)
            seen++;
        if (seen == map->n_columns)
            map->columns[map->n_columns++] = *best;
    }
    free(top.items);
    return status;
}

struct fill {
    const struct job *job;
    struct kl_attention_map *map;
};

/* Every token's attention to every column. Runs as the pool's only task, so that it may read. */
static enum kl_status fill_columns(void *argument, unsigned worker, unsigned task,
                                   struct kl_error *err)
{
    const struct fill *fill = argument;
    struct kl_attention_map *map = fill->map;
    const struct kl_block_source *keys = fill->job->history->keys[fill->job->query->layer - 1];
    float *row = NULL;
    uint64_t t;
    enum kl_status status = kl_alloc(&row, keys->width, sizeof(float), "a key", err);

    (void)task;
    for (uint32_t c = 0; !status && c < map->n_columns; c++) {
        if (!kl_history_find(fill->job->history, map->columns[c].pattern, &t))
            continue; /* another process has it */
        status = kl_read_rows(keys, worker, t, 1, row, err);
        for (uint32_t q = 0; !status && q < map->n; q++)
            map->attention[(size_t)q * map->n_columns + c] =
                cblas_sdot((int)keys->width, row, 1, fill->job->x + (size_t)q * keys->width, 1);
    }
    free(row);
    return status;
}

static enum kl_status allocate(const struct kl_attention_map_query *query,
                               struct kl_attention_map *map, struct kl_error *err)
{
    size_t n = query->n;
    enum kl_status status = kl_alloc(&map->mean, n, sizeof(double), "the attention map", err);

    map->n = query->n;
    map->n_best = query->n_best;
    if (!status)
        status = kl_alloc(&map->deviation, n, sizeof(double), "the attention map", err);
    if (!status)
        status = kl_alloc(&map->n_found, n, sizeof(uint32_t), "the attention map", err);
    if (!status)
        status =
            kl_alloc(&map->best, n * query->n_best, sizeof *map->best, "the attention map", err);
    if (!status)
        status = kl_alloc(&map->columns, query->n_columns, sizeof *map->columns,
                          "the attention map", err);
    return status ? status
                  : kl_alloc(&map->attention, n * query->n_columns, sizeof(float),
                             "the attention map", err);
}

static enum kl_status check(const struct kl_history *history,
                            const struct kl_attention_map_query *query, struct kl_error *err)
{
    uint32_t n_layers = history->final->shape.n_layers;

    if (query->layer < 1 || query->layer > n_layers)
        return kl_fail(err, KL_ERR_USAGE, "layer is 1 to %u in this run", n_layers);
    if (query->n < 1 || query->n > KL_MAP_TOKENS_MAX)
        return kl_fail(err, KL_ERR_USAGE, "a map map has 1 to %d tokens", KL_MAP_TOKENS_MAX);
    if (!query->rank->row || query->rank->needs_lengths)
        return kl_fail(err, KL_ERR_USAGE, "a map map is by abs, positive or negative attention");
    if (query->n_best < 1 || query->n_best > KL_MAP_BEST_MAX)
        return kl_fail(err, KL_ERR_USAGE, "a token has 1 to %d best positions", KL_MAP_BEST_MAX);
    return KL_OK;
}

enum kl_status kl_attention_map_find(struct kl_pool *pool, const struct kl_history *history,
                                     const struct kl_attention_map_query *query,
                                     struct kl_attention_map *out, struct kl_error *err)
{
    struct job job = {.history = history, .query = query};
    struct kl_attention_map map = {0};
    struct fill fill = {&job, &map};
    float *x = NULL;
    double n = (double)history->n_all;
    enum kl_status status = check(history, query, err);

    if (status)
        return status;
    job.n_tasks = 4 * kl_pool_n_workers(pool);
    pthread_mutex_init(&job.lock, NULL);
    status = read_tokens(history, query, &x, err);
    if (status)
        goto out;
    job.x = x;
    status = allocate(query, &map, err);
    if (status)
        goto out;
    status = make_part(&job.total, query->n, query->n_best, err);
    if (status)
        goto out;
    status = kl_pool_run(pool, scan_part, &job, job.n_tasks, err);
    if (status)
        goto out;
    status = merge_processes(&job, err);
    if (status)
        goto out;
    for (uint32_t q = 0; q < query->n; q++) {
        double mean = job.total.sums[q] / n, variance = job.total.squares[q] / n - mean * mean;

        map.mean[q] = mean;
        map.deviation[q] = variance > 0 ? sqrt(variance) : 0;
    }
    list_best(&job, &map);
    status = choose_columns(&job, &map, err);
    if (status)
        goto out;
    status = kl_pool_run(pool, fill_columns, &fill, 1, err);
    if (!status)
        status =
            kl_peers_sum_floats(history->peers, map.attention, (size_t)map.n * map.n_columns, err);
out:
    free_part(&job.total);
    pthread_mutex_destroy(&job.lock);
    free(x);
    if (status)
        kl_attention_map_clear(&map);
    else
        *out = map;
    return status;
}

void kl_attention_map_clear(struct kl_attention_map *map)
{
    free(map->mean);
    free(map->deviation);
    free(map->n_found);
    free(map->best);
    free(map->columns);
    free(map->attention);
    memset(map, 0, sizeof *map);
}
