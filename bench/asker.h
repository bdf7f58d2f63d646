/* Somebody who asks for one test sample after the other. Not thread-safe. */
#ifndef KL_BENCH_ASKER_H
#define KL_BENCH_ASKER_H

#include "bench/client.h"
#include "db/run.h"

struct asker {
    const struct kl_run *run;
    const uint32_t *ids; /* (n_ids) test samples */
    uint32_t n_ids;
    uint16_t port;
    uint32_t layer;   /* from 1 */
    const char *more; /* parameters, each with a & before it */
    unsigned n_requests, first;
    struct client client;
};

/* What struct timed runs: n_requests of the asker that job is. */
void ask(void *job);

#endif
