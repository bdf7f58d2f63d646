#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/bench.h"
#include "bench/child.h"
#include "bench/client.h"
#include "core/base/clock.h"

#define MOST 3  /* processes, and shards */
#define LAYER 2u /* that is asked about */
#define PLAIN 9 /* requests a round, each of another sample */
#define WARM 3  /* before: layers are copied into memory */

/* How a job is started, and what is asked of it. */
struct job {
    const struct bench *bench;
    const char *folder; /* of the shards */
    char fingerprint[17];
    unsigned n; /* processes */
    struct child server;
    struct client client;
};

static void start(struct job *job)
{
    char n[12], line[512] = "";
    const char *const arguments[] = {
        "mpirun", "--oversubscribe", "--bind-to", "none", "-n",       n,     job->bench->keylight,
        "serve",  job->folder,       "--port",    "0",    "--memory", "64G", NULL};
    const char *port = NULL;

    snprintf(n, sizeof n, "%u", job->n);
    job->server = child_start(job->n > 1 ? arguments : arguments + 6);
    while (!port && fgets(line, sizeof line, job->server.from))
        port = strstr(line, "127.0.0.1:");
    if (!port) {
        fprintf(stderr, "bench: %u processes did not become ready\n", job->n);
        exit(1);
    }
    job->client = client_open((uint16_t)strtoul(port + 10, NULL, 10));
}

static void end(struct job *job)
{
    client_close(&job->client);
    child_end(&job->server);
}

static void ask_about(struct job *job, const char *what, unsigned sample)
{
    char path[200];

    snprintf(path, sizeof path, "/api/v1/runs/%s/%ssample=%u&layer=%u", job->fingerprint, what,
             sample, LAYER);
    client_get(&job->client, path);
}

/* What process 0 has told the others by now. */
static double told(struct job *job, const char *which)
{
    const char *at;

    client_get(&job->client, "/api/v1/memory");
    at = strstr(job->client.buffer, which);
    return at ? strtod(at + strlen(which) + 2, NULL) : 0;
}

/* Milliseconds of a request, and what it tells. */
static void measure_one(struct job *job, const char *what, const char *name, double read_ms)
{
    double times[PLAIN], calls, bytes;
    char row[100];

    for (unsigned i = 0; i < WARM; i++) {
        ask_about(job, what, 1000 + i);
        sleep(1); /* copies are made beside */
    }
    calls = told(job, "told_calls");
    bytes = told(job, "told_bytes");
    for (unsigned i = 0; i < PLAIN; i++) {
        times[i] = kl_now_ms();
        ask_about(job, what, i);
        times[i] = kl_now_ms() - times[i];
    }
    snprintf(row, sizeof row, "%s, %u", name, job->n);
    if (read_ms > 0)
        tell_ratio(row, "ms", spread_of(times, PLAIN), spread_of(times, PLAIN).median / read_ms,
                   "reading the layer's keys once", (struct bar){0, 0});
    else
        tell(row, "ms", spread_of(times, PLAIN));
    if (job->n == 1)
        return;
    tell("  calls of it", "", single((told(job, "told_calls") - calls) / PLAIN));
    tell("  bytes told of it, by each process", "",
         single((told(job, "told_bytes") - bytes) / PLAIN));
}

/* Cuts a run into shards, unless that is done. */
static void split(const struct bench *bench, const char *path, const char *folder)
{
    char command[600];

    snprintf(command, sizeof command,
             "test -d %s || { '%s' split %s --shards %d --output %s > %s.log && rm %s.log; }",
             folder, bench->keylight, path, MOST, folder, folder, folder);
    if (system(command)) {
        fprintf(stderr, "bench: %s could not be split\n", path);
        exit(1);
    }
}

static void bench_run(const struct bench *bench, const char *path, const char *folder,
                      double read_ms)
{
    struct job job = {.bench = bench, .folder = folder};
    struct kl_run *run = NULL;
    struct kl_error err;
    char title[128];

    must(kl_run_open(path, 0, &run, &err), &err);
    snprintf(title, sizeof title, "Processes that share %.0f patterns, layer %u",
             (double)run->history.n_patterns, LAYER);
    snprintf(job.fingerprint, sizeof job.fingerprint, "%s", run->fingerprint);
    kl_run_close(run);
    section(title);
    for (job.n = 1; job.n <= MOST; job.n++) {
        start(&job);
        measure_one(&job, "spotlight?k=100&contributions=no&", "the 100 best patterns, processes",
                    read_ms);
        measure_one(&job, "views/time?", "attention over time, contributions, processes", 0);
        measure_one(&job, "spotlight?k=100&by=sample&", "the 100 best samples, processes", 0);
        end(&job);
    }
}

void bench_processes(const struct bench *bench, const char *small)
{
    if (system("mpirun --version > /dev/null 2>&1")) {
        tell_missing("processes that share a history", "there is no mpirun");
        return;
    }
    /* As root, too, and without ssh: it is a measurement of this machine. */
    setenv("OMPI_MCA_plm", "isolated", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
    setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    split(bench, bench->path, "bench/shards");
    split(bench, small, "bench/small-shards");
    bench_run(bench, bench->path, "bench/shards", bench_read_ms(bench, LAYER - 1));
    bench_run(bench, small, "bench/small-shards", 0);
}
