/* The processes that hold a history together, each some of its patterns, and what they tell each
 * other: sums over patterns become sums over all, the best of each the best of all, and what one
 * knows everybody's. All run the same program on the same words; what differs between them is only
 * which patterns they have.
 *
 * Every call here is collective: all processes make the same calls in the same order, from one
 * thread at a time each. Where one of them fails, or makes another call than the rest, all of them
 * fail, so that nobody waits for somebody who has left; kl_peers_end is where they meet again. Of
 * one process alone (kl_peers_none) every call is done at once, and changes nothing. */
#ifndef KL_CORE_PEERS_PEERS_H
#define KL_CORE_PEERS_PEERS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

enum kl_combined { KL_SUM_COUNTS, KL_SUM_FLOATS, KL_SUM_DOUBLES, KL_LARGEST_COUNTS };

/* How bytes get from one process to another. Functions return 0, or what they failed with. */
struct kl_transport {
    void *self;
    uint32_t own, n; /* the number of this process, from 0; of all */
    /* all (n, n_bytes): what each process has in own, in the order of their numbers. */
    int (*gather)(void *self, const void *own, size_t n_bytes, void *all);
    /* Makes one of each of n numbers (uint64_t, float or double) over all processes, in place; the
     * same in all to the bit. */
    int (*combine)(void *self, enum kl_combined how, void *numbers, size_t n);
    /* What process 0 has in bytes everybody has then. */
    int (*broadcast)(void *self, void *bytes, size_t n_bytes);
};

struct kl_peers;

/* The only process that there is. */
extern struct kl_peers *const kl_peers_none;

/* The transport is copied, and must outlive *peers, which the caller ends with kl_peers_free.
 * Errors: KL_ERR_MEMORY. */
enum kl_status kl_peers_create(const struct kl_transport *transport, struct kl_peers **peers,
                               struct kl_error *err);
void kl_peers_free(struct kl_peers *peers);

/* The number of this process, from 0, and of how many. */
uint32_t kl_peers_own(const struct kl_peers *peers);
uint32_t kl_peers_n(const struct kl_peers *peers);

/* From now on this thread is who speaks for the process, until kl_peers_end; others are refused.
 */
void kl_peers_begin(struct kl_peers *peers);

/* Waits for all processes to get here, whatever became of what they did: status is what became of
 * it here, with *err. Returns it; or, where it is KL_OK but another process failed, that failure.
 * Afterwards nobody speaks. */
enum kl_status kl_peers_end(struct kl_peers *peers, enum kl_status status, struct kl_error *err);

/* Adds up numbers over all processes, in place. Errors: KL_ERR_PEERS, or what another process
 * failed with; so do all that follow. */
enum kl_status kl_peers_sum(struct kl_peers *peers, double *numbers, size_t n,
                            struct kl_error *err);
enum kl_status kl_peers_sum_floats(struct kl_peers *peers, float *numbers, size_t n,
                                   struct kl_error *err);
enum kl_status kl_peers_sum_counts(struct kl_peers *peers, uint64_t *numbers, size_t n,
                                   struct kl_error *err);

/* The largest of each of n numbers over all processes, in place. */
enum kl_status kl_peers_largest(struct kl_peers *peers, uint64_t *numbers, size_t n,
                                struct kl_error *err);

/* The smallest of a number over all processes: of workers, as what is done in rounds has to be the
 * same everywhere. */
enum kl_status kl_peers_smallest(struct kl_peers *peers, uint32_t *number, struct kl_error *err);

/* all (processes, n_bytes): what each has in own. */
enum kl_status kl_peers_gather(struct kl_peers *peers, const void *own, size_t n_bytes, void *all,
                               struct kl_error *err);

/* Lists of any length: *all (*n_all, n_bytes) are the items of all processes, one process's after
 * the other's; the caller's to free. Of one process a copy. */
enum kl_status kl_peers_gather_lists(struct kl_peers *peers, const void *own, size_t n_own,
                                     size_t n_bytes, void *all, size_t *n_all,
                                     struct kl_error *err);

/* What process 0 has in bytes everybody has then. */
enum kl_status kl_peers_broadcast(struct kl_peers *peers, void *bytes, size_t n_bytes,
                                  struct kl_error *err);

/* Waits for all to get here: fails where one of them has failed before, so that nobody keeps what
 * another has not. */
enum kl_status kl_peers_meet(struct kl_peers *peers, struct kl_error *err);

/* Whether all processes say yes: for what one of them may have kept, and another not. */
enum kl_status kl_peers_agree(struct kl_peers *peers, int own, int *all, struct kl_error *err);

/* Whether the others cannot be reached any more: all that follows fails. */
int kl_peers_are_lost(const struct kl_peers *peers);

/* How much this process has told the others by now: calls of those above, and the bytes that it put
 * into them. Thread-safe. */
struct kl_peers_told {
    uint64_t n_calls, n_bytes;
};
struct kl_peers_told kl_peers_told(const struct kl_peers *peers);

#endif
