#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/bench.h"
#include "core/base/memory.h"
#include "core/base/top.h"
#include "core/explain/inquiry.h"
#include "core/explain/many/batch_query.h"
#include "core/explain/quick.h"
#include "core/explain/ranks.h"
#include "core/scan/keeper.h"
#include "core/scan/resident.h"
#include "core/scan/scan.h"

#define QUERIES 16 /* test samples, asked in turns */
#define TOP 20

struct asking {
    const struct bench *bench;
    uint32_t layer; /* from 0 */
    const struct kl_rank *rank;
    float *queries; /* (QUERIES, width) */
    float *attention, *scores, *whole;
    unsigned n_asked;
};

static const float *next_query(struct asking *asking)
{
    uint32_t width = asking->bench->resident->history.keys[asking->layer]->width;

    return asking->queries + (size_t)(asking->n_asked++ % QUERIES) * width;
}

static void scan(void *job)
{
    struct asking *asking = job;
    struct kl_error err;

    must(kl_scan_dot(asking->bench->pool, asking->bench->resident->history.keys[asking->layer],
                     next_query(asking), 0, asking->whole, &err),
         &err);
}

static void find(void *job)
{
    struct asking *asking = job;
    struct kl_error err;
    int is_done = 0;

    must(kl_quick_attention(asking->bench->pool, &asking->bench->resident->history, asking->layer,
                            next_query(asking), asking->rank, TOP, asking->attention,
                            asking->scores, &is_done, &err),
         &err);
    if (!is_done) {
        fprintf(stderr, "bench: 8-bit keys leave too many in question\n");
        exit(1);
    }
}

static void pick(const struct asking *asking, const float *scores, struct kl_top_item items[TOP])
{
    struct kl_top top = {items, 0, TOP};

    for (uint64_t t = 0; t < asking->bench->resident->history.n_patterns; t++)
        kl_top_offer(&top, scores[t], t);
    kl_top_sort(&top);
}

/* All that is asked, both ways: they must say the same, to the bit. */
static void compare(struct asking *asking)
{
    struct kl_top_item best[TOP], expected[TOP];

    for (unsigned i = 0; i < QUERIES; i++) {
        asking->n_asked = i;
        scan(asking);
        asking->n_asked = i;
        find(asking);
        asking->rank->row(asking->whole, (uint32_t)asking->bench->resident->history.n_patterns, 0);
        pick(asking, asking->whole, expected);
        pick(asking, asking->scores, best);
        if (memcmp(best, expected, sizeof best) != 0) {
            fprintf(stderr, "bench: 8-bit keys found other patterns\n");
            exit(1);
        }
    }
}

static void make_queries(struct asking *asking)
{
    struct kl_run *run = asking->bench->resident;
    uint32_t width = run->history.keys[asking->layer]->width, n = 0, *ids = NULL;
    uint8_t *pixels = NULL;
    struct kl_error err;

    must(kl_batch_query_choose(&run->history, QUERIES, &ids, &n, &err), &err);
    must(kl_alloc(&pixels, kl_dataset_image_size(run->data.datasets[0]), 1, "an image", &err),
         &err);
    must(kl_alloc(&asking->queries, (size_t)QUERIES * width, sizeof(float), "queries", &err), &err);
    for (uint32_t i = 0; i < QUERIES; i++) {
        struct kl_subject subject = {.pixels = pixels, .stored = ids[i % n] + 1};
        struct kl_inquiry *inquiry = NULL;

        must(kl_run_image(run, ids[i % n], pixels, &err), &err);
        must(kl_inquiry_create(asking->bench->pool, &run->history, &subject, &inquiry, &err), &err);
        memcpy(asking->queries + (size_t)i * width, kl_inquiry_key(inquiry, asking->layer),
               width * sizeof(float));
        kl_inquiry_free(inquiry);
    }
    free(pixels);
    free(ids);
}

/* Waits until the keys are in memory in 8 bits. */
static void wait_for(const struct kl_quantised_keys *bytes)
{
    for (unsigned i = 0; i < 150 && !kl_keeper_copy(bytes->kept); i++)
        nanosleep(&(struct timespec){0, 200000000}, NULL);
}

void bench_best(const struct bench *bench)
{
    const struct kl_history *history = &bench->resident->history;
    struct asking asking = {.bench = bench, .layer = 1, .rank = kl_rank_find("abs")};
    struct timed timed[] = {{.run = scan, .job = &asking}, {.run = find, .job = &asking}};
    struct kl_error err;
    char title[128];

    snprintf(title, sizeof title, "The %d patterns that a query attends to most, in layer 2", TOP);
    section(title);
    if (!history->quantised[asking.layer].keys) {
        tell_missing("by 8-bit keys", "this processor has no fast products of bytes");
        return;
    }
    wait_for(&history->quantised[asking.layer]);
    if (!kl_quick_applies(history, asking.layer, asking.rank)) {
        tell_missing("by 8-bit keys", "there is no memory for them");
        return;
    }
    must(kl_alloc(&asking.attention, history->n_patterns, sizeof(float), "attention", &err), &err);
    must(kl_alloc(&asking.scores, history->n_patterns, sizeof(float), "attention", &err), &err);
    must(kl_alloc(&asking.whole, history->n_patterns, sizeof(float), "attention", &err), &err);
    make_queries(&asking);
    compare(&asking);

    measure(timed, 2, ROUNDS);
    tell("the scan of float16 keys", "ms", timed[0].spread);
    snprintf(title, sizeof title, "  by 8-bit keys, %.2f GB, and what they leave in question",
             (double)kl_resident_bytes(&history->quantised[asking.layer].keys->source) / 1e9);
    tell_ratio(title, "ms", timed[1].spread, timed[1].ratio, "the scan", (struct bar){0, 0.6});
    free(asking.attention);
    free(asking.scores);
    free(asking.whole);
    free(asking.queries);
}
