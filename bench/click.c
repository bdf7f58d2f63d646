#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/bench.h"
#include "bench/click.h"
#include "core/explain/layer_scan.h"
#include "core/scan/scan.h"

#define AT_ONCE 2 /* requests of one of the page's steps */
#define STEPS 3

/* What the page asks for when somebody clicks a test sample, step by step: the next one's requests
 * are sent when the answers of the one before are there (web/image/page.js). The sample itself,
 * pictures and what is kept of a run are left out: they need no pass over a layer. */
static const struct {
    const char *resource, *more;
} steps[STEPS][AT_ONCE] = {{{"answer", ""}, {"strips", ""}},
                           {{"views/classes", ""}, {"spotlight", "&rank=abs&by=pattern&k=20"}},
                           {{"answer", ""}, {"spotlight", "&rank=influence&by=sample&k=10"}}};

struct clicks {
    const struct bench *bench;
    const struct asker *asker;
    unsigned n_steps, next; /* sample */
    struct client clients[AT_ONCE];
    float *query, *out;
};

struct request {
    struct client *client;
    char path[256];
};

static void *get(void *job)
{
    struct request *request = job;

    client_get(request->client, request->path);
    return NULL;
}

/* All requests of a step at the same time, as a browser sends them. */
static void ask_step(struct clicks *clicks, unsigned step, uint32_t sample)
{
    struct request requests[AT_ONCE];
    pthread_t threads[AT_ONCE];

    for (size_t i = 0; i < AT_ONCE; i++) {
        requests[i].client = &clicks->clients[i];
        snprintf(requests[i].path, sizeof requests[i].path, "/api/v1/runs/%s/%s?sample=%u%s",
                 clicks->asker->run->fingerprint, steps[step][i].resource, sample,
                 steps[step][i].more);
        if (pthread_create(&threads[i], NULL, get, &requests[i]))
            exit(1);
    }
    for (size_t i = 0; i < AT_ONCE; i++)
        pthread_join(threads[i], NULL);
}

static void click(void *job)
{
    struct clicks *clicks = job;
    uint32_t sample = clicks->asker->ids[clicks->next++ % clicks->asker->n_ids];

    for (unsigned step = 0; step < clicks->n_steps; step++)
        ask_step(clicks, step, sample);
}

static void scan_keys(const struct clicks *clicks, uint32_t layer)
{
    struct kl_error err;

    must(kl_scan_attention(clicks->bench->pool, &clicks->bench->resident->history, layer,
                           clicks->query, clicks->out, &err),
         &err);
}

/* What the answer is made of. */
static void scan_last(void *job)
{
    const struct clicks *clicks = job;

    scan_keys(clicks, clicks->bench->resident->history.final->shape.n_layers - 1);
}

/* And what whom it would miss is: of every layer the keys, with another query, and the error
 * signals. */
static void scan_all(void *job)
{
    const struct clicks *clicks = job;
    const struct kl_history *history = &clicks->bench->resident->history;
    struct kl_error err;

    scan_last(job);
    for (uint32_t l = 0; l < history->final->shape.n_layers; l++) {
        scan_keys(clicks, l);
        must(kl_scan_dot(clicks->bench->pool, history->errors[l], clicks->query, 0, clicks->out,
                         &err),
             &err);
    }
}

void bench_click(const struct bench *bench, const struct asker *asker, float *query, float *out)
{
    struct clicks clicks[2] = {
        {.bench = bench, .asker = asker, .n_steps = STEPS - 1, .query = query, .out = out},
        {.bench = bench, .asker = asker, .n_steps = STEPS, .next = asker->n_ids / 2}};
    struct timed timed[] = {{.run = scan_last, .job = &clicks[0]},
                            {.run = click, .job = &clicks[0]},
                            {.run = scan_all, .job = &clicks[0]},
                            {.run = click, .job = &clicks[1], .over = 2}};

    for (unsigned i = 0; i < AT_ONCE; i++)
        clicks[0].clients[i] = clicks[1].clients[i] = client_open(asker->port);
    section("A click in the page: its requests, some after the others' answers");
    measure(timed, 4, ROUNDS);
    tell("the bare scan of the last layer", "ms", timed[0].spread);
    tell_ratio("  a click, until its spotlight is there", "ms", timed[1].spread, timed[1].ratio,
               "the scan", (struct bar){0, 0});
    tell("the bare scans of all that a click needs", "ms", timed[2].spread);
    tell_ratio("  and until those are whom it would miss", "ms", timed[3].spread, timed[3].ratio,
               "the scans", (struct bar){0, 1.5});
    for (unsigned i = 0; i < AT_ONCE; i++)
        client_close(&clicks[0].clients[i]);
}
