#include "bench/asker.h"

#include <stdio.h>

void ask(void *job)
{
    struct asker *asker = job;
    char path[256];

    for (unsigned i = 0; i < asker->n_requests; i++) {
        snprintf(path, sizeof path, "/api/v1/runs/%s/attention?sample=%u&layer=%u%s",
                 asker->run->fingerprint, asker->ids[asker->first++ % asker->n_ids], asker->layer,
                 asker->more);
        client_get(&asker->client, path);
    }
}
