#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/asker.h"
#include "bench/bench.h"
#include "bench/click.h"
#include "core/base/memory.h"
#include "core/explain/layer_scan.h"
#include "core/explain/many/batch_query.h"
#include "server/server.h"

#define CLIENTS 8
#define REQUESTS 30 /* of each client, one after the other */

static void *ask_in_thread(void *job)
{
    ask(job);
    return NULL;
}

static void ask_all(void *job)
{
    struct asker *askers = job;
    pthread_t threads[CLIENTS];

    for (size_t i = 0; i < CLIENTS; i++)
        if (pthread_create(&threads[i], NULL, ask_in_thread, &askers[i]))
            exit(1);
    for (size_t i = 0; i < CLIENTS; i++)
        pthread_join(threads[i], NULL);
}

/* The passes that a query at a layer must make: its own, and the last one's, for the answer. */
struct passes {
    const struct bench *bench;
    uint32_t layers[2], n; /* from 0 */
    float *query, *out;
};

static void scan(void *job)
{
    struct passes *passes = job;
    struct kl_error err;

    for (uint32_t i = 0; i < passes->n; i++)
        must(kl_scan_attention(passes->bench->pool, &passes->bench->resident->history,
                               passes->layers[i], passes->query, passes->out, &err),
             &err);
}

static void bench_layer(const struct bench *bench, struct asker *asker, struct passes *passes,
                        uint32_t layer)
{
    uint32_t last = bench->resident->history.final->shape.n_layers - 1;
    struct timed timed[] = {{.run = scan, .job = passes}, {.run = ask, .job = asker}};
    char what[96];

    asker->layer = layer + 1;
    passes->layers[0] = last;
    passes->layers[1] = layer;
    passes->n = layer == last ? 1 : 2;
    measure(timed, 2, ROUNDS);
    snprintf(what, sizeof what, "layer %u: the bare scan%s", layer + 1,
             layer == last ? "" : "s of it and of the last one");
    tell(what, "ms", timed[0].spread);
    tell_ratio("  a request, from asking to the answer's last byte", "ms", timed[1].spread,
               timed[1].ratio, passes->n == 1 ? "the scan" : "the scans",
               (struct bar){0, layer ? 1.3 : 0});
}

static void bench_clients(struct asker *asker)
{
    struct asker askers[CLIENTS], alone = *asker;
    struct timed timed[] = {{.run = ask, .job = &alone}, {.run = ask_all, .job = askers}};
    struct spread rates;

    alone.n_requests = REQUESTS;
    for (unsigned i = 0; i < CLIENTS; i++) {
        askers[i] = *asker;
        askers[i].first = 1000 * i;
        askers[i].n_requests = REQUESTS;
        askers[i].client = client_open(asker->port);
    }
    measure(timed, 2, 7);
    tell("one client: requests a second", "1/s",
         (struct spread){REQUESTS * 1e3 / timed[0].spread.max,
                         REQUESTS * 1e3 / timed[0].spread.median,
                         REQUESTS * 1e3 / timed[0].spread.min});
    rates = (struct spread){CLIENTS * REQUESTS * 1e3 / timed[1].spread.max,
                            CLIENTS * REQUESTS * 1e3 / timed[1].spread.median,
                            CLIENTS * REQUESTS * 1e3 / timed[1].spread.min};
    tell_ratio("  eight clients", "1/s", rates, CLIENTS / timed[1].ratio, "one client",
               (struct bar){4, 0});
    for (unsigned i = 0; i < CLIENTS; i++)
        client_close(&askers[i].client);
}

void bench_requests(const struct bench *bench)
{
    static const struct kl_server_options options = {0};
    const struct kl_network *network = bench->resident->history.final;
    struct asker asker = {.run = bench->resident, .n_requests = 1, .more = "&views=time"};
    struct passes passes = {.bench = bench};
    struct kl_served *served = NULL;
    struct kl_server *server = NULL;
    struct kl_error err;
    uint32_t widest = 0, *ids = NULL;

    must(kl_batch_query_choose(&bench->resident->history, 10000, &ids, &asker.n_ids, &err), &err);
    asker.ids = ids;
    for (uint32_t l = 0; l < network->shape.n_layers; l++)
        widest = network->shape.inputs[l] > widest ? network->shape.inputs[l] : widest;
    must(kl_alloc(&passes.query, widest, sizeof(float), "a query", &err), &err);
    must(kl_alloc(&passes.out, bench->resident->history.n_patterns, sizeof(float), "attention",
                  &err),
         &err);
    for (uint32_t j = 0; j < widest; j++)
        passes.query[j] = (float)j / (float)widest - 0.5f;
    must(kl_served_create(bench->pool, kl_peers_none, 0, NULL, &served, &err), &err);
    must(kl_served_add(served, bench->resident, &err), &err);
    must(kl_server_start(&options, served, bench->pool, &server, &err), &err);
    asker.port = kl_server_port(server);
    asker.client = client_open(asker.port);
    section("Requests over HTTP: ranking, class totals, contributions, time, JSON");
    for (uint32_t l = network->shape.n_layers; l-- > 0;)
        bench_layer(bench, &asker, &passes, l);
    asker.layer = network->shape.n_layers;
    bench_clients(&asker);
    bench_click(bench, &asker, passes.query, passes.out);
    client_close(&asker.client);
    kl_server_stop(server);
    kl_served_free(served);
    free(passes.query);
    free(passes.out);
    free(ids);
}
