#include "core/explain/spotlight.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/top.h"
#include "core/peers/merging.h"

struct moments {
    uint64_t count;
    double sum, sum_squares, max;
};

static void add_score(struct moments *moments, double score)
{
    moments->max = moments->count == 0 || score > moments->max ? score : moments->max;
    moments->count++;
    moments->sum += score;
    moments->sum_squares += score * score;
}

static void join_moments(struct moments *moments, const struct moments *other)
{
    if (other->count && (moments->count == 0 || other->max > moments->max))
        moments->max = other->max;
    moments->count += other->count;
    moments->sum += other->sum;
    moments->sum_squares += other->sum_squares;
}

static int wanted(const struct kl_history *history, const struct kl_query *query, uint32_t sample)
{
    return query->only_class == KL_ANY_CLASS ||
           history->classes[sample] == (uint32_t)query->only_class;
}

/* Parts of the patterns, each with a list and moments of its own. */
#define PARTS 16
#define GROUP 64 /* scores that are looked at together */
#define LANES 4

struct pick_job {
    const struct kl_history *history;
    const struct kl_query *query;
    const float *scores;
    uint32_t capacity;
    struct kl_top_item *items; /* (parts, capacity) */
    struct kl_top tops[PARTS];
    struct moments moments[PARTS];
};

static void offer(struct kl_top *top, double score, uint64_t t)
{
    if (top->n < top->capacity || score > top->items[0].score)
        kl_top_offer(top, score, t);
}

/* The moments of a group of scores, in lanes, so that no addition waits for the one before. */
static void measure_group(const float *scores, struct moments *moments)
{
    double sum[LANES] = {0}, squares[LANES] = {0};
    float max[LANES] = {scores[0], scores[0], scores[0], scores[0]};

    for (unsigned i = 0; i < GROUP; i += LANES) {
        for (unsigned k = 0; k < LANES; k++) {
            double score = scores[i + k];

            sum[k] += score;
            squares[k] += score * score;
            max[k] = scores[i + k] > max[k] ? scores[i + k] : max[k];
        }
    }
    for (unsigned k = 0; k < LANES; k++) {
        moments->sum += sum[k];
        moments->sum_squares += squares[k];
        moments->max = k == 0 || max[k] > moments->max ? max[k] : moments->max;
    }
    moments->count = GROUP;
}

/* Of all patterns. Only groups with a score that may be taken are looked at one by one. */
static void pick_all(const float *scores, uint64_t first, uint64_t end, struct kl_top *top,
                     struct moments *moments)
{
    uint64_t t = first;

    for (; t + GROUP <= end; t += GROUP) {
        struct moments group = {0};

        measure_group(scores + t, &group);
        join_moments(moments, &group);
        for (unsigned i = 0;
             (top->n < top->capacity || group.max > top->items[0].score) && i < GROUP; i++)
            offer(top, scores[t + i], t + i);
    }
    for (; t < end; t++) {
        add_score(moments, scores[t]);
        offer(top, scores[t], t);
    }
}

static void pick_wanted(const struct pick_job *job, uint64_t first, uint64_t end,
                        struct kl_top *top, struct moments *moments)
{
    for (uint64_t t = first; t < end; t++) {
        if (!wanted(job->history, job->query, job->history->samples[t]))
            continue;
        add_score(moments, job->scores[t]);
        offer(top, job->scores[t], t);
    }
}

static enum kl_status pick_part(void *argument, const struct kl_part *part, struct kl_error *err)
{
    struct pick_job *job = argument;
    struct kl_top top = {job->items + (size_t)part->number * job->capacity, 0, job->capacity};
    struct moments moments = {0};

    (void)err;
    if (job->query->only_class == KL_ANY_CLASS)
        pick_all(job->scores, part->first, part->end, &top, &moments);
    else
        pick_wanted(job, part->first, part->end, &top, &moments);
    job->tops[part->number] = top;
    job->moments[part->number] = moments;
    return KL_OK;
}

/* Of the patterns of all processes. */
static enum kl_status gather_moments(const struct kl_history *history, struct moments *moments,
                                     struct kl_error *err)
{
    uint32_t n = kl_peers_n(history->peers);
    struct moments own = *moments, *all = NULL;
    enum kl_status status = kl_alloc(&all, n, sizeof *all, "the spotlight", err);

    if (!status)
        status = kl_peers_gather(history->peers, &own, sizeof own, all, err);
    *moments = (struct moments){0};
    for (uint32_t p = 0; !status && p < n; p++)
        join_moments(moments, &all[p]);
    free(all);
    return status;
}

static enum kl_status pick_patterns(struct kl_pool *pool, const struct kl_history *history,
                                    const struct kl_query *query, const float *scores,
                                    struct kl_top *top, struct moments *moments,
                                    struct kl_error *err)
{
    struct pick_job job = {
        .history = history, .query = query, .scores = scores, .capacity = top->capacity};
    enum kl_status status = kl_alloc_scanned(&job.items, (size_t)PARTS * top->capacity,
                                             sizeof *job.items, "the spotlight", err);

    if (!status)
        status = kl_pool_split(pool, history->n_patterns, PARTS, pick_part, &job, err);
    for (unsigned i = 0; !status && i < PARTS; i++) {
        for (uint32_t k = 0; k < job.tops[i].n; k++)
            kl_top_offer(top, job.tops[i].items[k].score,
                         kl_history_number(history, job.tops[i].items[k].index));
        join_moments(moments, &job.moments[i]);
    }
    free(job.items);
    if (!status)
        status = kl_peers_merge_tops(history->peers, top, 1, err);
    return status ? status : gather_moments(history, moments, err);
}

static void pick_samples(const struct kl_history *history, const struct kl_query *query,
                         const struct kl_sample_totals *totals, struct kl_top *top,
                         struct moments *moments)
{
    for (uint32_t i = 0; i < totals->n; i++) {
        if (totals->repetitions[i] == 0 || !wanted(history, query, i))
            continue;
        add_score(moments, totals->score[i]);
        kl_top_offer(top, totals->score[i], i);
    }
}

/* What only the process tells that has a hit: of a pattern its sample and attention, of a sample
 * its first pattern there. */
struct told {
    uint64_t number; /* UINT64_MAX: it has none */
    uint32_t sample;
    float attention;
};

static struct told tell(const struct kl_history *history, const struct kl_query *query,
                        const float *attention, const struct kl_sample_totals *totals,
                        const struct kl_top_item *item)
{
    uint64_t t = query->by_sample ? totals->first[item->index] : 0;

    if (query->by_sample ? t == UINT64_MAX : !kl_history_find(history, item->index, &t))
        return (struct told){.number = UINT64_MAX};
    return (struct told){kl_history_number(history, t), history->samples[t], attention[t]};
}

/* The hits of a sorted list, as all processes tell them. */
static enum kl_status light(const struct kl_history *history, const struct kl_query *query,
                            const float *attention, const struct kl_sample_totals *totals,
                            const struct kl_top *top, struct kl_hit *hits, struct kl_error *err)
{
    uint32_t n = kl_peers_n(history->peers);
    struct told *own = NULL, *all = NULL;
    enum kl_status status = kl_alloc(&own, top->n, sizeof *own, "the spotlight", err);

    if (!status)
        status = kl_alloc(&all, (size_t)n * top->n, sizeof *all, "the spotlight", err);
    for (uint32_t i = 0; !status && i < top->n; i++)
        own[i] = tell(history, query, attention, totals, &top->items[i]);
    if (!status)
        status = kl_peers_gather(history->peers, own, top->n * sizeof *own, all, err);
    for (uint32_t i = 0; !status && i < top->n; i++) {
        const struct kl_top_item *item = &top->items[i];
        struct told told = all[i];

        for (uint32_t p = 1; p < n; p++)
            if (all[(size_t)p * top->n + i].number < told.number)
                told = all[(size_t)p * top->n + i];
        hits[i] = (struct kl_hit){
            .pattern = told.number,
            .step = kl_history_step_of(history, told.number),
            .sample = told.sample,
            .repetitions = query->by_sample ? totals->repetitions[item->index] : 1,
            .attention = query->by_sample ? totals->sum[item->index] : (double)told.attention,
            .score = item->score};
    }
    free(own);
    free(all);
    return status;
}

enum kl_status kl_spotlight(struct kl_pool *pool, const struct kl_history *history,
                            const struct kl_query *query, uint32_t capacity, const float *attention,
                            const float *scores, const struct kl_sample_totals *totals,
                            struct kl_answer *answer, struct kl_error *err)
{
    struct kl_top top = {NULL, 0, capacity};
    struct moments moments = {0};
    enum kl_status status = kl_alloc(&top.items, capacity, sizeof *top.items, "the spotlight", err);

    if (!status)
        status =
            kl_alloc(&answer->spotlight, capacity, sizeof *answer->spotlight, "the spotlight", err);
    if (!status && query->by_sample)
        pick_samples(history, query, totals, &top, &moments);
    else if (!status)
        status = pick_patterns(pool, history, query, scores, &top, &moments, err);
    if (!status)
        kl_top_sort(&top);
    if (!status)
        status = light(history, query, attention, totals, &top, answer->spotlight, err);
    answer->n_hits = top.n;
    free(top.items);
    if (status)
        return status;
    answer->scores.count = moments.count;
    if (moments.count) {
        double mean = moments.sum / (double)moments.count;
        double variance = moments.sum_squares / (double)moments.count - mean * mean;

        answer->scores.mean = mean;
        answer->scores.deviation = variance > 0 ? sqrt(variance) : 0;
        answer->scores.max = moments.max;
    }
    return KL_OK;
}
