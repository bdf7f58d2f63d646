/* A history of millions of patterns without the memory it would take: the run's rows over and over.
 * Every pass reads as much as it would of other rows, from far more than any cache holds. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "core/explain/attention.h"
#include "core/explain/ranks.h"
#include "core/explain/views/class_order.h"
#include "core/explain/views/sample_order.h"
#include "core/base/memory.h"
#include "core/scan/scan.h"

#define SMALL 100000 /* patterns, and a few less to make whole steps */
#define LARGE 10000000

struct tiled {
    const struct kl_block_source *once;
    struct kl_block_source source;
    struct kl_extent *extents;
};

static enum kl_status read_tiled(void *self, unsigned worker, uint32_t block, uint32_t row,
                                 uint32_t count, struct kl_block *out, struct kl_error *err)
{
    struct tiled *tiled = self;
    const struct kl_block_source *once = tiled->once;
    enum kl_status status =
        once->read(once->self, worker, block % once->n_blocks, row, count, out, err);

    out->first = tiled->extents[block].first + row;
    return status;
}

static enum kl_status read_packed_tiled(void *self, unsigned worker, uint32_t block, uint32_t row,
                                        uint32_t count, struct kl_block *out, struct kl_error *err)
{
    struct tiled *tiled = self;
    const struct kl_block_source *once = tiled->once;
    enum kl_status status =
        kl_read_packed(once, worker, block % once->n_blocks, row, count, out, err);

    out->first = tiled->extents[block].first + row;
    return status;
}

static void tile(const struct kl_block_source *once, uint64_t n_rows, struct tiled *tiled)
{
    size_t most = once->n_blocks * (n_rows / once->n_rows + 1);
    uint64_t first = 0;
    uint32_t n = 0;
    struct kl_error err;

    must(kl_alloc(&tiled->extents, most, sizeof *tiled->extents, "blocks", &err), &err);
    while (first < n_rows) {
        uint32_t count = once->extents[n % once->n_blocks].count;

        count = n_rows - first < count ? (uint32_t)(n_rows - first) : count;
        tiled->extents[n++] = (struct kl_extent){first, count, 0};
        first += count;
    }
    tiled->once = once;
    tiled->source = *once;
    tiled->source.self = tiled;
    tiled->source.n_rows = n_rows;
    tiled->source.n_blocks = n;
    tiled->source.extents = tiled->extents;
    tiled->source.read = read_tiled;
    tiled->source.read_packed = read_packed_tiled;
}

/* A run of another length, and what of it is not the original's. */
struct longer {
    struct kl_history history;
    struct tiled keys[KL_LAYERS_MAX], errors[KL_LAYERS_MAX];
    uint32_t *samples, *repetitions;
    double *coefficients;
    uint64_t *starts;
    struct kl_pool *pool;
    struct kl_query query;
    float *direction, *out; /* of a bare scan */
};

static void make_longer(const struct bench *bench, uint64_t about, struct longer *longer)
{
    const struct kl_history *run = &bench->resident->history;
    struct kl_history *history = &longer->history;
    struct kl_error err;

    *longer = (struct longer){.history = *run};
    history->n_steps = (uint32_t)(about / run->patterns_per_step);
    history->n_patterns = (uint64_t)history->n_steps * run->patterns_per_step;
    must(kl_alloc(&longer->samples, history->n_patterns, sizeof(uint32_t), "samples", &err), &err);
    must(kl_alloc(&longer->repetitions, kl_collection_size(run->data), sizeof(uint32_t), "samples",
                  &err),
         &err);
    must(kl_alloc(&longer->starts, (size_t)history->n_steps + 1, sizeof(uint64_t), "steps", &err),
         &err);
    for (uint64_t s = 0; s <= history->n_steps; s++)
        longer->starts[s] = s * run->patterns_per_step;
    history->starts = longer->starts;
    history->numbers = longer->starts;
    history->n_all = history->n_patterns;
    must(kl_alloc(&longer->coefficients, history->n_steps, sizeof(double), "steps", &err), &err);
    for (uint64_t t = 0; t < history->n_patterns; t++) {
        longer->samples[t] = run->samples[t % run->n_patterns];
        longer->repetitions[longer->samples[t]]++;
    }
    for (uint32_t s = 0; s < history->n_steps; s++)
        longer->coefficients[s] = run->layers[0].coefficients[s % run->n_steps];
    must(kl_scratch_create(history->n_patterns, &history->scratch, &err), &err);
    must(kl_class_order_store_create(&history->class_order_store, &err), &err);
    must(kl_sample_order_store_create(&history->sample_order_store, &err), &err);
    history->samples = longer->samples;
    history->repetitions = longer->repetitions;
    history->repetitions_here = longer->repetitions;
    for (uint32_t l = 0; l < run->final->shape.n_layers; l++) {
        history->layers[l].coefficients = longer->coefficients;
        if (l > 0) { /* layer 1 has a row for each sample */
            tile(run->keys[l], history->n_patterns, &longer->keys[l]);
            history->keys[l] = &longer->keys[l].source;
        }
        tile(run->errors[l], history->n_patterns, &longer->errors[l]);
        history->errors[l] = &longer->errors[l].source;
    }
}

static void clear(struct longer *longer)
{
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        free(longer->keys[l].extents);
        free(longer->errors[l].extents);
    }
    kl_scratch_free(longer->history.scratch);
    kl_class_order_store_free(longer->history.class_order_store);
    kl_sample_order_store_free(longer->history.sample_order_store);
    free(longer->samples);
    free(longer->repetitions);
    free(longer->coefficients);
    free(longer->starts);
    free(longer->direction);
    free(longer->out);
}

static void attend(void *job)
{
    struct longer *longer = job;
    struct kl_answer answer;
    struct kl_error err;

    must(kl_attend(longer->pool, &longer->history, &longer->query, &answer, &err), &err);
    kl_answer_clear(&answer);
}

static void scan(void *job)
{
    struct longer *longer = job;
    uint32_t layer = longer->query.layer - 1;
    struct kl_error err;

    must(kl_scan_dot(longer->pool, longer->history.keys[layer], longer->direction, 0, longer->out,
                     &err),
         &err);
}

static struct spread per_pattern(const struct timed *timed, const struct longer *longer)
{
    double ns = 1e6 / (double)longer->history.n_patterns;

    return (struct spread){timed->spread.min * ns, timed->spread.median * ns,
                           timed->spread.max * ns};
}

static void prepare(const struct bench *bench, const uint8_t *pixels, struct longer *longer)
{
    const struct kl_shape *shape = &longer->history.final->shape;
    uint32_t width = shape->inputs[shape->n_layers - 1];
    struct kl_error err;

    longer->pool = bench->pool;
    longer->query = (struct kl_query){.subject = {.pixels = pixels},
                                      .target = KL_ANY_CLASS,
                                      .layer = shape->n_layers,
                                      .rank = kl_rank_at(0),
                                      .logit = KL_ANY_CLASS,
                                      .only_class = KL_ANY_CLASS,
                                      .top = 24,
                                      .parts = KL_ANSWER_ALWAYS | KL_ANSWER_TIME};
    must(kl_alloc(&longer->direction, width, sizeof(float), "a query", &err), &err);
    must(kl_alloc(&longer->out, longer->history.n_patterns, sizeof(float), "attention", &err),
         &err);
    for (uint32_t j = 0; j < width; j++)
        longer->direction[j] = (float)j / (float)width - 0.5f;
}

void bench_growth(const struct bench *bench)
{
    struct longer small, large;
    struct timed timed[] = {{.run = scan, .job = &small},
                            {.run = scan, .job = &large},
                            {.run = attend, .job = &small},
                            {.run = attend, .job = &large, .over = 2}};
    struct kl_error err;
    double shorter;
    uint8_t *pixels = NULL;

    must(kl_alloc(&pixels, kl_dataset_image_size(bench->resident->data.datasets[0]), 1, "an image",
                  &err),
         &err);
    must(kl_run_image(bench->resident, 0, pixels, &err), &err);
    make_longer(bench, SMALL, &small);
    make_longer(bench, LARGE, &large);
    prepare(bench, pixels, &small);
    prepare(bench, pixels, &large);
    section("Time per pattern at the last layer, as the history grows");
    measure(timed, 4, 9);
    shorter = (double)small.history.n_patterns / (double)large.history.n_patterns;
    tell("a scan of 100,000 patterns", "ns", per_pattern(&timed[0], &small));
    tell_ratio("  of 10 million", "ns", per_pattern(&timed[1], &large), timed[1].ratio * shorter,
               "100,000's", (struct bar){0.9, 1.2});
    tell("a whole query of 100,000 patterns", "ns", per_pattern(&timed[2], &small));
    tell_ratio("  of 10 million", "ns", per_pattern(&timed[3], &large), timed[3].ratio * shorter,
               "100,000's", (struct bar){0, 1.2});
    clear(&small);
    clear(&large);
    free(pixels);
}
