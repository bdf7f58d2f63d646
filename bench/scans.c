#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/bench.h"
#include "core/base/memory.h"
#include "core/explain/layer_scan.h"
#include "core/scan/resident.h"
#include "db/file/checksum.h"

/* A pass over a layer: by kl_scan_attention, or the plain reading of its bytes. */
struct pass {
    struct kl_pool *pool;
    const struct kl_history *history;
    uint32_t layer;   /* from 0 */
    char *plain;      /* (n_rows, width) every number; or NULL */
    size_t row_bytes; /* of these */
    float *query, *out;
    uint64_t *sums; /* (workers) so that the reading is not left out */
};

/* Every word is loaded once and added up, in the widest registers there are. */
#ifdef __x86_64__
__attribute__((target_clones("avx512f", "avx2", "default")))
#endif
static uint64_t
sum_words(const uint64_t *words, size_t n)
{
    uint64_t sums[32] = {0};

    for (size_t i = 0; i + 32 <= n; i += 32)
        for (size_t k = 0; k < 32; k++)
            sums[k] += words[i + k];
    for (size_t k = 1; k < 32; k++)
        sums[0] += sums[k];
    return sums[0];
}

static enum kl_status copy_block(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    struct pass *pass = job;
    struct kl_block block = {0};
    enum kl_status status =
        kl_read_block(pass->history->keys[pass->layer], worker, task, &block, err);

    if (!status)
        memcpy(pass->plain + block.first * pass->row_bytes, block.numbers,
               block.count * pass->row_bytes);
    return status;
}

static enum kl_status read_block(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    struct pass *pass = job;
    const struct kl_extent *extent = &pass->history->keys[pass->layer]->extents[task];

    (void)err;
    pass->sums[worker] +=
        sum_words((const uint64_t *)(const void *)(pass->plain + extent->first * pass->row_bytes),
                  extent->count * pass->row_bytes / sizeof(uint64_t));
    return KL_OK;
}

/* A block of a copy as it is stored, which lies together. */
static enum kl_status stored_block(const struct pass *pass, unsigned worker, unsigned task,
                                   const void **bytes, size_t *n_bytes, struct kl_error *err)
{
    const struct kl_block_source *keys = pass->history->keys[pass->layer];
    const struct kl_extent *extent = &keys->extents[task];
    struct kl_block block = {0};
    enum kl_status status = kl_read_packed(keys, worker, task, 0, extent->count, &block, err);

    if (!status && block.count != extent->count)
        status = kl_fail(err, KL_ERR_MEMORY, "there is no memory for the run");
    *bytes = block.bits ? (const void *)block.bits : block.numbers;
    *n_bytes = block.bits ? extent->packed_bytes : extent->count * pass->row_bytes;
    return status;
}

static enum kl_status read_stored(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    struct pass *pass = job;
    const void *bytes;
    size_t n_bytes;
    enum kl_status status = stored_block(pass, worker, task, &bytes, &n_bytes, err);

    if (!status)
        pass->sums[worker] += sum_words(bytes, n_bytes / sizeof(uint64_t));
    return status;
}

/* What a chunk's row is compared with when it is loaded. */
static enum kl_status check_block(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    struct pass *pass = job;
    struct kl_checksum *sum = NULL;
    const void *bytes;
    size_t n_bytes;
    enum kl_status status = stored_block(pass, worker, task, &bytes, &n_bytes, err);

    if (!status)
        status = kl_checksum_begin("key_chunk", &sum, err);
    if (status)
        return status;
    kl_checksum_piece(sum, bytes, n_bytes);
    pass->sums[worker] += (uint64_t)kl_checksum_end(sum);
    return KL_OK;
}

static void run_blocks(struct pass *pass,
                       enum kl_status (*block)(void *, unsigned, unsigned, struct kl_error *))
{
    struct kl_error err;

    must(kl_pool_run(pass->pool, block, pass, pass->history->keys[pass->layer]->n_blocks, &err),
         &err);
}

static void check_all(void *job)
{
    run_blocks(job, check_block);
}

static void read_all(void *job)
{
    run_blocks(job, read_block);
}

static void read_all_stored(void *job)
{
    run_blocks(job, read_stored);
}

static void scan(void *job)
{
    struct pass *pass = job;
    struct kl_error err;

    must(kl_scan_attention(pass->pool, pass->history, pass->layer, pass->query, pass->out, &err),
         &err);
}

static struct pass pass_over(struct kl_pool *pool, const struct kl_run *run, uint32_t layer)
{
    struct pass pass = {.pool = pool, .history = &run->history, .layer = layer};
    uint32_t width = run->history.final->shape.inputs[layer];
    struct kl_error err;

    must(kl_alloc(&pass.query, width, sizeof *pass.query, "a query", &err), &err);
    must(kl_alloc(&pass.sums, kl_pool_n_workers(pool), sizeof *pass.sums, "sums", &err), &err);
    must(kl_alloc(&pass.out, run->history.n_patterns, sizeof *pass.out, "attention", &err), &err);
    for (uint32_t j = 0; j < width; j++)
        pass.query[j] = (float)j / (float)width - 0.5f;
    return pass;
}

/* Every number of the layer in memory, to be read as the limit. */
static void lay_out(struct pass *pass)
{
    const struct kl_block_source *keys = pass->history->keys[pass->layer];
    struct kl_error err;

    pass->row_bytes = kl_row_bytes(keys);
    must(kl_alloc_scanned(&pass->plain, keys->n_rows, pass->row_bytes, "keys", &err), &err);
    run_blocks(pass, copy_block);
}

static void clear(struct pass *pass)
{
    free(pass->plain);
    free(pass->query);
    free(pass->out);
    free(pass->sums);
}

double bench_read_ms(const struct bench *bench, uint32_t layer)
{
    struct pass pass = pass_over(bench->pool, bench->resident, layer);
    struct timed timed = {.run = read_all, .job = &pass};

    lay_out(&pass);
    measure(&timed, 1, ROUNDS);
    clear(&pass);
    return timed.spread.median;
}

static double anonymous_megabytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double kilobytes = 0;

    while (file && fgets(line, sizeof line, file))
        if (!strncmp(line, "RssAnon:", 8))
            kilobytes = strtod(line + 8, NULL);
    if (file)
        fclose(file);
    return kilobytes / 1e3;
}

void bench_streaming_memory(const struct bench *bench)
{
    struct pass pass = pass_over(bench->pool, bench->streamed, 1);
    double megabytes;

    section("Memory while streaming");
    scan(&pass);
    scan(&pass);
    megabytes = anonymous_megabytes();
    tell_ratio("anonymous memory of the whole process", "MB", single(megabytes), megabytes / 200,
               "200 MB", (struct bar){0, 1});
    clear(&pass);
}

static void bench_one_processor(const struct bench *bench)
{
    struct kl_pool *pool = NULL;
    struct kl_error err;
    struct pass pass;
    struct timed timed[] = {{.run = read_all, .job = &pass}, {.run = scan, .job = &pass}};

    must(kl_pool_create(1, &pool, &err), &err);
    pass = pass_over(pool, bench->resident, 1);
    lay_out(&pass);
    measure(timed, 2, ROUNDS);
    tell("one processor reads them once", "ms", timed[0].spread);
    tell_ratio("  scans them", "ms", timed[1].spread, timed[1].ratio, "reading",
               (struct bar){0, 1.25});
    clear(&pass);
    kl_pool_free(pool);
}

void bench_scans(const struct bench *bench)
{
    struct pass resident = pass_over(bench->pool, bench->resident, 1);
    struct pass streamed = pass_over(bench->pool, bench->streamed, 1);
    struct pass images = pass_over(bench->pool, bench->resident, 0);
    struct timed timed[] = {{.run = read_all, .job = &resident},
                            {.run = scan, .job = &resident},
                            {.run = scan, .job = &streamed},
                            {.run = scan, .job = &images, .over = 1},
                            {.run = check_all, .job = &resident, .over = 2},
                            {.run = read_all_stored, .job = &resident},
                            {.run = scan, .job = &resident, .over = 5}};
    const struct kl_block_source *keys = bench->resident->history.keys[1];
    char title[128];

    snprintf(title, sizeof title, "One pass over layer 2: %llu keys of %u float16, %.2f GB",
             (unsigned long long)keys->n_rows, keys->width,
             (double)keys->n_rows * (double)kl_row_bytes(keys) / 1e9);
    section(title);
    lay_out(&resident);
    measure(timed, 7, ROUNDS);
    tell("all processors read them once (the limit)", "ms", timed[0].spread);
    tell_ratio("  scan them, resident", "ms", timed[1].spread, timed[1].ratio, "reading",
               (struct bar){0, 1.10});
    tell_ratio("  scan them, streaming from the file", "ms", timed[2].spread, timed[2].ratio,
               "reading", (struct bar){0, 1.6});
    tell_ratio("  layer 1: images, once per sample", "ms", timed[3].spread, timed[3].ratio,
               "layer 2", (struct bar){0, 0.25});
    snprintf(title, sizeof title, "all processors read what is stored of them once, %.2f GB",
             (double)kl_resident_bytes(keys) / 1e9);
    tell(title, "ms", timed[5].spread);
    tell_ratio("  scan them, resident", "ms", timed[6].spread, timed[6].ratio, "reading that",
               (struct bar){0, 0});
    tell_ratio("checksums of them, which a streaming scan leaves out", "ms", timed[4].spread,
               timed[4].ratio, "streaming", (struct bar){0, 0});
    bench_one_processor(bench);
    clear(&resident);
    clear(&streamed);
    clear(&images);
}
