#include "core/peers/peers.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

enum call { CALL_END, CALL_COMBINE, CALL_GATHER, CALL_BROADCAST, CALL_MEET };

/* What every process says before each call: whether all make the same. */
struct intent {
    uint32_t call, status; /* enum call; enum kl_status */
    uint64_t size;         /* of what is told: bytes, or numbers and their kind */
};

struct kl_peers {
    struct kl_transport transport;
    struct intent *intents;   /* (n) */
    struct kl_error *reasons; /* (n) */
    pthread_t speaker;
    int is_speaking; /* whether there is one */
    int is_lost;     /* whether messages do not get through any more */
    struct kl_peers_told told;
};

static struct kl_peers none = {.transport = {.n = 1}};
struct kl_peers *const kl_peers_none = &none;

enum kl_status kl_peers_create(const struct kl_transport *transport, struct kl_peers **out,
                               struct kl_error *err)
{
    struct kl_peers *peers = NULL;
    enum kl_status status = kl_alloc(&peers, 1, sizeof *peers, "the processes", err);

    if (status)
        return status;
    peers->transport = *transport;
    status = kl_alloc(&peers->intents, transport->n, sizeof *peers->intents, "the processes", err);
    if (!status)
        status =
            kl_alloc(&peers->reasons, transport->n, sizeof *peers->reasons, "the processes", err);
    if (status)
        kl_peers_free(peers);
    else
        *out = peers;
    return status;
}

void kl_peers_free(struct kl_peers *peers)
{
    if (!peers || peers == &none)
        return;
    free(peers->intents);
    free(peers->reasons);
    free(peers);
}

uint32_t kl_peers_own(const struct kl_peers *peers)
{
    return peers->transport.own;
}

int kl_peers_are_lost(const struct kl_peers *peers)
{
    return peers->is_lost;
}

uint32_t kl_peers_n(const struct kl_peers *peers)
{
    return peers->transport.n;
}

struct kl_peers_told kl_peers_told(const struct kl_peers *peers)
{
    return (struct kl_peers_told){__atomic_load_n(&peers->told.n_calls, __ATOMIC_RELAXED),
                                  __atomic_load_n(&peers->told.n_bytes, __ATOMIC_RELAXED)};
}

static void count(struct kl_peers *peers, unsigned n_calls, size_t n_bytes)
{
    __atomic_fetch_add(&peers->told.n_calls, n_calls, __ATOMIC_RELAXED);
    __atomic_fetch_add(&peers->told.n_bytes, n_bytes, __ATOMIC_RELAXED);
}

void kl_peers_begin(struct kl_peers *peers)
{
    if (peers->transport.n == 1)
        return;
    peers->speaker = pthread_self();
    __atomic_store_n(&peers->is_speaking, 1, __ATOMIC_RELEASE);
}

static enum kl_status lost(struct kl_peers *peers, struct kl_error *err)
{
    peers->is_lost = 1;
    return kl_fail(err, KL_ERR_PEERS,
                   "the processes of this job cannot reach each other any more: start it again");
}

/* The reason of the first process that failed; none did: they did not do the same. */
static enum kl_status name_failure(const struct kl_peers *peers, struct kl_error *err)
{
    for (uint32_t p = 0; p < peers->transport.n; p++) {
        const struct kl_error *reason = &peers->reasons[p];

        if (!reason->status)
            continue;
        if (reason->is_told || p == peers->transport.own)
            *err = *reason;
        else
            kl_fail_on(err, reason->status, reason->parameter, "process %u: %s", p,
                       reason->message);
        err->is_told = 1;
        return reason->status;
    }
    return kl_fail(err, KL_ERR_PEERS,
                   "the processes of this job do not answer the same question: start it again, "
                   "each with the same keylight and the same words");
}

/* Says what this process is about to do: fails unless all do the same, and nobody failed. */
static enum kl_status meet(struct kl_peers *peers, struct intent own, const struct kl_error *reason,
                           int *all_end, struct kl_error *err)
{
    const struct kl_transport *transport = &peers->transport;
    struct kl_error told = {0};
    int is_same = 1;

    *all_end = 1;
    if (peers->is_lost || transport->gather(transport->self, &own, sizeof own, peers->intents))
        return lost(peers, err);
    count(peers, 0, sizeof own);
    for (uint32_t p = 0; p < transport->n; p++) {
        const struct intent *intent = &peers->intents[p];

        is_same &= intent->call == own.call && intent->size == own.size && !intent->status;
        *all_end &= intent->call == CALL_END;
    }
    if (is_same)
        return KL_OK;
    if (reason)
        told = *reason;
    if (transport->gather(transport->self, &told, sizeof told, peers->reasons))
        return lost(peers, err);
    return name_failure(peers, err);
}

enum kl_status kl_peers_end(struct kl_peers *peers, enum kl_status status, struct kl_error *err)
{
    const struct intent end = {CALL_END, status, 0};
    struct kl_error other = {0};
    int all_end = 0;

    if (peers->transport.n == 1)
        return status;
    while (!all_end)
        (void)meet(peers, end, status ? err : NULL, &all_end, &other);
    __atomic_store_n(&peers->is_speaking, 0, __ATOMIC_RELEASE);
    if (!status && other.status)
        *err = other;
    return status ? status : other.status;
}

/* Before a call other than the end. */
static enum kl_status agree_to(struct kl_peers *peers, enum call call, uint64_t size,
                               struct kl_error *err)
{
    const struct intent own = {call, KL_OK, size};
    int all_end;

    if (!__atomic_load_n(&peers->is_speaking, __ATOMIC_ACQUIRE) ||
        !pthread_equal(peers->speaker, pthread_self()))
        return kl_fail(err, KL_ERR_PEERS,
                       "this cannot be asked of a history that several processes share");
    return meet(peers, own, NULL, &all_end, err);
}

/* Of one process alone, and of nothing, there is nothing to tell. */
static int is_alone(const struct kl_peers *peers, size_t n)
{
    return peers->transport.n == 1 || n == 0;
}

static enum kl_status combine(struct kl_peers *peers, enum kl_combined how, void *numbers, size_t n,
                              struct kl_error *err)
{
    if (is_alone(peers, n))
        return KL_OK;
    if (agree_to(peers, CALL_COMBINE, n * 4 + how, err))
        return err->status;
    count(peers, 1, n * (how == KL_SUM_FLOATS ? sizeof(float) : sizeof(double)));
    return peers->transport.combine(peers->transport.self, how, numbers, n) ? lost(peers, err)
                                                                            : KL_OK;
}

enum kl_status kl_peers_sum(struct kl_peers *peers, double *numbers, size_t n, struct kl_error *err)
{
    return combine(peers, KL_SUM_DOUBLES, numbers, n, err);
}

enum kl_status kl_peers_sum_floats(struct kl_peers *peers, float *numbers, size_t n,
                                   struct kl_error *err)
{
    return combine(peers, KL_SUM_FLOATS, numbers, n, err);
}

enum kl_status kl_peers_sum_counts(struct kl_peers *peers, uint64_t *numbers, size_t n,
                                   struct kl_error *err)
{
    return combine(peers, KL_SUM_COUNTS, numbers, n, err);
}

enum kl_status kl_peers_largest(struct kl_peers *peers, uint64_t *numbers, size_t n,
                                struct kl_error *err)
{
    return combine(peers, KL_LARGEST_COUNTS, numbers, n, err);
}

enum kl_status kl_peers_smallest(struct kl_peers *peers, uint32_t *number, struct kl_error *err)
{
    uint64_t opposite = UINT32_MAX - *number;
    enum kl_status status = kl_peers_largest(peers, &opposite, 1, err);

    *number = UINT32_MAX - (uint32_t)opposite;
    return status;
}

enum kl_status kl_peers_gather(struct kl_peers *peers, const void *own, size_t n_bytes, void *all,
                               struct kl_error *err)
{
    if (is_alone(peers, n_bytes)) {
        if (n_bytes)
            memcpy(all, own, n_bytes);
        return KL_OK;
    }
    if (agree_to(peers, CALL_GATHER, n_bytes, err))
        return err->status;
    count(peers, 1, n_bytes);
    return peers->transport.gather(peers->transport.self, own, n_bytes, all) ? lost(peers, err)
                                                                             : KL_OK;
}

/* Brings rows of the longest length to one after the other: of n processes, lengths in bytes. */
static size_t close_up(char *rows, size_t longest, const uint64_t *lengths, uint32_t n)
{
    size_t at = 0;

    for (uint32_t p = 0; p < n; p++) {
        memmove(rows + at, rows + p * longest, (size_t)lengths[p]);
        at += (size_t)lengths[p];
    }
    return at;
}

enum kl_status kl_peers_gather_lists(struct kl_peers *peers, const void *own, size_t n_own,
                                     size_t n_bytes, void *out, size_t *n_all, struct kl_error *err)
{
    uint32_t n = peers->transport.n;
    uint64_t length = n_own * n_bytes, *lengths = NULL;
    size_t longest = 0;
    char *padded = NULL, *rows = NULL;
    enum kl_status status = kl_alloc(&lengths, n, sizeof *lengths, "a list", err);

    if (!status)
        status = kl_peers_gather(peers, &length, sizeof length, lengths, err);
    for (uint32_t p = 0; !status && p < n; p++)
        longest = lengths[p] > longest ? (size_t)lengths[p] : longest;
    if (!status)
        status = kl_alloc(&padded, longest, 1, "a list", err);
    if (!status)
        status = kl_alloc(&rows, n * longest, 1, "a list", err);
    if (!status && length)
        memcpy(padded, own, (size_t)length);
    if (!status)
        status = kl_peers_gather(peers, padded, longest, rows, err);
    if (status) {
        free(rows);
    } else {
        *n_all = close_up(rows, longest, lengths, n) / n_bytes;
        *(void **)out = rows;
    }
    free(lengths);
    free(padded);
    return status;
}

enum kl_status kl_peers_broadcast(struct kl_peers *peers, void *bytes, size_t n_bytes,
                                  struct kl_error *err)
{
    if (is_alone(peers, n_bytes))
        return KL_OK;
    if (agree_to(peers, CALL_BROADCAST, n_bytes, err))
        return err->status;
    count(peers, 1, peers->transport.own == 0 ? n_bytes : 0);
    return peers->transport.broadcast(peers->transport.self, bytes, n_bytes) ? lost(peers, err)
                                                                             : KL_OK;
}

enum kl_status kl_peers_meet(struct kl_peers *peers, struct kl_error *err)
{
    return peers->transport.n == 1 ? KL_OK : agree_to(peers, CALL_MEET, 0, err);
}

enum kl_status kl_peers_agree(struct kl_peers *peers, int own, int *all, struct kl_error *err)
{
    uint64_t n_yes = own ? 1 : 0;
    enum kl_status status = kl_peers_sum_counts(peers, &n_yes, 1, err);

    *all = n_yes == peers->transport.n;
    return status;
}
