/* Which of the processes that open a run together answers for which of its shards. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "db/run_private.h"

/* What a process says of a shard. */
struct sight {
    uint32_t is_seen, first_step, last_step;
};

/* What it says of the run. */
struct opened {
    char run[17];
    uint32_t n_shards;
};

static enum kl_status check_same(const struct kl_run *run, struct kl_peers *peers,
                                 struct kl_error *err)
{
    struct opened own = {.n_shards = run->n_shards}, *all = NULL;
    enum kl_status status = kl_alloc(&all, kl_peers_n(peers), sizeof *all, "the shards", err);

    memcpy(own.run, run->fingerprint, sizeof own.run);
    if (!status)
        status = kl_peers_gather(peers, &own, sizeof own, all, err);
    for (uint32_t p = 0; !status && p < kl_peers_n(peers); p++)
        if (strcmp(all[p].run, all[0].run) || all[p].n_shards != all[0].n_shards)
            status = kl_fail(err, KL_ERR_INPUT,
                             "process %u of this job opens another run than process 0 (%s): give "
                             "each the same one",
                             p, run->path);
    if (!status && run->n_shards == 1)
        status =
            kl_fail(err, KL_ERR_USAGE,
                    "%s is one file, and this job has %u processes, which take a shard or more "
                    "each: cut it into as many ('keylight split')",
                    run->path, kl_peers_n(peers));
    free(all);
    return status;
}

/* The process that answers for a shard: the one whose turn it is, if it sees it, or else, of those
 * that do, one with the fewest; none does: -1. */
static int choose(const struct sight *sights, uint32_t n_shards, uint32_t shard, uint32_t n,
                  uint32_t turn, const uint32_t *loads)
{
    int chosen = -1;

    if (sights[(size_t)turn * n_shards + shard].is_seen)
        return (int)turn;
    for (uint32_t p = 0; p < n; p++)
        if (sights[(size_t)p * n_shards + shard].is_seen &&
            (chosen < 0 || loads[p] < loads[chosen]))
            chosen = (int)p;
    return chosen;
}

/* Gives each process that has none yet a shard that it sees of one that has several. */
static void even_out(struct kl_run *run, const struct sight *sights, uint32_t n, uint32_t *loads)
{
    for (uint32_t p = 0; p < n; p++)
        for (uint32_t i = 0; !loads[p] && i < run->n_shards; i++) {
            int holder = run->shards[i].holder;

            if (holder < 0 || loads[holder] < 2 || !sights[(size_t)p * run->n_shards + i].is_seen)
                continue;
            loads[holder]--;
            loads[p]++;
            run->shards[i].holder = (int)p;
        }
}

/* Divides the shards that anybody sees, in their order, into as many for each. */
static enum kl_status assign(struct kl_run *run, const struct sight *sights, uint32_t n,
                             struct kl_error *err)
{
    uint32_t n_shards = run->n_shards, n_seen = 0, nth = 0, *loads = NULL;
    enum kl_status status = kl_alloc(&loads, n, sizeof *loads, "the shards", err);

    for (uint32_t i = 0; i < n_shards; i++)
        for (uint32_t p = 0, counted = 0; !counted && p < n; p++)
            n_seen += counted = sights[(size_t)p * n_shards + i].is_seen;
    for (uint32_t i = 0; !status && i < n_shards; i++) {
        struct kl_run_shard *shard = &run->shards[i];

        shard->holder = choose(sights, n_shards, i, n, nth < n_seen ? nth * n / n_seen : 0, loads);
        if (shard->holder < 0)
            continue;
        shard->first_step = sights[(size_t)shard->holder * n_shards + i].first_step;
        shard->last_step = sights[(size_t)shard->holder * n_shards + i].last_step;
        loads[shard->holder]++;
        nth++;
    }
    if (!status)
        even_out(run, sights, n, loads);
    for (uint32_t p = 0; !status && p < n; p++)
        if (!loads[p])
            status = kl_fail(err, KL_ERR_USAGE,
                             "of the %u shards of %s, %u are here, and none is left for process %u "
                             "of %u: start fewer processes, bring shards that it can read, or "
                             "split the run into more",
                             n_shards, run->path, n_seen, p, n);
    free(loads);
    return status;
}

enum kl_status kl_shards_divide(struct kl_run *run, struct kl_peers *peers, struct kl_error *err)
{
    uint32_t n = kl_peers_n(peers);
    struct sight *own = NULL, *all = NULL;
    enum kl_status status;

    for (uint32_t i = 0; i < run->n_shards; i++)
        run->shards[i].holder = run->shards[i].path ? 0 : -1;
    if (n == 1)
        return KL_OK;
    status = check_same(run, peers, err);
    if (!status)
        status = kl_alloc(&own, run->n_shards, sizeof *own, "the shards", err);
    if (!status)
        status = kl_alloc(&all, (size_t)n * run->n_shards, sizeof *all, "the shards", err);
    for (uint32_t i = 0; !status && i < run->n_shards; i++)
        own[i] = (struct sight){run->shards[i].path != NULL, run->shards[i].first_step,
                                run->shards[i].last_step};
    if (!status)
        status = kl_peers_gather(peers, own, run->n_shards * sizeof *own, all, err);
    if (!status)
        status = assign(run, all, n, err);
    free(own);
    free(all);
    return status;
}
