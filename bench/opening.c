#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/child.h"
#include "bench/client.h"
#include "core/base/clock.h"

#define WARM_MS 500

/* Drops the file from the page cache, which works when nothing maps it and all is written. */
static void make_cold(const char *path)
{
    int file = open(path, O_RDONLY);

    if (file < 0 || fsync(file) || posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED)) {
        perror(path);
        exit(1);
    }
    close(file);
}

static void make_warm(const char *path)
{
    static char buffer[1 << 20];
    int file = open(path, O_RDONLY);

    while (file >= 0 && read(file, buffer, sizeof buffer) > 0)
        ;
    close(file);
}

/* Starts the server and asks it one thing; ends it, and returns the time until the answer. */
static double first_answer(const struct bench *bench, const char *fingerprint, const char *memory)
{
    const char *const arguments[] = {bench->keylight, "serve", bench->path, "--port", "0",
                                     "--memory",      memory,  NULL};
    double started = kl_now_ms();
    struct child server = child_start(arguments);
    struct client client;
    char line[512] = "", path[128];
    const char *port = NULL;

    while (!port && fgets(line, sizeof line, server.from))
        port = strstr(line, "127.0.0.1:");
    if (!port) {
        fprintf(stderr, "bench: %s did not become ready\n", bench->keylight);
        exit(1);
    }
    client = client_open((uint16_t)strtoul(port + 10, NULL, 10));
    snprintf(path, sizeof path, "/api/v1/runs/%s/attention?sample=0", fingerprint);
    client_get(&client, path);
    started = kl_now_ms() - started;
    client_close(&client);
    child_end(&server);
    return started;
}

static void bench_one(const struct bench *bench, const char *fingerprint, int is_cold,
                      const char *memory, const char *what)
{
    double times[3];
    struct spread spread;

    for (size_t i = 0; i < 3; i++) {
        (is_cold ? make_cold : make_warm)(bench->path);
        times[i] = first_answer(bench, fingerprint, memory);
    }
    spread = spread_of(times, 3);
    if (is_cold)
        tell(what, "ms", spread);
    else
        tell_ratio(what, "ms", spread, spread.median / WARM_MS, "half a second",
                   (struct bar){0, 1});
}

void bench_opening(const struct bench *bench)
{
    struct kl_run *run = NULL;
    struct kl_error err;
    char title[128], fingerprint[17];

    must(kl_run_open(bench->path, 0, &run, &err), &err);
    snprintf(title, sizeof title, "From starting keylight serve to its first answer, %.2f GB",
             (double)run->file_bytes / 1e9);
    snprintf(fingerprint, sizeof fingerprint, "%s", run->fingerprint);
    kl_run_close(run); /* what is mapped does not become cold */
    section(title);
    bench_one(bench, fingerprint, 0, "64G", "page cache warm");
    bench_one(bench, fingerprint, 0, "0", "  copying nothing (--memory 0)");
    bench_one(bench, fingerprint, 1, "64G", "page cache cold");
    bench_one(bench, fingerprint, 1, "0", "  copying nothing (--memory 0)");
}
