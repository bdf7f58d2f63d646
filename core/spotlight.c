#include "core/spotlight.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/top.h"

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

static int wanted(const struct kl_history *history, const struct kl_query *query, uint32_t sample)
{
    return query->only_class == KL_ANY_CLASS ||
           history->classes[sample] == (uint32_t)query->only_class;
}

static void pick_patterns(const struct kl_history *history, const struct kl_query *query,
                          const float *scores, struct kl_top *top, struct moments *moments)
{
    for (uint64_t t = 0; t < history->n_patterns; t++) {
        if (!wanted(history, query, history->samples[t]))
            continue;
        add_score(moments, scores[t]);
        if (top->n < top->capacity || scores[t] > top->items[0].score)
            kl_top_offer(top, scores[t], t);
    }
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

static struct kl_lit light(const struct kl_history *history, const struct kl_query *query,
                           const float *attention, const struct kl_sample_totals *totals,
                           const struct kl_top_item *item)
{
    struct kl_lit lit = {.pattern = item->index, .repetitions = 1, .score = item->score};

    if (query->by_sample) {
        lit.pattern = totals->first[item->index];
        lit.repetitions = totals->repetitions[item->index];
        lit.attention = totals->sum[item->index];
    } else {
        lit.attention = attention[lit.pattern];
    }
    lit.sample = history->samples[lit.pattern];
    lit.step = kl_history_step(history, lit.pattern);
    return lit;
}

enum kl_status kl_spotlight(const struct kl_history *history, const struct kl_query *query,
                            uint32_t capacity, const float *attention, const float *scores,
                            const struct kl_sample_totals *totals, struct kl_answer *answer,
                            struct kl_error *err)
{
    struct kl_top top = {NULL, 0, capacity};
    struct moments moments = {0};
    enum kl_status status = kl_alloc(&top.items, capacity, sizeof *top.items, "the spotlight", err);

    if (!status)
        status =
            kl_alloc(&answer->spotlight, capacity, sizeof *answer->spotlight, "the spotlight", err);
    if (status) {
        free(top.items);
        return status;
    }
    if (query->by_sample)
        pick_samples(history, query, totals, &top, &moments);
    else
        pick_patterns(history, query, scores, &top, &moments);
    kl_top_sort(&top);
    answer->n_lit = top.n;
    for (uint32_t i = 0; i < top.n; i++)
        answer->spotlight[i] = light(history, query, attention, totals, &top.items[i]);
    free(top.items);
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
