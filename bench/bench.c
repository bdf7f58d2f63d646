/* What the machine allows and what keylight reaches, in one run: make bench. Medians of several
 * repetitions, with their spread, and ratios; see docs/performance.md. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/attention.h"
#include "core/blas.h"
#include "core/report.h"
#include "core/clock.h"
#include "core/loading.h"
#include "core/memory.h"
#include "core/scan.h"
#include "db/run.h"
#include "db/writer.h"

#define REPETITIONS 15
#define KEYS 320000
#define WIDTH 800

static void must(enum kl_status status, const struct kl_error *err)
{
    if (status) {
        fprintf(stderr, "bench: %s\n", err->message);
        exit(1);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Prints a row and returns its median. */
static double row(const char *what, double *times, size_t n, double against)
{
    double median;

    qsort(times, n, sizeof *times, by_value);
    median = times[n / 2];
    printf("%-44s %9.2f %9.2f %9.2f", what, times[0], median, times[n - 1]);
    if (against > 0)
        printf("   %5.2f", median / against);
    printf("\n");
    fflush(stdout);
    return median;
}

/* Blocks of random halves, and the plain reading of the same bytes. */
struct keys {
    struct kl_block_source source;
    uint16_t *numbers;
    struct kl_extent extents[KEYS / 1000];
    uint64_t sums[KEYS / 1000];
};

static enum kl_status read_keys(void *self, unsigned worker, uint32_t block, uint32_t from,
                                uint32_t count, struct kl_block *out, struct kl_error *err)
{
    struct keys *keys = self;

    (void)worker;
    (void)err;
    *out = (struct kl_block){keys->extents[block].first + from,
                             count,
                             KL_F16,
                             0,
                             keys->numbers + ((size_t)block * 1000 + from) * WIDTH,
                             NULL};
    return KL_OK;
}

/* The limit: every word is loaded once and added up, eight sums at a time. */
static enum kl_status sum_block(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    struct keys *keys = job;
    const uint64_t *words = (const uint64_t *)(keys->numbers + (size_t)task * 1000 * WIDTH);
    uint64_t sums[8] = {0};

    (void)worker;
    (void)err;
    for (size_t i = 0; i < 1000 * WIDTH / 4; i += 8)
        for (size_t k = 0; k < 8; k++)
            sums[k] += words[i + k];
    for (size_t k = 1; k < 8; k++)
        sums[0] += sums[k];
    keys->sums[task] = sums[0];
    return KL_OK;
}

static void bench_scan(struct kl_pool *pool)
{
    struct keys *keys = NULL;
    struct kl_error err;
    float query[WIDTH], *out = NULL;
    double times[REPETITIONS], limit;

    must(kl_alloc(&keys, 1, sizeof *keys, "keys", &err), &err);
    must(kl_alloc_scanned(&keys->numbers, (size_t)KEYS * WIDTH, 2, "keys", &err), &err);
    must(kl_alloc(&out, KEYS, sizeof *out, "attention", &err), &err);
    for (size_t i = 0; i < (size_t)KEYS * WIDTH; i++)
        keys->numbers[i] = (uint16_t)(0x3000 + i * 2654435761u % 2048);
    for (size_t j = 0; j < WIDTH; j++)
        query[j] = (float)j / WIDTH - 0.5f;
    keys->source = (struct kl_block_source){.self = keys,
                                            .n_rows = KEYS,
                                            .width = WIDTH,
                                            .dtype = KL_F16,
                                            .n_blocks = KEYS / 1000,
                                            .extents = keys->extents,
                                            .read = read_keys};
    for (uint32_t b = 0; b < KEYS / 1000; b++)
        keys->extents[b] = (struct kl_extent){(uint64_t)b * 1000, 1000};
    printf("\nscan of %d keys of %d float16 (%.2f GB), %u workers\n", KEYS, WIDTH,
           (double)KEYS * WIDTH * 2 / 1e9, kl_pool_n_workers(pool));
    printf("%-44s %9s %9s %9s   ratio\n", "", "min ms", "median", "max");
    for (int i = 0; i < REPETITIONS; i++) {
        times[i] = kl_now_ms();
        must(kl_pool_run(pool, sum_block, keys, KEYS / 1000, &err), &err);
        times[i] = kl_now_ms() - times[i];
    }
    limit = row("reading the bytes once (the limit)", times, REPETITIONS, 0);
    for (int i = 0; i < REPETITIONS; i++) {
        times[i] = kl_now_ms();
        must(kl_scan_dot(pool, &keys->source, query, 0, out, &err), &err);
        times[i] = kl_now_ms() - times[i];
    }
    row(kl_kernels()->name, times, REPETITIONS, limit);
    free(out);
    free(keys->numbers);
    free(keys);
}

static double train(const struct kl_training *training, const struct kl_collection *data,
                    const char *path)
{
    struct kl_training_state state;
    struct kl_writer *writer = NULL;
    struct kl_recorder recorder = {0};
    struct kl_error err;
    double started;

    must(kl_training_start(training, &state, &err), &err);
    started = kl_now_ms();
    if (path) {
        unlink(path);
        must(kl_writer_create(path, training, data, &state, &writer, &err), &err);
        recorder = kl_writer_recorder(writer);
    }
    must(kl_train(training, data, &state, path ? &recorder : NULL, NULL, &err), &err);
    kl_writer_close(writer);
    started = kl_now_ms() - started;
    kl_training_state_clear(&state);
    return started;
}

static void bench_query(struct kl_pool *pool, struct kl_run *run, const char *what, unsigned views,
                        const struct kl_removal *removal)
{
    struct kl_query query = {.layer = 2,
                             .target = KL_ANY_CLASS,
                             .logit = KL_ANY_CLASS,
                             .only_class = KL_ANY_CLASS,
                             .top = 24,
                             .views = views,
                             .removal = removal};
    uint8_t pixels[784];
    struct kl_error err;
    double times[REPETITIONS];

    query.subject.pixels = pixels;
    must(kl_run_image(run, 0, pixels, &err), &err);
    for (int i = 0; i < REPETITIONS; i++) {
        struct kl_answer answer;

        times[i] = kl_now_ms();
        must(kl_attend(pool, &run->history, &query, &answer, &err), &err);
        times[i] = kl_now_ms() - times[i];
        kl_answer_clear(&answer);
    }
    row(what, times, REPETITIONS, 0);
}

static void bench_report(struct kl_pool *pool, struct kl_run *run)
{
    struct kl_report report;
    struct kl_error err;
    uint32_t *ids = NULL, n = 0;

    must(kl_survey_choose(&run->data, 512, &ids, &n, &err), &err);
    must(kl_report(pool, &run->history, ids, n, NULL, NULL, &report, &err), &err);
    printf("report of %u samples: %.1f s, %.0f GFLOP/s of matrix products\n", n, report.seconds,
           report.flop / report.seconds / 1e9);
    kl_report_clear(&report);
    free(ids);
}

static void bench_training(struct kl_pool *pool)
{
    static const char path[] = "bench.keylight";
    struct kl_collection data = {1, {NULL}, KL_HEADS_SHARED};
    struct kl_training training;
    struct kl_run *run = NULL;
    struct kl_error err;
    const char *const *datasets;
    struct kl_removal removal = {.n_classes = 1, .classes = {3}};
    double plain[3], recorded[3], without;

    must(kl_training_preset("paper-mnist", &training, &datasets, &err), &err);
    must(kl_dataset_load("strokes", (struct kl_image_size){0, 0}, &data.datasets[0], &err), &err);
    must(kl_training_fit(&training, &data, &err), &err);
    training.n_steps = 500;
    training.evaluation_steps = training.n_steps;
    training.checkpoint_steps = 100;
    training.snapshot_steps = 50; /* as the preset's, of ten times the steps */
    printf("\ntraining 784-800-800-10, %u steps of %u\n", training.n_steps, training.batch_size);
    printf("%-44s %9s %9s %9s   ratio\n", "", "min ms", "median", "max");
    for (int i = 0; i < 3; i++) {
        plain[i] = train(&training, &data, NULL);
        recorded[i] = train(&training, &data, path);
    }
    without = row("without recording", plain, 3, 0);
    row("with its history recorded", recorded, 3, without);
    kl_blas_single_thread(); /* as the server and the report have it */
    must(kl_run_open(path, kl_pool_n_workers(pool), &run, &err), &err);
    printf("\none query at layer 2 of that run, %llu patterns, with all it tells\n",
           (unsigned long long)run->history.n_patterns);
    printf("%-44s %9s %9s %9s   ratio\n", "", "min ms", "median", "max");
    bench_query(pool, run, "streaming from the file", 0, NULL);
    must(kl_run_load(run, pool, UINT64_MAX, &err), &err);
    bench_query(pool, run, "resident in memory", 0, NULL);
    bench_query(pool, run, "  with curves, time, totals per sample",
                KL_VIEW_CURVES | KL_VIEW_TIME | KL_VIEW_SAMPLES, NULL);
    bench_query(pool, run, "  with how it was learned", KL_VIEW_LEARNING, NULL);
    bench_query(pool, run, "  without a class", 0, &removal);
    bench_report(pool, run);
    printf("\nfile: %.1f MB, %.3f of patterns x stored widths x 2 bytes\n",
           (double)run->file_bytes / 1e6,
           (double)run->file_bytes /
               ((double)run->history.n_patterns * (2 * 800 + 2 * 800 + 10) * 2));
    kl_run_close(run);
    kl_collection_clear(&data);
    unlink(path);
}

int main(void)
{
    struct kl_pool *pool = NULL;
    struct kl_error err;

    must(kl_kernels_select(&err), &err);
    must(kl_pool_create(0, &pool, &err), &err);
    bench_scan(pool);
    bench_training(pool);
    kl_pool_free(pool);
    return 0;
}
