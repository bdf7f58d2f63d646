#include "core/spotlight.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"

/* The best so far, as a heap whose root is the worst of them. */
struct heap {
    struct kl_lit *lit;
    uint32_t n, capacity;
};

/* Whether a belongs after b. Candidates come in rising order, so of equal scores the later one is
 * the one with the larger pattern or sample. */
static int worse(const struct kl_lit *a, const struct kl_lit *b)
{
    if (a->score != b->score)
        return a->score < b->score;
    return a->pattern != b->pattern ? a->pattern > b->pattern : a->sample > b->sample;
}

static void swap(struct kl_lit *a, struct kl_lit *b)
{
    struct kl_lit kept = *a;

    *a = *b;
    *b = kept;
}

static void sift_down(struct heap *heap, uint32_t i)
{
    for (;;) {
        uint32_t worst = i, left = 2 * i + 1;

        for (uint32_t child = left; child < heap->n && child <= left + 1; child++)
            worst = worse(&heap->lit[child], &heap->lit[worst]) ? child : worst;
        if (worst == i)
            return;
        swap(&heap->lit[i], &heap->lit[worst]);
        i = worst;
    }
}

static void offer(struct heap *heap, const struct kl_lit *candidate)
{
    if (heap->n == heap->capacity) {
        if (!worse(&heap->lit[0], candidate))
            return;
        heap->lit[0] = *candidate;
        sift_down(heap, 0);
        return;
    }
    heap->lit[heap->n++] = *candidate;
    for (uint32_t i = heap->n - 1; i > 0 && worse(&heap->lit[i], &heap->lit[(i - 1) / 2]);
         i = (i - 1) / 2)
        swap(&heap->lit[i], &heap->lit[(i - 1) / 2]);
}

/* Takes the worst off until the array is in order, best first. */
static void sort_heap(struct heap *heap)
{
    uint32_t n = heap->n;

    while (heap->n > 1) {
        swap(&heap->lit[0], &heap->lit[--heap->n]);
        sift_down(heap, 0);
    }
    heap->n = n;
}

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

static double score_of(enum kl_rank rank, float attention, const float *contribution)
{
    switch (rank) {
    case KL_RANK_ABS:
        return fabsf(attention);
    case KL_RANK_POSITIVE:
        return attention;
    case KL_RANK_NEGATIVE:
        return -attention;
    case KL_RANK_LOGIT:
        return *contribution;
    }
    return 0;
}

static int wanted(const struct kl_history *history, const struct kl_query *query, uint32_t sample)
{
    return query->only_class == KL_ANY_CLASS ||
           kl_collection_label(history->data, sample) == query->only_class;
}

static void pick_patterns(const struct kl_history *history, const struct kl_query *query,
                          const float *attention, const float *contributions, struct heap *heap,
                          struct moments *moments)
{
    for (uint64_t t = 0; t < history->n_patterns; t++) {
        struct kl_lit lit = {.pattern = t, .sample = history->samples[t], .repetitions = 1};

        if (!wanted(history, query, lit.sample))
            continue;
        lit.attention = attention[t];
        lit.score = score_of(query->rank, attention[t], contributions ? contributions + t : NULL);
        add_score(moments, lit.score);
        if (heap->n < heap->capacity || lit.score > heap->lit[0].score)
            offer(heap, &lit);
    }
}

static enum kl_status pick_samples(const struct kl_history *history, const struct kl_query *query,
                                   const float *attention, const float *contributions,
                                   struct heap *heap, struct moments *moments, struct kl_error *err)
{
    uint32_t n_samples = kl_collection_size(history->data);
    struct kl_lit *sums = NULL;
    enum kl_status status = kl_alloc(&sums, n_samples, sizeof *sums, "the samples' sums", err);

    if (status)
        return status;
    for (uint64_t t = 0; t < history->n_patterns; t++) {
        struct kl_lit *sum = &sums[history->samples[t]];

        if (sum->repetitions++ == 0)
            sum->pattern = t;
        sum->attention += attention[t];
        sum->score += score_of(query->rank, attention[t], contributions ? contributions + t : NULL);
    }
    for (uint32_t i = 0; i < n_samples; i++) {
        if (sums[i].repetitions == 0 || !wanted(history, query, i))
            continue;
        sums[i].sample = i;
        add_score(moments, sums[i].score);
        offer(heap, &sums[i]);
    }
    free(sums);
    return KL_OK;
}

enum kl_status kl_spotlight(const struct kl_history *history, const struct kl_query *query,
                            const float *attention, const float *contributions,
                            struct kl_answer *answer, struct kl_error *err)
{
    struct heap heap = {NULL, 0, query->top};
    struct moments moments = {0};
    enum kl_status status = kl_alloc(&heap.lit, query->top, sizeof *heap.lit, "the spotlight", err);

    if (status)
        return status;
    if (query->by_sample)
        status = pick_samples(history, query, attention, contributions, &heap, &moments, err);
    else
        pick_patterns(history, query, attention, contributions, &heap, &moments);
    if (status) {
        free(heap.lit);
        return status;
    }
    sort_heap(&heap);
    for (uint32_t i = 0; i < heap.n; i++)
        heap.lit[i].step = kl_history_step(history, heap.lit[i].pattern);
    answer->spotlight = heap.lit;
    answer->n_lit = heap.n;
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
