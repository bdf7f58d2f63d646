/* A run that Adam trained, beside the one of the same shape that SGD did. */
#include <stdio.h>
#include <stdlib.h>

#include "bench/asker.h"
#include "bench/bench.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/explain/dual/adam.h"
#include "core/explain/layer_scan.h"
#include "core/explain/many/batch_query.h"
#include "server/server.h"

static double time_of(struct asker *asker)
{
    double started = kl_now_ms();

    ask(asker);
    return kl_now_ms() - started;
}

static void bench_first(struct asker *sgd, struct asker *adam)
{
    double plain = time_of(sgd), first = time_of(adam);

    tell("first request of the last layer: SGD", "ms", single(plain));
    tell("  Adam, which makes its coefficients then", "ms", single(first));
}

static void bench_last_layer(struct asker *sgd, struct asker *adam)
{
    struct timed timed[] = {{.run = ask, .job = sgd}, {.run = ask, .job = adam}};

    measure(timed, 2, ROUNDS);
    tell("a request by contribution, last layer: SGD", "ms", timed[0].spread);
    tell_ratio("  Adam", "ms", timed[1].spread, timed[1].ratio, "SGD", (struct bar){0, 1.3});
}

/* The bare passes that these requests make. */
struct passes {
    const struct bench *bench;
    const struct kl_run *run; /* the one that Adam trained */
    float *query, *attention, *weighted;
};

static void scan(void *job)
{
    const struct passes *passes = job;
    struct kl_error err;

    must(kl_scan_attention(passes->bench->pool, &passes->run->history,
                           passes->run->history.final->shape.n_layers - 1, passes->query,
                           passes->attention, &err),
         &err);
}

static void weigh(void *job)
{
    const struct passes *passes = job;
    struct kl_error err;

    must(kl_adam_weigh(passes->bench->pool, &passes->run->history, 0, passes->query,
                       passes->attention, passes->weighted, &err),
         &err);
}

static void bench_passes(const struct bench *bench, const struct kl_run *run)
{
    const struct kl_shape *shape = &run->history.final->shape;
    struct passes passes = {bench, run, NULL, NULL, NULL};
    struct timed timed[] = {{.run = scan, .job = &passes}, {.run = weigh, .job = &passes}};
    struct kl_error err;

    must(
        kl_alloc(&passes.query, shape->inputs[shape->n_layers - 1], sizeof(float), "a query", &err),
        &err);
    must(kl_alloc(&passes.attention, run->history.n_patterns, sizeof(float), "attention", &err),
         &err);
    must(kl_alloc(&passes.weighted, run->history.n_patterns, sizeof(float), "attention", &err),
         &err);
    for (uint32_t i = 0; i < shape->inputs[shape->n_layers - 1]; i++)
        passes.query[i] = (float)(i % 7);
    weigh(&passes);
    measure(timed, 2, ROUNDS);
    tell("the bare pass over the last layer's keys, attention", "ms", timed[0].spread);
    tell_ratio("  attention and what Adam makes of it", "ms", timed[1].spread, timed[1].ratio,
               "attention", (struct bar){0, 0});
    free(passes.query);
    free(passes.attention);
    free(passes.weighted);
}

static void bench_hidden(struct asker *adam)
{
    char what[96];

    for (adam->layer = adam->run->history.final->shape.n_layers - 1; adam->layer > 0;
         adam->layer--) {
        snprintf(what, sizeof what, "layer %u, Adam: contributions to all logits, kept",
                 adam->layer);
        tell(what, "ms", single(time_of(adam)));
        adam->first--; /* the same sample again */
    }
}

void bench_adam(const struct bench *bench, struct kl_run *run)
{
    static const struct kl_server_options options = {0};
    struct asker sgd = {.run = bench->resident, .n_requests = 1, .more = "&rank=logit"}, adam;
    struct kl_served *served = NULL;
    struct kl_server *server = NULL;
    uint32_t *ids = NULL;
    struct kl_error err;

    must(kl_batch_query_choose(&run->history, 10000, &ids, &sgd.n_ids, &err), &err);
    sgd.ids = ids;
    sgd.layer = run->history.final->shape.n_layers;
    must(kl_served_create(bench->pool, kl_peers_none, 0, NULL, &served, &err), &err);
    must(kl_served_add(served, bench->resident, &err), &err);
    must(kl_served_add(served, run, &err), &err);
    must(kl_server_start(&options, served, bench->pool, &server, &err), &err);
    sgd.port = kl_server_port(server);
    adam = sgd;
    adam.run = run;
    sgd.client = client_open(sgd.port);
    adam.client = client_open(sgd.port);
    section("Adam: the same shape and data, trained with it");
    bench_first(&sgd, &adam);
    bench_passes(bench, run);
    bench_last_layer(&sgd, &adam);
    bench_hidden(&adam);
    client_close(&sgd.client);
    client_close(&adam.client);
    kl_server_stop(server);
    kl_served_free(served);
    free(ids);
}
