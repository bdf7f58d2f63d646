#include "core/explain/many/batch_query.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/many/shared_tops.h"
#include "core/peers/merging.h"

#define ROWS                                                                                       \
    512 /* keys a matrix product: as many as fit a second-level cache with their result            \
         */
#define UNUSED (-HUGE_VALF)

struct kl_slice_work {
    const struct kl_batch_rows *rows;
    struct kl_batch_query query;
    const float *norms;
    float *keys;         /* (ROWS, width) */
    float *attention;    /* (ROWS, n) */
    float *sums;         /* (n_classes, n): of one part, then added to the totals */
    float *values;       /* (n_trained, n) by sample; or NULL */
    struct kl_top *tops; /* (n) by pattern, or known by sample; or NULL */
    float *thresholds;   /* (n) below which no pattern is taken */
};

static void end_query(struct kl_slice *slice)
{
    struct kl_slice_work *work = slice->work;

    free(work->keys);
    free(work->attention);
    free(work->sums);
    free(work->values);
    for (uint32_t q = 0; work->tops && q < slice->n; q++)
        free(work->tops[q].items);
    free(work->tops);
    free(work->thresholds);
    free(slice->class_totals);
    free(slice->sample_totals);
    free(slice->n_best);
    free(slice->best);
    *work = (struct kl_slice_work){.rows = work->rows};
    slice->class_totals = slice->sample_totals = NULL;
    slice->n_best = slice->best = NULL;
}

static enum kl_status create_slice(const struct kl_batch_rows *rows, const uint32_t *ids,
                                   uint32_t n, unsigned worker, struct kl_slice **out,
                                   struct kl_error *err)
{
    struct kl_slice *slice = NULL;
    enum kl_status status = kl_alloc(&slice, 1, sizeof *slice, "a slice", err);

    if (status)
        return status;
    slice->n = n;
    slice->ids = ids;
    status = kl_alloc(&slice->work, 1, sizeof *slice->work, "a slice", err);
    if (!status)
        slice->work->rows = rows;
    if (!status)
        status = kl_activations_create(&rows->history->final->shape, n, &slice->activations, err);
    if (!status)
        status = kl_batch_rows_read(rows, ids, n, worker, slice->activations, err);
    if (status)
        kl_slice_free(slice);
    else
        *out = slice;
    return status;
}

struct creation {
    const struct kl_batch_rows *rows;
    const uint32_t *ids;
    uint32_t n, size;
    struct kl_slice **slices;
};

static enum kl_status create_nth(void *argument, unsigned worker, unsigned task,
                                 struct kl_error *err)
{
    const struct creation *creation = argument;
    uint32_t first = task * creation->size, left = creation->n - first;

    return create_slice(creation->rows, creation->ids + first,
                        left < creation->size ? left : creation->size, worker,
                        &creation->slices[task], err);
}

enum kl_status kl_slices_create(struct kl_pool *pool, const struct kl_batch_rows *rows,
                                const uint32_t *ids, uint32_t n, uint32_t size,
                                struct kl_slice **slices, struct kl_error *err)
{
    uint32_t n_slices = (n + size - 1) / size;
    enum kl_status status = kl_pool_run(
        pool, create_nth, &(struct creation){rows, ids, n, size, slices}, n_slices, err);

    for (uint32_t i = 0; !status && i < n_slices; i++)
        status =
            kl_batch_rows_share(rows, slices[i]->ids, slices[i]->n, slices[i]->activations, err);
    return status;
}

void kl_slice_free(struct kl_slice *slice)
{
    if (!slice)
        return;
    if (slice->work)
        end_query(slice);
    free(slice->work);
    kl_activations_free(slice->activations);
    free(slice);
}

static enum kl_status make_tops(struct kl_slice *slice, struct kl_error *err)
{
    struct kl_slice_work *work = slice->work;
    enum kl_status status =
        kl_alloc(&work->tops, slice->n, sizeof *work->tops, "the top lists", err);

    for (uint32_t q = 0; !status && q < slice->n; q++) {
        work->tops[q].capacity = work->query.top;
        status = kl_alloc(&work->tops[q].items, work->query.top, sizeof(struct kl_top_item),
                          "the top lists", err);
    }
    return status;
}

/* Whether a sample's value is a sum over rows, or one row's: of images each has one. */
static int adds_up(const struct kl_slice_work *work)
{
    return work->query.unit == KL_UNIT_SAMPLE &&
           !kl_shape_reads_samples(&work->rows->history->final->shape, work->query.layer);
}

/* The lists that a query fills: by sample, or by pattern. */
static enum kl_status begin_lists(struct kl_slice *slice, struct kl_error *err)
{
    struct kl_slice_work *work = slice->work;
    size_t n_values = (size_t)work->rows->n_trained * slice->n;
    enum kl_status status;

    if (work->query.unit != KL_UNIT_PATTERN) {
        status = kl_alloc(&work->values, n_values, sizeof(float), "the samples' scores", err);
        for (size_t i = 0; !status && !adds_up(work) && i < n_values; i++)
            work->values[i] = UNUSED;
        return status;
    }
    status = make_tops(slice, err);
    if (!status)
        status = kl_alloc(&work->thresholds, slice->n, sizeof(float), "the top lists", err);
    for (uint32_t q = 0; !status && q < slice->n; q++)
        work->thresholds[q] = UNUSED;
    return status;
}

enum kl_status kl_slice_begin(struct kl_slice *slice, const struct kl_batch_query *query,
                              const float *norms, struct kl_error *err)
{
    const struct kl_history *history = slice->work->rows->history;
    struct kl_slice_work *work = slice->work;
    size_t width = kl_shape_key_row(&history->final->shape, query->layer), n = slice->n;
    enum kl_status status;

    end_query(slice);
    work->query = *query;
    work->norms = norms;
    status = kl_alloc(&work->keys, ROWS * width, sizeof(float), "keys", err);
    if (!status)
        status = kl_alloc(&work->attention, ROWS * n, sizeof(float), "the attention", err);
    if (!status && query->has_totals)
        status = kl_alloc(&work->sums, history->n_classes * n, sizeof(float), "totals", err);
    if (!status && query->has_totals)
        status =
            kl_alloc(&slice->class_totals, history->n_classes * n, sizeof(double), "totals", err);
    if (!status && query->has_totals)
        status = kl_alloc(&slice->sample_totals, kl_collection_size(history->data), sizeof(double),
                          "totals", err);
    if (!status)
        status = kl_alloc(&slice->n_best, n, sizeof(uint32_t), "the top lists", err);
    if (!status)
        status = kl_alloc(&slice->best, n * query->top, sizeof(uint32_t), "the top lists", err);
    return status ? status : begin_lists(slice, err);
}

static void total_row(struct kl_slice *slice, uint32_t sample, float weight, const float *row)
{
    const struct kl_history *history = slice->work->rows->history;
    float *sums = slice->work->sums + (size_t)history->classes[sample] * slice->n, all = 0;

    for (uint32_t q = 0; q < slice->n; q++) {
        float size = weight * fabsf(row[q]);

        sums[q] += size;
        all += size;
    }
    slice->sample_totals[sample] += all;
}

static void offer_row(struct kl_slice *slice, uint32_t sample, uint32_t weight, const float *row)
{
    struct kl_slice_work *work = slice->work;
    float *values;

    if (work->query.unit == KL_UNIT_PATTERN) {
        for (uint32_t q = 0; q < slice->n; q++) {
            struct kl_top *top = &work->tops[q];

            if (row[q] <= work->thresholds[q])
                continue;
            for (uint32_t i = 0; i < weight && i < top->capacity; i++)
                kl_top_offer(top, (double)row[q], sample);
            if (top->n == top->capacity)
                work->thresholds[q] = (float)top->items[0].score;
        }
        return;
    }
    values = work->values + (size_t)work->rows->places[sample] * slice->n;
    if (work->query.unit == KL_UNIT_SAMPLE && !adds_up(work))
        for (uint32_t q = 0; q < slice->n; q++)
            values[q] = (float)weight * row[q];
    else if (work->query.unit == KL_UNIT_SAMPLE)
        for (uint32_t q = 0; q < slice->n; q++)
            values[q] += (float)weight * row[q];
    else
        for (uint32_t q = 0; q < slice->n; q++)
            values[q] = fmaxf(values[q], row[q]);
}

/* |key| of a row of images, which norms does not tell by sample. */
static float length_of(const float *key, size_t width)
{
    double squares = 0;

    for (size_t j = 0; j < width; j++)
        squares += (double)key[j] * (double)key[j];
    return sqrtf((float)squares);
}

/* One row of the layer: a sample with its repetitions (layer 0), or a pattern. */
static void take_row(struct kl_slice *slice, uint64_t row_number, const float *key, float *row)
{
    const struct kl_slice_work *work = slice->work;
    const struct kl_history *history = work->rows->history;
    int is_image = kl_shape_reads_samples(&history->final->shape, work->query.layer);
    uint32_t sample = is_image ? (uint32_t)row_number : history->samples[row_number];
    uint32_t weight = is_image ? history->repetitions[sample] : 1;
    float length = 0;

    if (weight == 0)
        return;
    if (work->query.has_totals)
        total_row(slice, sample, (float)weight, row);
    if (work->query.rank->needs_lengths)
        length = is_image ? length_of(key, history->keys[work->query.layer]->width)
                          : work->norms[row_number];
    work->query.rank->row(row, slice->n, length);
    offer_row(slice, sample, weight, row);
}

static void take_product(struct kl_slice *slice, const struct kl_block *block, uint32_t first,
                         uint32_t n_rows)
{
    struct kl_slice_work *work = slice->work;
    const struct kl_history *history = work->rows->history;
    uint32_t layer = work->query.layer;
    size_t width = kl_shape_key_row(&history->final->shape, layer);

    kl_block_to_float(block, first * width, n_rows * width, work->keys);
    for (uint32_t i = 0; kl_shape_reads_samples(&history->final->shape, layer) && i < n_rows; i++) {
        uint32_t sample = (uint32_t)block->first + first + i;

        kl_dataset_standardise_floats(
            history->data->datasets[kl_collection_place(history->data, sample).dataset],
            work->keys + i * width);
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)n_rows, (int)slice->n, (int)width, 1,
                work->keys, (int)width, slice->activations->keys[layer], (int)width, 0,
                work->attention, (int)slice->n);
    for (uint32_t i = 0; i < n_rows; i++)
        take_row(slice, block->first + first + i, work->keys + i * width,
                 work->attention + (size_t)i * slice->n);
}

/* Images, which all processes have, are divided between them. */
static int is_own(const struct kl_peers *peers, uint64_t row)
{
    return row / ROWS % kl_peers_n(peers) == kl_peers_own(peers);
}

enum kl_status kl_slice_scan(struct kl_slice *slice, unsigned worker, uint32_t first, uint32_t end,
                             struct kl_error *err)
{
    const struct kl_history *history = slice->work->rows->history;
    const struct kl_block_source *keys = history->keys[slice->work->query.layer];
    int is_image = kl_shape_reads_samples(&history->final->shape, slice->work->query.layer);
    enum kl_status status = KL_OK;

    for (uint32_t b = first; !status && b < end; b++) {
        struct kl_block block = {0};

        status = kl_read_block(keys, worker, b, &block, err);
        for (uint32_t row = 0; !status && row < block.count; row += ROWS)
            if (!is_image || is_own(history->peers, block.first + row))
                take_product(slice, &block, row,
                             block.count - row < ROWS ? block.count - row : ROWS);
        /* Sums of one block in float32, of all blocks in double. */
        for (size_t i = 0; slice->class_totals && i < (size_t)history->n_classes * slice->n; i++) {
            slice->class_totals[i] += slice->work->sums[i];
            slice->work->sums[i] = 0;
        }
    }
    return status;
}

/* Lists by pattern, or by sample, which from here on are known for all processes. */
static enum kl_status share_lists(struct kl_slice *slice, struct kl_error *err)
{
    struct kl_slice_work *work = slice->work;
    struct kl_peers *peers = work->rows->history->peers;
    const struct kl_shared_values values = {work->values, work->rows->n_trained, slice->n};
    enum kl_status status;

    if (work->tops)
        return kl_peers_merge_tops(peers, work->tops, slice->n, err);
    if (kl_peers_n(peers) == 1)
        return KL_OK;
    status = make_tops(slice, err);
    if (!status)
        status = adds_up(work) ? kl_tops_of_sums(peers, &values, work->tops, err)
                               : kl_tops_of_largest(peers, &values, work->tops, err);
    for (uint32_t q = 0; !status && q < slice->n; q++)
        for (uint32_t i = 0; i < work->tops[q].n; i++)
            work->tops[q].items[i].index = work->rows->trained[work->tops[q].items[i].index];
    return status;
}

enum kl_status kl_slice_share(struct kl_slice *slice, struct kl_error *err)
{
    const struct kl_history *history = slice->work->rows->history;
    enum kl_status status = share_lists(slice, err);

    return status || !slice->work->query.has_totals
               ? status
               : kl_peers_sum(history->peers, slice->class_totals,
                              (size_t)history->n_classes * slice->n, err);
}

/* The best samples of a query from its scores by sample. */
static void list_samples(struct kl_slice *slice, uint32_t q, struct kl_top *top)
{
    const struct kl_slice_work *work = slice->work;

    for (uint32_t place = 0; place < work->rows->n_trained; place++) {
        float value = work->values[(size_t)place * slice->n + q];

        if (top->n < top->capacity || (double)value > top->items[0].score)
            kl_top_offer(top, (double)value, work->rows->trained[place]);
    }
}

enum kl_status kl_slice_finish(struct kl_slice *slice, struct kl_error *err)
{
    struct kl_slice_work *work = slice->work;
    struct kl_top_item *items = NULL;
    enum kl_status status = kl_alloc(&items, work->query.top, sizeof *items, "the top lists", err);

    for (uint32_t q = 0; !status && q < slice->n; q++) {
        struct kl_top own = {items, 0, work->query.top};
        struct kl_top *top = work->tops ? &work->tops[q] : &own;
        uint32_t *best = slice->best + (size_t)q * work->query.top, n = 0;

        if (!work->tops)
            list_samples(slice, q, &own);
        kl_top_sort(top);
        for (uint32_t i = 0; i < top->n; i++) {
            uint32_t sample = (uint32_t)top->items[i].index, seen = 0;

            while (seen < n && best[seen] != sample)
                seen++;
            if (seen == n)
                best[n++] = sample;
        }
        slice->n_best[q] = n;
    }
    free(items);
    return status;
}

/* Of a network that cannot be run here: evenly among what was recorded. */
static enum kl_status choose_recorded(const struct kl_queries *queries, uint32_t limit,
                                      uint32_t **out, uint32_t *n, struct kl_error *err)
{
    uint32_t *all = NULL, n_all = 0;

    if (queries->list(queries->self, &all, &n_all, err))
        return err->status;
    *n = limit < n_all ? limit : n_all;
    for (uint64_t i = 0; i < *n; i++)
        all[i] = all[i * n_all / *n];
    if (n_all > 0) {
        *out = all;
        return KL_OK;
    }
    free(all);
    return kl_fail(err, KL_ERR_NOT_FOUND, "this run has no recorded samples to ask about");
}

enum kl_status kl_batch_query_choose(const struct kl_history *history, uint32_t limit,
                                     uint32_t **out, uint32_t *n, struct kl_error *err)
{
    const struct kl_collection *data = history->data;
    uint32_t *ids = NULL, found = 0;
    uint64_t total = 0, before = 0; /* test samples of all data sets, and of those before */
    enum kl_status status;

    if (history->queries)
        return choose_recorded(history->queries, limit, out, n, err);
    for (uint32_t d = 0; d < data->n_datasets; d++)
        total += data->datasets[d]->splits[KL_SPLIT_TEST].count;
    if (total == 0)
        return kl_fail(err, KL_ERR_NOT_FOUND, "this run has no test samples to ask about");
    limit = limit < total ? limit : (uint32_t)total;
    status = kl_alloc(&ids, limit, sizeof *ids, "the queries", err);
    if (status)
        return status;
    for (uint32_t d = 0; d < data->n_datasets; d++) {
        uint64_t count = data->datasets[d]->splits[KL_SPLIT_TEST].count;
        uint64_t share = limit * (before + count) / total - limit * before / total;
        uint32_t base = kl_collection_id(data, (struct kl_sample_place){d, KL_SPLIT_TEST, 0});

        for (uint64_t i = 0; i < share; i++)
            ids[found++] = base + (uint32_t)(i * count / share);
        before += count;
    }
    *out = ids;
    *n = found;
    return KL_OK;
}
