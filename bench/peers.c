#include <cblas.h>
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/child.h"
#include "core/base/memory.h"
#include "core/scan/scan.h"

#define LAYER 1     /* from 0 */
#define PEERS_MAX 8 /* of peers.py */
#define REST_MS 300 /* threads of BLAS libraries spin for a while after their work */

/* The same scan by keylight and by OpenBLAS. */
struct scan {
    const struct bench *bench;
    const struct kl_block_source *source;
    float *keys; /* (n_rows, width) */
    float *query, *out;
};

/* One of those that peers.py knows. */
struct peer {
    struct child *child;
    int number;
};

static void scan_keys(void *job)
{
    const struct scan *scan = job;
    struct kl_error err;

    must(kl_scan_dot(scan->bench->pool, scan->source, scan->query, 0, scan->out, &err), &err);
}

static void multiply(void *job)
{
    const struct scan *scan = job;
    int rows = (int)scan->source->n_rows, width = (int)scan->source->width;

    cblas_sgemv(CblasRowMajor, CblasNoTrans, rows, width, 1, scan->keys, width, scan->query, 1, 0,
                scan->out, 1);
}

static void ask_peer(void *job)
{
    const struct peer *peer = job;
    char line[64];

    fprintf(peer->child->to, "%d\n", peer->number);
    fflush(peer->child->to);
    if (!fgets(line, sizeof line, peer->child->from)) {
        fprintf(stderr, "bench: peers.py ended\n");
        exit(1);
    }
}

static enum kl_status convert_block(void *job, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct scan *scan = job;
    const struct kl_extent *extent = &scan->source->extents[task];

    return kl_read_rows(scan->source, worker, extent->first, extent->count,
                        scan->keys + extent->first * scan->source->width, err);
}

static struct scan prepare(const struct bench *bench)
{
    struct scan scan = {.bench = bench, .source = bench->resident->history.keys[LAYER]};
    size_t width = scan.source->width;
    struct kl_error err;

    must(kl_alloc_scanned(&scan.keys, scan.source->n_rows * width, sizeof(float), "keys", &err),
         &err);
    must(kl_alloc(&scan.query, width, sizeof(float), "a query", &err), &err);
    must(kl_alloc(&scan.out, scan.source->n_rows, sizeof(float), "attention", &err), &err);
    for (size_t j = 0; j < width; j++)
        scan.query[j] = (float)j / (float)width - 0.5f;
    must(kl_pool_run(bench->pool, convert_block, &scan, scan.source->n_blocks, &err), &err);
    return scan;
}

static void write_keys(const struct scan *scan, const char *path)
{
    size_t n = scan->source->n_rows * scan->source->width;
    FILE *file = fopen(path, "wb");

    if (!file || fwrite(scan->keys, sizeof *scan->keys, n, file) != n || fclose(file)) {
        perror(path);
        exit(1);
    }
}

/* What peers.py says first: a list of names, and why some of them are missing. */
static cJSON *read_peers(struct child *child)
{
    char line[4096];
    cJSON *peers = fgets(line, sizeof line, child->from) ? cJSON_Parse(line) : NULL;

    if (!cJSON_IsArray(peers)) {
        fprintf(stderr, "bench: peers.py did not say whom it knows\n");
        exit(1);
    }
    return peers;
}

static void measure_peers(struct scan *scan, struct child *child)
{
    struct timed timed[2 + PEERS_MAX] = {{.run = scan_keys, .job = scan, .rest_ms = REST_MS},
                                         {.run = multiply, .job = scan, .rest_ms = REST_MS}};
    const char *names[2 + PEERS_MAX] = {"keylight", "OpenBLAS sgemv, from C"};
    struct peer asked[PEERS_MAX];
    cJSON *peers = read_peers(child), *peer;
    size_t n = 2, fastest = 1;

    cJSON_ArrayForEach(peer, peers)
    {
        if (cJSON_GetObjectItem(peer, "missing") || n == 2 + PEERS_MAX)
            continue;
        asked[n - 2] = (struct peer){child, cJSON_GetObjectItem(peer, "number")->valueint};
        names[n] = cJSON_GetObjectItem(peer, "name")->valuestring;
        timed[n] = (struct timed){.run = ask_peer, .job = &asked[n - 2], .rest_ms = REST_MS};
        n++;
    }
    measure(timed, n, ROUNDS);
    for (size_t i = 0; i < n; i++) {
        tell(names[i], "ms", timed[i].spread);
        if (i > 0 && timed[i].ratio < timed[fastest].ratio)
            fastest = i;
    }
    cJSON_ArrayForEach(peer, peers)
    {
        const cJSON *missing = cJSON_GetObjectItem(peer, "missing");

        if (missing)
            tell_missing(cJSON_GetObjectItem(peer, "name")->valuestring, missing->valuestring);
    }
    tell_ratio("the fastest of the others", "ms", timed[fastest].spread, timed[fastest].ratio,
               "keylight", (struct bar){2, 0});
    cJSON_Delete(peers);
}

void bench_peers(const struct bench *bench, const char *keys_path)
{
    struct scan scan = prepare(bench);
    char rows[24], width[24];
    const char *const arguments[] = {bench->python, bench->peers_script, keys_path, rows, width,
                                     NULL};
    struct child child;

    section("The same scan by others, the keys as float32 in memory");
    write_keys(&scan, keys_path);
    snprintf(rows, sizeof rows, "%llu", (unsigned long long)scan.source->n_rows);
    snprintf(width, sizeof width, "%u", scan.source->width);
    child = child_start(arguments);
    measure_peers(&scan, &child);
    child_end(&child);
    unlink(keys_path);
    free(scan.keys);
    free(scan.query);
    free(scan.out);
}
