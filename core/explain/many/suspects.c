#include "core/explain/many/suspects.h"

#include <math.h>
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
    struct kl_activations *activations = NULL;
    enum kl_status status;

    for (uint32_t id = task * KL_SLICE; id < n_samples && id < (task + 1) * KL_SLICE; id++)
        if (is_held_out(history, id))
            ids[n++] = id;
    if (n == 0)
        return KL_OK;
    status = kl_activations_create(&history->final->shape, n, &activations, err);
    if (!status)
        status = kl_batch_rows_read(work->rows, ids, n, worker, activations, err);
    for (uint32_t q = 0; !status && q < n; q++) {
        struct kl_suspect *one = &work->samples[ids[q]];
        uint32_t target = kl_collection_target(history->data, ids[q]);

        kl_softmax(activations->keys[history->final->shape.n_layers] + q * n_outputs, n_outputs,
                   probabilities);
        for (uint32_t j = 0; j < n_outputs; j++) {
            double off = (double)probabilities[j] - (j == target);

            one->own += work->repetitions * off * off;
        }
        one->loss -=
            work->repetitions * log(fmax((double)probabilities[target], SMALLEST_PROBABILITY));
    }
    kl_activations_free(activations);
    return status;
}

struct neighbour_job {
    const struct work *work;
    struct kl_batch_query query;
    const float *norms;
    struct kl_slice **slices; /* (workers) of the round */
    float *others; /* (workers, KL_SLICE, width) keys of the first neighbours with another label */
    int64_t *nearest; /* (workers, KL_SLICE) which these are; negative: there is none */
};

static uint32_t width_of(const struct neighbour_job *job)
{
    return job->work->history->final->shape.inputs[job->query.layer];
}

/* Whether two keys are of nearly the same image. */
static int are_near(const float *x, const float *other, uint32_t width)
{
    double product = 0, mine = 0, its = 0;

    for (uint32_t j = 0; j < width; j++) {
        product += (double)x[j] * (double)other[j];
        mine += (double)x[j] * (double)x[j];
        its += (double)other[j] * (double)other[j];
    }
    return product >= KL_NEAR_DUPLICATE * sqrt(mine * its) && mine * its > 0;
}

/* What the neighbours (n of them, best first) say of one sample; returns the first with another
 * label, or a negative number. */
static int64_t ask(const struct kl_history *history, uint32_t id, const uint32_t *neighbours,
                   uint32_t n, struct kl_suspect *one)
{
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
    return nearest;
}

static enum kl_status find_neighbours(void *argument, unsigned worker, unsigned task,
                                      struct kl_error *err)
{
    const struct neighbour_job *job = argument;
    uint32_t n_blocks = job->work->history->keys[job->query.layer]->n_blocks;
    enum kl_status status = kl_slice_begin(job->slices[task], &job->query, job->norms, err);

    return status ? status : kl_slice_scan(job->slices[task], worker, 0, n_blocks, err);
}

static enum kl_status ask_slice(void *argument, unsigned worker, unsigned task,
                                struct kl_error *err)
{
    const struct neighbour_job *job = argument;
    const struct kl_history *history = job->work->history;
    struct kl_slice *slice = job->slices[task];
    size_t first = (size_t)task * KL_SLICE;
    enum kl_status status = kl_slice_finish(slice, err);

    for (uint32_t q = 0; !status && q < slice->n; q++) {
        int64_t *nearest = &job->nearest[first + q];

        *nearest = ask(history, slice->ids[q], slice->best + (size_t)q * job->query.top,
                       slice->n_best[q], &job->work->samples[slice->ids[q]]);
        if (*nearest >= 0)
            status = kl_batch_rows_key(job->work->rows, job->query.layer, (uint32_t)*nearest,
                                       worker, job->others + (first + q) * width_of(job), err);
    }
    return status;
}

/* Which samples are nearly the same as their first neighbour with another label. */
static void compare(const struct neighbour_job *job, uint32_t number)
{
    const struct kl_slice *slice = job->slices[number];
    uint32_t width = width_of(job);

    for (uint32_t q = 0; q < slice->n; q++) {
        size_t at = (size_t)number * KL_SLICE + q;

        if (job->nearest[at] >= 0 &&
            are_near(slice->activations->keys[job->query.layer] + (size_t)q * width,
                     job->others + at * width, width))
            job->work->samples[slice->ids[q]].duplicate = job->nearest[at];
    }
}

/* Some slices, one a worker. */
static enum kl_status ask_round(struct neighbour_job *job, const uint32_t *ids, uint32_t n,
                                struct kl_error *err)
{
    struct kl_pool *pool = job->work->pool;
    uint32_t n_slices = (n + KL_SLICE - 1) / KL_SLICE;
    size_t n_others = (size_t)n_slices * KL_SLICE * width_of(job);
    enum kl_status status =
        kl_slices_create(pool, job->work->rows, ids, n, KL_SLICE, job->slices, err);

    if (!status)
        status = kl_pool_run(pool, find_neighbours, job, n_slices, err);
    for (uint32_t i = 0; !status && i < n_slices; i++)
        status = kl_slice_share(job->slices[i], err);
    memset(job->others, 0, n_others * sizeof *job->others);
    if (!status)
        status = kl_pool_run(pool, ask_slice, job, n_slices, err);
    if (!status && !kl_batch_rows_has_all(job->work->rows, job->query.layer))
        status = kl_peers_sum_floats(job->work->history->peers, job->others, n_others, err);
    for (uint32_t i = 0; i < n_slices; i++) {
        if (!status)
            compare(job, i);
        kl_slice_free(job->slices[i]);
        job->slices[i] = NULL;
    }
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
    uint32_t layer = kl_shape_first_whole(&work->history->final->shape);
    struct neighbour_job job = {
        .work = work,
        .query = {layer, kl_rank_find("cosine"), KL_UNIT_DISTINCT, KL_NEIGHBOURS + 1, 0}};
    uint32_t *ids = NULL, workers = kl_pool_n_workers(work->pool), round;
    enum kl_status status = kl_peers_smallest(work->history->peers, &workers, err);

    round = workers * KL_SLICE;
    if (!status)
        status = kl_alloc(&ids, n, sizeof *ids, "the suspects", err);

    if (!status)
        status = kl_alloc(&job.slices, workers, sizeof(*job.slices), "the suspects", err);
    if (!status)
        status = kl_alloc(&job.nearest, round, sizeof *job.nearest, "the suspects", err);
    if (!status)
        status = kl_alloc(&job.others, (size_t)round * width_of(&job), sizeof *job.others,
                          "the suspects", err);
    for (uint32_t i = 0; !status && i < n; i++)
        ids[i] = list[i].sample;
    if (!status && !kl_shape_reads_samples(&work->history->final->shape, layer))
        status = kl_norms_of(work->pool, work->history, layer, &job.norms, err);
    for (uint32_t first = 0; !status && first < n; first += round) {
        uint32_t now = n - first < round ? n - first : round;

        status = ask_round(&job, ids + first, now, err);
        if (!status && progress)
            progress(self, first + now, n);
    }
    free(ids);
    free(job.slices);
    free(job.nearest);
    free(job.others);
    return status;
}

/* What other processes' patterns say of the samples is added. */
static enum kl_status share_errors(struct work *work, uint32_t n_samples, struct kl_error *err)
{
    double *sums = NULL;
    enum kl_status status =
        kl_alloc(&sums, 2 * (size_t)n_samples, sizeof *sums, "the suspects", err);

    for (uint32_t i = 0; !status && i < n_samples; i++) {
        sums[2 * (size_t)i] = work->samples[i].own;
        sums[2 * (size_t)i + 1] = work->samples[i].loss;
    }
    if (!status)
        status = kl_peers_sum(work->history->peers, sums, 2 * (size_t)n_samples, err);
    for (uint32_t i = 0; !status && i < n_samples; i++) {
        work->samples[i].own = sums[2 * (size_t)i];
        work->samples[i].loss = sums[2 * (size_t)i + 1];
    }
    free(sums);
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
    work.repetitions = (double)history->n_all / n_trained;
    status = kl_batch_rows_create(history, &work.rows, err);
    if (status)
        goto out;
    status = kl_pool_run(pool, sum_errors, &work, 1, err);
    if (status)
        goto out;
    status = share_errors(&work, n_samples, err);
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
