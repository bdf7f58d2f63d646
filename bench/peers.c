#include <cblas.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "core/memory.h"

#define LAYER 1 /* from 0 */

struct gemv {
    int rows, width;
    float *keys, *query, *out;
};

static void multiply(void *job)
{
    const struct gemv *gemv = job;

    cblas_sgemv(CblasRowMajor, CblasNoTrans, gemv->rows, gemv->width, 1, gemv->keys, gemv->width,
                gemv->query, 1, 0, gemv->out, 1);
}

struct reading {
    const struct kl_block_source *source;
    float *rows; /* (n_rows, width) */
};

static enum kl_status read_block(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct reading *read = job;
    const struct kl_extent *extent = &read->source->extents[task];

    return kl_read_rows(read->source, worker, extent->first, extent->count,
                        read->rows + extent->first * read->source->width, err);
}

static void write_floats(const char *path, const float *numbers, size_t n)
{
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(numbers, sizeof *numbers, n, file) != n || fclose(file)) {
        perror(path);
        exit(1);
    }
}

struct spread bench_sgemv(const struct bench *bench, const char *keys_path)
{
    const struct kl_block_source *source = bench->streamed->history.keys[LAYER];
    struct gemv gemv = {.rows = (int)source->n_rows, .width = (int)source->width};
    struct timed timed = {.run = multiply, .job = &gemv};
    size_t n = source->n_rows * source->width;
    struct reading read;
    struct kl_error err;

    must(kl_alloc_scanned(&gemv.keys, n, sizeof(float), "keys", &err), &err);
    must(kl_alloc(&gemv.query, source->width, sizeof(float), "a query", &err), &err);
    must(kl_alloc(&gemv.out, source->n_rows, sizeof(float), "attention", &err), &err);
    for (uint32_t j = 0; j < source->width; j++)
        gemv.query[j] = (float)j / (float)source->width - 0.5f;
    read = (struct reading){source, gemv.keys};
    must(kl_pool_run(bench->pool, read_block, &read, source->n_blocks, &err), &err);
    measure(&timed, 1, ROUNDS);
    write_floats(keys_path, gemv.keys, n);
    free(gemv.keys);
    free(gemv.query);
    free(gemv.out);
    return timed.spread;
}

/* One line of peers.py: {"name": ..., "ms": [...]} or {"name": ..., "missing": why}. Returns the
 * median, or 0. */
static double tell_peer(const char *line)
{
    cJSON *said = cJSON_Parse(line);
    const cJSON *name = cJSON_GetObjectItem(said, "name"), *item;
    const cJSON *missing = cJSON_GetObjectItem(said, "missing");
    double times[ROUNDS];
    struct spread spread = {0, 0, 0};
    size_t n = 0;

    if (!cJSON_IsString(name)) {
        fprintf(stderr, "bench: peers.py said %s", line);
        exit(1);
    }
    for (item = cJSON_GetObjectItem(said, "ms"), item = item ? item->child : NULL;
         item && n < ROUNDS; item = item->next)
        times[n++] = item->valuedouble;
    if (n > 0) {
        spread = spread_of(times, n);
        tell(name->valuestring, "ms", spread);
    } else {
        tell_missing(name->valuestring, cJSON_IsString(missing) ? missing->valuestring : "silent");
    }
    cJSON_Delete(said);
    return spread.median;
}

void bench_peers(const struct bench *bench, const char *keys_path, struct spread sgemv)
{
    const struct kl_block_source *source = bench->streamed->history.keys[LAYER];
    double fastest = sgemv.median;
    char command[1024], line[4096];
    FILE *peers;

    section("What others take for the same scan, the keys as float32 in memory");
    tell("OpenBLAS sgemv, from C", "ms", sgemv);
    snprintf(command, sizeof command, "'%s' '%s' '%s' %llu %u %d", bench->python,
             bench->peers_script, keys_path, (unsigned long long)source->n_rows, source->width,
             ROUNDS);
    peers = popen(command, "r");
    while (peers && fgets(line, sizeof line, peers)) {
        double median = tell_peer(line);

        if (median > 0 && median < fastest)
            fastest = median;
    }
    if (!peers || pclose(peers))
        tell_missing("the peers of peers.py", "it did not run to its end");
    tell_ratio("the fastest of them", "ms", single(fastest), "keylight's scan", bench->scan_ms,
               (struct bar){2, 0});
}
