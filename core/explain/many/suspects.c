#include "core/explain/many/suspects.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/norms.h"
#include "core/explain/ranks.h"
#include "core/explain/many/batch_query.h"

#define OTHERS_WEIGHT 4
#define SMALLEST_PROBABILITY 1e-4 /* error signals in float16 do not tell smaller ones apart */

struct work {
    struct kl_pool *pool;
    const struct kl_history *history;
    struct kl_batch_rows *rows;
    struct kl_suspect *samples; /* (samples of the run) by id */
    double repetitions;         /* mean, of those that were trained on */
};

/* own (not yet in deviations) and loss, from the error signals of the last layer: B d_t = p - y
 * tells how wrong the answer was at that showing, and its entry at the label the label's
 * probability. Runs as the pool's only task. */
static enum kl_status sum_errors(void *argument, unsigned worker, unsigned task,
                                 struct kl_error *err)
{
    struct work *work = argument;
    const struct kl_history *history = work->history;
    const struct kl_block_source *errors = history->errors[history->final->shape.n_layers - 1];
    float row[KL_CLASSES_MAX];
    enum kl_status status = KL_OK;

    (void)task;
    for (uint32_t b = 0; !status && b < errors->n_blocks; b++) {
        struct kl_block block = {0};

        status = kl_read_block(errors, worker, b, &block, err);
        for (uint32_t i = 0; !status && i < block.count; i++) {
            uint32_t sample = history->samples[block.first + i];
            double scale = kl_history_count(history, kl_history_step(history, block.first + i));
            double squares = 0, p;

            kl_block_to_float(&block, (size_t)i * errors->width, errors->width, row);
            for (uint32_t j = 0; j < errors->width; j++)
                squares += scale * row[j] * (scale * row[j]);
            p = 1 + scale * row[kl_collection_target(history->data, sample)];
            work->samples[sample].own += squares;
            work->samples[sample].loss -= log(fmin(1, fmax(p, SMALLEST_PROBABILITY)));
        }
    }
    return status;
}

static int is_held_out(const struct kl_history *history, uint32_t sample)
{
    return kl_collection_place(history->data, sample).split != KL_SPLIT_TRAIN;
}

/* own (not yet in deviations) and loss of the held-out samples among a slice of ids, from the
 * network's answer. Runs as a pool's task. */
static enum kl_status judge_held_out(void *argument, unsigned worker, unsigned task,
                                     struct kl_error *err)
{
    struct work *work = argument;
    const struct kl_history *history = work->history;
    uint32_t n_samples = kl_collection_size(history->data), ids[KL_SLICE], n = 0;
    uint32_t n_outputs = kl_shape_n_outputs(&history->final->shape);
    float probabilities[KL_CLASSES_MAX];
    struct kl_slice *slice = NULL;
    enum kl_status status;

    for (uint32_t id = task * KL_SLICE; id < n_samples && id < (task + 1) * KL_SLICE; id++)
        if (is_held_out(history, id))
            ids[n++] = id;
    if (n == 0)
        return KL_OK;
    status = kl_slice_create(history, work->rows, ids, n, worker, &slice, err);
    for (uint32_t q = 0; !status && q < n; q++) {
        struct kl_suspect *one = &work->samples[ids[q]];
        uint32_t target = kl_collection_target(history->data, ids[q]);

        kl_softmax(slice->activations->keys[history->final->shape.n_layers] + q * n_outputs,
                   n_outputs, probabilities);
        for (uint32_t j = 0; j < n_outputs; j++) {
            double off = (double)probabilities[j] - (j == target);

            one->own += work->repetitions * off * off;
        }
        one->loss -=
            work->repetitions * log(fmax((double)probabilities[target], SMALLEST_PROBABILITY));
    }
    kl_slice_free(slice);
    return status;
}

struct neighbour_job {
    const struct work *work;
    const float *norms;
    const uint32_t *ids;
    uint32_t n, n_tasks, n_done, first_task;
    kl_suspects_progress progress;
    void *self;
    pthread_mutex_t lock;
};

/* Of the first neighbour with another label: whether it is nearly the same image. */
static enum kl_status compare(const struct work *work, unsigned worker, const float *x,
                              uint32_t other, struct kl_suspect *one, struct kl_error *err)
{
    uint32_t layer = kl_shape_first_whole(&work->history->final->shape);
    uint32_t width = work->history->final->shape.inputs[layer];
    double product = 0, mine = 0, its = 0;
    float *row = NULL;
    enum kl_status status = kl_alloc(&row, width, sizeof *row, "an image", err);

    if (!status)
        status = kl_batch_rows_key(work->rows, layer, other, worker, row, err);
    if (!status) {
        for (uint32_t j = 0; j < width; j++) {
            product += (double)x[j] * (double)row[j];
            mine += (double)x[j] * (double)x[j];
            its += (double)row[j] * (double)row[j];
        }
        if (product >= KL_NEAR_DUPLICATE * sqrt(mine * its) && mine * its > 0)
            one->duplicate = other;
    }
    free(row);
    return status;
}

/* What the neighbours (n of them, best first) say of one sample. */
static enum kl_status ask(const struct work *work, unsigned worker, const float *x, uint32_t id,
                          const uint32_t *neighbours, uint32_t n, struct kl_suspect *one,
                          struct kl_error *err)
{
    const struct kl_history *history = work->history;
    uint32_t dataset = kl_collection_place(history->data, id).dataset, asked = 0, different = 0;
    uint32_t votes[KL_CLASSES_MAX] = {0}, label = kl_collection_label(history->data, id);
    int64_t nearest = -1;

    for (uint32_t i = 0; i < n && asked < KL_NEIGHBOURS; i++) {
        uint32_t other = neighbours[i];

        if (other == id)
            continue;
        asked++;
        if (kl_collection_place(history->data, other).dataset == dataset)
            votes[kl_collection_label(history->data, other)]++;
        if (history->classes[other] == history->classes[id])
            continue;
        different++;
        nearest = nearest < 0 ? other : nearest;
    }
    one->duplicate = -1;
    one->others = asked ? (double)different / asked : 0;
    one->suggested = label;
    for (uint32_t c = 0; c < KL_CLASSES_MAX; c++)
        if (votes[c] > votes[one->suggested])
            one->suggested = c;
    one->suggested_share = asked ? (double)votes[one->suggested] / asked : 0;
    if (one->suggested == label)
        one->suggested = KL_NO_LABEL;
    return nearest < 0 ? KL_OK : compare(work, worker, x, (uint32_t)nearest, one, err);
}

static enum kl_status find_neighbours(void *argument, unsigned worker, unsigned task,
                                      struct kl_error *err)
{
    struct neighbour_job *job = argument;
    const struct kl_history *history = job->work->history;
    uint32_t layer = kl_shape_first_whole(&history->final->shape);
    struct kl_batch_query query = {layer, kl_rank_find("cosine"), KL_UNIT_DISTINCT,
                                   KL_NEIGHBOURS + 1, 0};
    uint32_t first = (job->first_task + task) * KL_SLICE, left = job->n - first;
    struct kl_slice *slice = NULL;
    enum kl_status status = kl_slice_create(history, job->work->rows, job->ids + first,
                                            left < KL_SLICE ? left : KL_SLICE, worker, &slice, err);

    if (!status)
        status = kl_slice_begin(slice, &query, job->norms, err);
    if (!status)
        status = kl_slice_scan(slice, worker, 0, history->keys[layer]->n_blocks, err);
    if (!status)
        status = kl_slice_finish(slice, err);
    for (uint32_t q = 0; !status && q < slice->n; q++)
        status =
            ask(job->work, worker,
                slice->activations->keys[layer] + (size_t)q * history->final->shape.inputs[layer],
                slice->ids[q], slice->best + (size_t)q * query.top, slice->n_best[q],
                &job->work->samples[slice->ids[q]], err);
    kl_slice_free(slice);
    pthread_mutex_lock(&job->lock);
    job->n_done++;
    if (!status && job->progress)
        job->progress(job->self, job->n_done == job->n_tasks ? job->n : job->n_done * KL_SLICE,
                      job->n);
    pthread_mutex_unlock(&job->lock);
    return status;
}

static int by_own(const void *a, const void *b)
{
    double x = ((const struct kl_suspect *)a)->own, y = ((const struct kl_suspect *)b)->own;

    return x != y
               ? (x < y ? 1 : -1)
               : (((const struct kl_suspect *)a)->sample > ((const struct kl_suspect *)b)->sample) -
                     (((const struct kl_suspect *)a)->sample <
                      ((const struct kl_suspect *)b)->sample);
}

static int by_score(const void *a, const void *b)
{
    double x = ((const struct kl_suspect *)a)->score, y = ((const struct kl_suspect *)b)->score;

    return x != y ? (x < y ? 1 : -1) : by_own(a, b);
}

/* Area under the ROC curve of a score for the flipped labels: the chance that a flipped one scores
 * above one that is not, ties half (Mann-Whitney). */
struct scored {
    double score;
    int flipped;
};

static int by_rising(const void *a, const void *b)
{
    double x = ((const struct scored *)a)->score, y = ((const struct scored *)b)->score;

    return (x > y) - (x < y);
}

static double area(struct scored *list, uint32_t n)
{
    double n_flipped = 0, n_below = 0, wins = 0;

    qsort(list, n, sizeof *list, by_rising);
    for (uint32_t i = 0, end; i < n; i = end) {
        double flipped = 0, honest = 0;

        for (end = i; end < n && list[end].score == list[i].score; end++)
            *(list[end].flipped ? &flipped : &honest) += 1;
        wins += flipped * (n_below + honest / 2);
        n_below += honest;
        n_flipped += flipped;
    }
    return n_flipped > 0 && n_below > 0 ? wins / (n_flipped * n_below) : NAN;
}

static enum kl_status measure(const struct kl_history *history, struct kl_suspects *suspects,
                              struct kl_error *err)
{
    double *const areas[] = {&suspects->auc, &suspects->auc_own, &suspects->auc_loss};
    struct scored *list = NULL;
    enum kl_status status = kl_alloc(&list, suspects->n, sizeof *list, "the scores", err);

    for (int which = 0; !status && which < 3; which++) {
        uint32_t n = 0;

        for (uint32_t i = 0; i < suspects->n; i++) {
            const struct kl_suspect *one = &suspects->samples[i];

            if (is_held_out(history, one->sample)) /* no label of these was flipped */
                continue;
            list[n].score = which == 0 ? one->score : which == 1 ? one->own : one->loss;
            list[n++].flipped = kl_collection_true_label(history->data, one->sample) !=
                                kl_collection_label(history->data, one->sample);
        }
        *areas[which] = area(list, n);
    }
    free(list);
    return status;
}

/* The samples that were trained on and those held out, by falling own, in deviations of the former:
 * *out (*n). */
static enum kl_status list_samples(const struct work *work, struct kl_suspect **out, uint32_t *n,
                                   struct kl_error *err)
{
    uint32_t n_samples = kl_collection_size(work->history->data), n_trained = 0;
    double sum = 0, squares = 0, deviation;
    struct kl_suspect *list = NULL;
    enum kl_status status = kl_alloc(&list, n_samples, sizeof *list, "the suspects", err);

    *n = 0;
    for (uint32_t i = 0; !status && i < n_samples; i++) {
        struct kl_suspect one = work->samples[i];
        int is_trained = work->history->repetitions[i] > 0;

        if (!is_trained && !is_held_out(work->history, i))
            continue;
        one.sample = i;
        one.suggested = KL_NO_LABEL;
        one.duplicate = -1;
        list[(*n)++] = one;
        if (!is_trained)
            continue;
        n_trained++;
        sum += one.own;
        squares += one.own * one.own;
    }
    if (status)
        return status;
    deviation = sqrt(fmax(0, squares / n_trained - sum / n_trained * (sum / n_trained)));
    for (uint32_t i = 0; i < *n; i++)
        list[i].own = deviation > 0 ? list[i].own / deviation : 0;
    qsort(list, *n, sizeof *list, by_own);
    *out = list;
    return KL_OK;
}

static enum kl_status ask_neighbours(struct work *work, const struct kl_suspect *list, uint32_t n,
                                     kl_suspects_progress progress, void *self,
                                     struct kl_error *err)
{
    struct neighbour_job job = {.work = work,
                                .n = n,
                                .n_tasks = (n + KL_SLICE - 1) / KL_SLICE,
                                .progress = progress,
                                .self = self};
    uint32_t *ids = NULL, round = kl_pool_n_workers(work->pool);
    enum kl_status status = kl_alloc(&ids, n, sizeof *ids, "the suspects", err);

    if (status)
        goto out;
    for (uint32_t i = 0; i < n; i++)
        ids[i] = list[i].sample;
    job.ids = ids;
    status = kl_norms_of(work->pool, work->history,
                         kl_shape_first_whole(&work->history->final->shape), &job.norms, err);
    if (status)
        goto out;
    pthread_mutex_init(&job.lock, NULL);
    /* A job per round of slices: between them other jobs of the pool get their turn. */
    for (; !status && job.first_task < job.n_tasks; job.first_task += round) {
        uint32_t left = job.n_tasks - job.first_task;

        status = kl_pool_run(work->pool, find_neighbours, &job, left < round ? left : round, err);
    }
    pthread_mutex_destroy(&job.lock);
out:
    free(ids);
    return status;
}

enum kl_status kl_suspects(struct kl_pool *pool, const struct kl_history *history,
                           uint32_t candidates, kl_suspects_progress progress, void *self,
                           struct kl_suspects *out, struct kl_error *err)
{
    struct work work = {.pool = pool, .history = history};
    struct kl_suspects suspects = {0};
    uint32_t n_samples = kl_collection_size(history->data), n_trained = 0, n_asked;
    enum kl_status status =
        kl_alloc(&work.samples, n_samples, sizeof *work.samples, "the suspects", err);

    if (!status && !history->has_dual)
        status = kl_fail(err, KL_ERR_USAGE,
                         "suspects are found by the last layer's error signals, and %s: %s",
                         kl_history_why_not(history), kl_history_what_helps(history));
    if (status)
        goto out;
    for (uint32_t i = 0; i < n_samples; i++)
        n_trained += history->repetitions[i] > 0;
    work.repetitions = (double)history->n_patterns / n_trained;
    status = kl_batch_rows_create(history, &work.rows, err);
    if (status)
        goto out;
    status = kl_pool_run(pool, sum_errors, &work, 1, err);
    if (status)
        goto out;
    status = kl_pool_run(pool, judge_held_out, &work, (n_samples + KL_SLICE - 1) / KL_SLICE, err);
    if (status)
        goto out;
    status = list_samples(&work, &suspects.samples, &suspects.n, err);
    if (status)
        goto out;
    n_asked = candidates && candidates < suspects.n ? candidates : suspects.n;
    status = ask_neighbours(&work, suspects.samples, n_asked, progress, self, err);
    if (status)
        goto out;
    for (uint32_t i = 0; i < suspects.n; i++) {
        struct kl_suspect *one = &suspects.samples[i];

        const struct kl_suspect *asked = &work.samples[one->sample];

        one->others = i < n_asked ? asked->others : NAN;
        one->score = one->own + (i < n_asked ? OTHERS_WEIGHT * one->others : 0);
        if (i >= n_asked)
            continue;
        one->suggested = asked->suggested;
        one->suggested_share = asked->suggested_share;
        one->duplicate = asked->duplicate;
    }
    qsort(suspects.samples, suspects.n, sizeof *suspects.samples, by_score);
    status = measure(history, &suspects, err);
out:
    free(work.samples);
    kl_batch_rows_free(work.rows);
    if (status)
        kl_suspects_clear(&suspects);
    else
        *out = suspects;
    return status;
}

void kl_suspects_clear(struct kl_suspects *suspects)
{
    free(suspects->samples);
    memset(suspects, 0, sizeof *suspects);
}
