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
    struct kl_suspect *samples; /* (samples of the run) by id */
    uint32_t *repetitions;      /* (samples of the run) */
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
            double scale = history->patterns_per_step, squares = 0, p;

            kl_block_to_float(&block, (size_t)i * errors->width, errors->width, row);
            for (uint32_t j = 0; j < errors->width; j++)
                squares += scale * row[j] * (scale * row[j]);
            p = 1 + scale * row[kl_collection_target(history->data, sample)];
            work->repetitions[sample]++;
            work->samples[sample].own += squares;
            work->samples[sample].loss -= log(fmin(1, fmax(p, SMALLEST_PROBABILITY)));
        }
    }
    return status;
}

struct neighbour_job {
    const struct work *work;
    struct kl_batch_rows *rows;
    const float *norms;
    const uint32_t *ids;
    uint32_t n, n_tasks, n_done, first_task;
    kl_suspects_progress progress;
    void *self;
    pthread_mutex_t lock;
};

static enum kl_status find_neighbours(void *argument, unsigned worker, unsigned task,
                                      struct kl_error *err)
{
    struct neighbour_job *job = argument;
    const struct kl_history *history = job->work->history;
    struct kl_batch_query query = {0, kl_rank_find("cosine"), KL_UNIT_DISTINCT, KL_NEIGHBOURS + 1,
                                   0};
    uint32_t first = (job->first_task + task) * KL_SLICE, left = job->n - first;
    struct kl_slice *slice = NULL;
    enum kl_status status = kl_slice_create(history, job->rows, job->ids + first,
                                            left < KL_SLICE ? left : KL_SLICE, worker, &slice, err);

    if (!status)
        status = kl_slice_begin(slice, &query, job->norms, err);
    if (!status)
        status = kl_slice_scan(slice, worker, 0, history->keys[0]->n_blocks, err);
    if (!status)
        status = kl_slice_finish(slice, err);
    for (uint32_t q = 0; !status && q < slice->n; q++) {
        uint32_t id = slice->ids[q], n = 0, different = 0;

        for (uint32_t i = 0; i < slice->n_best[q] && n < KL_NEIGHBOURS; i++) {
            uint32_t other = slice->best[(size_t)q * query.top + i];

            if (other == id)
                continue;
            n++;
            different += history->classes[other] != history->classes[id];
        }
        job->work->samples[id].others = n ? (double)different / n : 0;
    }
    kl_slice_free(slice);
    pthread_mutex_lock(&job->lock);
    job->n_done++;
    if (!status && job->progress)
        job->progress(job->self, job->n_done, job->n_tasks);
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
        for (uint32_t i = 0; i < suspects->n; i++) {
            const struct kl_suspect *one = &suspects->samples[i];

            list[i].score = which == 0 ? one->score : which == 1 ? one->own : one->loss;
            list[i].flipped = kl_collection_true_label(history->data, one->sample) !=
                              kl_collection_label(history->data, one->sample);
        }
        *areas[which] = area(list, suspects->n);
    }
    free(list);
    return status;
}

/* The samples that were trained on, by falling own in deviations: *out (*n). */
static enum kl_status list_trained(const struct work *work, struct kl_suspect **out, uint32_t *n,
                                   struct kl_error *err)
{
    uint32_t n_samples = kl_collection_size(work->history->data);
    double sum = 0, squares = 0, deviation;
    struct kl_suspect *list = NULL;
    enum kl_status status = kl_alloc(&list, n_samples, sizeof *list, "the suspects", err);

    *n = 0;
    for (uint32_t i = 0; !status && i < n_samples; i++) {
        if (!work->repetitions[i])
            continue;
        list[*n] = work->samples[i];
        list[*n].sample = i;
        sum += list[*n].own;
        squares += list[*n].own * list[*n].own;
        ++*n;
    }
    if (status)
        return status;
    deviation = sqrt(fmax(0, squares / *n - sum / *n * (sum / *n)));
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
    status = kl_batch_rows_create(work->history, &job.rows, err);
    if (status)
        goto out;
    status = kl_norms_of(work->pool, work->history, 0, &job.norms, err);
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
    kl_batch_rows_free(job.rows);
    free(ids);
    return status;
}

enum kl_status kl_suspects(struct kl_pool *pool, const struct kl_history *history,
                           uint32_t candidates, kl_suspects_progress progress, void *self,
                           struct kl_suspects *out, struct kl_error *err)
{
    struct work work = {.pool = pool, .history = history};
    struct kl_suspects suspects = {0};
    uint32_t n_samples = kl_collection_size(history->data), n_asked;
    enum kl_status status =
        kl_alloc(&work.samples, n_samples, sizeof *work.samples, "the suspects", err);

    if (status)
        goto out;
    status = kl_alloc(&work.repetitions, n_samples, sizeof(uint32_t), "the suspects", err);
    if (status)
        goto out;
    status = kl_pool_run(pool, sum_errors, &work, 1, err);
    if (status)
        goto out;
    status = list_trained(&work, &suspects.samples, &suspects.n, err);
    if (status)
        goto out;
    n_asked = candidates && candidates < suspects.n ? candidates : suspects.n;
    status = ask_neighbours(&work, suspects.samples, n_asked, progress, self, err);
    if (status)
        goto out;
    for (uint32_t i = 0; i < suspects.n; i++) {
        struct kl_suspect *one = &suspects.samples[i];

        one->others = i < n_asked ? work.samples[one->sample].others : NAN;
        one->score = one->own + (i < n_asked ? OTHERS_WEIGHT * one->others : 0);
    }
    qsort(suspects.samples, suspects.n, sizeof *suspects.samples, by_score);
    status = measure(history, &suspects, err);
out:
    free(work.samples);
    free(work.repetitions);
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
