#include "cli/job/job.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/job/transport.h"
#include "cli/job/watch.h"
#include "config.h"
#include "core/base/hash.h"
#include "core/base/memory.h"

/* What those who start jobs tell each process: its number, and how many there are. */
static const struct {
    const char *own, *n;
} told[] = {{"OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"}, {"PMI_RANK", "PMI_SIZE"}};

static struct kl_peers *peers; /* NULL: this process alone */
static uint32_t n_neighbours = 1;

/* From the environment: 1 where nobody says anything. */
static uint32_t read_size(uint32_t *own)
{
    *own = 0;
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        const char *rank = getenv(told[i].own), *size = getenv(told[i].n);
        unsigned long n = size ? strtoul(size, NULL, 10) : 0;

        if (!rank || n < 1 || n > UINT32_MAX)
            continue;
        *own = (uint32_t)strtoul(rank, NULL, 10);
        return (uint32_t)n;
    }
    return 1;
}

/* Only process 0 is heard, and only it decides when the job ends. */
static void be_quiet(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    fflush(NULL);
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
        close(nowhere);
    }
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
}

/* Whether all were started with the same words and are of one version: otherwise each would do
 * something else, or the same of something else. */
static enum kl_status compare_words(int argc, char **argv, struct kl_error *err)
{
    uint64_t own = kl_hash(KL_HASH_START, PACKAGE_VERSION, sizeof PACKAGE_VERSION), *all = NULL;
    enum kl_status status = kl_alloc(&all, kl_peers_n(peers), sizeof *all, "the words", err);

    for (int i = 1; i < argc; i++)
        own = kl_hash(own, argv[i], strlen(argv[i]) + 1);
    if (!status)
        status = kl_peers_gather(peers, &own, sizeof own, all, err);
    for (uint32_t p = 1; !status && p < kl_peers_n(peers); p++)
        if (all[p] != all[0])
            status = kl_fail(err, KL_ERR_USAGE,
                             "process %u of this job was started with other words than process 0, "
                             "or is another version: start all with the same",
                             p);
    free(all);
    return status;
}

enum kl_status kl_job_join(int argc, char **argv, struct kl_error *err)
{
    struct kl_transport transport;
    uint32_t own, n = read_size(&own);
    enum kl_status status;

    if (n == 1)
        return KL_OK;
    if (!kl_transport_exists() && own > 0)
        be_quiet(); /* one of them says it */
    if (!kl_transport_exists())
        return kl_fail(
            err, KL_ERR_USAGE,
            "this keylight was built without MPI, and mpirun starts %u that know nothing "
            "of each other: build it with libopenmpi-dev (configure --with-mpi)",
            n);
    kl_watch(own, n);
    status = kl_transport_open(n, &transport, &n_neighbours, err);
    if (!status)
        status = kl_peers_create(&transport, &peers, err);
    if (status)
        return status;
    if (transport.own > 0)
        be_quiet();
    kl_peers_begin(peers);
    return compare_words(argc, argv, err);
}

void kl_job_leave(void)
{
    int is_lost;

    if (!peers)
        return;
    is_lost = kl_peers_are_lost(peers);
    kl_peers_free(peers);
    peers = NULL;
    kl_transport_close(is_lost);
}

struct kl_peers *kl_job_peers(void)
{
    return peers ? peers : kl_peers_none;
}

int kl_job_speaks(void)
{
    return kl_peers_own(kl_job_peers()) == 0;
}

int kl_job_is_shared(void)
{
    return kl_peers_n(kl_job_peers()) > 1;
}

uint32_t kl_job_neighbours(void)
{
    return n_neighbours;
}

void kl_job_holds(const struct kl_run *run)
{
    char list[200] = "", text[400];
    size_t used = 0;
    uint32_t n = 0;

    if (!peers)
        return;
    for (uint32_t i = 0; i < run->n_shards; i++) {
        if (run->shards[i].holder != (int)kl_peers_own(peers))
            continue;
        if (used + 24 < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "%s%u", n ? ", " : "", i);
        n++;
    }
    snprintf(text, sizeof text, "%s %s%s of %.150s", n == 1 ? "shard" : "shards", list,
             used + 24 < sizeof list ? "" : " and others", run->path);
    kl_watch_note(text);
}
