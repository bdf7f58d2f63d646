#include "core/explain/quick.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/top.h"
#include "core/scan/keeper.h"
#include "core/scan/scan.h"

#define GROUP KL_QUANTISED_GROUP
#define PART (16 * GROUP)
#define LANES 16 /* scores that are looked at together */
#define WORTH 64 /* not more than one in so many patterns is looked up */

/* Of one worker. */
struct own {
    struct kl_top top;         /* of what patterns score at least */
    char apart[KL_CACHE_LINE]; /* from the next one, in another line of the cache */
};

struct job {
    const struct kl_quantised *keys;
    const struct kl_block_source *kept; /* in memory */
    const struct kl_quantised_query *asking;
    const struct kl_rank *rank;
    float *scores;   /* (n_patterns) */
    float *most;     /* (groups) what the best of each scores at most */
    struct own *own; /* (workers) */
    int is_gone;     /* atomic: the keys are not in memory any more */
};

int kl_quick_applies(const struct kl_history *history, uint32_t layer, const struct kl_rank *rank)
{
    return history->quantised[layer].keys && rank->row && !rank->needs_lengths &&
           kl_peers_n(history->peers) == 1 && kl_keeper_copy(history->quantised[layer].kept);
}

/* The largest of n numbers, at most GROUP. */
static float largest(const float *numbers, uint32_t n)
{
    float lanes[LANES], largest = -INFINITY;
    uint32_t i = LANES;

    for (unsigned k = 0; k < LANES; k++)
        lanes[k] = k < n ? numbers[k] : -INFINITY;
    for (; i + LANES <= n; i += LANES)
        for (unsigned k = 0; k < LANES; k++)
            lanes[k] = numbers[i + k] > lanes[k] ? numbers[i + k] : lanes[k];
    for (unsigned k = 0; k < LANES; k++)
        largest = lanes[k] > largest ? lanes[k] : largest;
    for (; i < n; i++)
        largest = numbers[i] > largest ? numbers[i] : largest;
    return largest;
}

/* Scores some rows, whose groups are from number group on, and takes in what they score at least.
 */
static void score(const struct job *job, const struct kl_block *rows, uint64_t group,
                  struct kl_top *top)
{
    float *scores = job->scores + rows->first;

    kl_quantised_products(job->keys, rows, job->asking, scores);
    job->rank->row(scores, rows->count, 0);
    for (uint32_t first = 0; first < rows->count; first += GROUP, group++) {
        uint32_t n = rows->count - first < GROUP ? rows->count - first : GROUP;
        float bound = kl_quantised_bound(job->keys, job->asking, group);
        float best = largest(scores + first, n);

        job->most[group] = best + bound;
        for (uint32_t i = first;
             (top->n < top->capacity || best - bound > top->items[0].score) && i < first + n; i++)
            if (top->n < top->capacity || scores[i] - bound > top->items[0].score)
                kl_top_offer(top, scores[i] - bound, rows->first + i);
    }
}

static enum kl_status scan_block(void *argument, unsigned worker, unsigned task,
                                 struct kl_error *err)
{
    struct job *job = argument;
    const struct kl_block_source *copy = kl_keeper_copy(job->kept);
    uint32_t count = job->kept->extents[task].count;
    enum kl_status status = KL_OK;

    if (!copy) {
        __atomic_store_n(&job->is_gone, 1, __ATOMIC_RELAXED);
        return KL_OK;
    }
    for (uint32_t row = 0; !status && row < count; row += PART) {
        struct kl_block part = {0}; /* all that is asked for, of a copy */

        status = kl_read_packed(copy, worker, task, row, count - row < PART ? count - row : PART,
                                &part, err);
        if (!status)
            score(job, &part, kl_quantised_group(job->kept, task, row), &job->own[worker].top);
    }
    return status;
}

/* The pass over all keys; *threshold is what the worst of the top best scores at least, so that
 * others must be able to. */
static enum kl_status scan_all(struct kl_pool *pool, struct job *job, uint32_t top,
                               float *threshold, struct kl_error *err)
{
    unsigned n_workers = kl_pool_n_workers(pool);
    struct kl_top best = {NULL, 0, top};
    struct kl_top_item *items = NULL;
    enum kl_status status = kl_alloc(&job->own, n_workers, sizeof *job->own, "a query", err);

    if (!status)
        status = kl_alloc(&items, (size_t)(n_workers + 1) * top, sizeof *items, "a query", err);
    for (unsigned w = 0; !status && w < n_workers; w++)
        job->own[w].top = (struct kl_top){items + (size_t)w * top, 0, top};
    if (!status)
        status = kl_pool_run(pool, scan_block, job, job->kept->n_blocks, err);
    best.items = status ? NULL : items + (size_t)n_workers * top;
    for (unsigned w = 0; !status && w < n_workers; w++)
        for (uint32_t i = 0; i < job->own[w].top.n; i++)
            kl_top_offer(&best, job->own[w].top.items[i].score, job->own[w].top.items[i].index);
    *threshold = status || best.n < top ? -INFINITY : (float)best.items[0].score;
    free(items);
    free(job->own);
    return status;
}

/* Those that may be among the best: *n of them, into rows (most); or 0, if there are more. */
static int choose(const struct job *job, float threshold, uint64_t most, uint64_t *rows,
                  uint64_t *n)
{
    *n = 0;
    for (uint32_t b = 0; b < job->kept->n_blocks; b++) {
        const struct kl_extent *extent = &job->kept->extents[b];

        for (uint32_t first = 0; first < extent->count; first += GROUP) {
            uint64_t group = kl_quantised_group(job->kept, b, first), t = extent->first + first;
            uint64_t end = t + (extent->count - first < GROUP ? extent->count - first : GROUP);
            float bound = kl_quantised_bound(job->keys, job->asking, group);

            if (job->most[group] < threshold)
                continue;
            if (*n + GROUP > most)
                return 0;
            for (; t < end; t++)
                if (!(job->scores[t] + bound < threshold))
                    rows[(*n)++] = t;
        }
    }
    return 1;
}

enum kl_status kl_quick_attention(struct kl_pool *pool, const struct kl_history *history,
                                  uint32_t layer, const float *query, const struct kl_rank *rank,
                                  uint32_t top, float *attention, float *scores, int *is_done,
                                  struct kl_error *err)
{
    const struct kl_block_source *kept = history->quantised[layer].kept;
    uint64_t most = history->n_patterns / WORTH + GROUP, n = 0, *rows = NULL;
    struct kl_quantised_query asking = {0};
    struct job job = {.keys = history->quantised[layer].keys,
                      .kept = kept,
                      .asking = &asking,
                      .rank = rank,
                      .scores = scores};
    float threshold;
    enum kl_status status;

    *is_done = 0;
    status = kl_quantised_query_make(query, kept->width, &asking, err);
    if (status == KL_ERR_USAGE) /* nothing that 8 bits could say */
        return KL_OK;
    if (!status)
        status = kl_alloc(&job.most, kl_quantised_n_groups(kept), sizeof *job.most, "a query", err);
    if (!status)
        status = kl_alloc(&rows, most, sizeof *rows, "a query", err);
    if (!status)
        status = scan_all(pool, &job, top, &threshold, err);
    if (!status && !job.is_gone && choose(&job, threshold, most, rows, &n)) {
        status = kl_scan_rows(pool, history->keys[layer], query, rows, (uint32_t)n, attention, err);
        *is_done = !status;
    }
    for (uint64_t i = 0; *is_done && i < n; i++) {
        scores[rows[i]] = attention[rows[i]];
        rank->row(&scores[rows[i]], 1, 0);
    }
    free(rows);
    free(job.most);
    kl_quantised_query_clear(&asking);
    return status;
}
