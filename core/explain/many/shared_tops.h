/* The best of items whose values several processes make up together, told with few numbers: as many
 * as there are candidates for the lists, not as many as there are items. */
#ifndef KL_CORE_EXPLAIN_MANY_SHARED_TOPS_H
#define KL_CORE_EXPLAIN_MANY_SHARED_TOPS_H

#include "core/base/top.h"
#include "core/peers/peers.h"

/* What each process has of n lists' values of items: values (n_items, n). */
struct kl_shared_values {
    const float *values;
    uint32_t n_items, n;
};

/* Fills n tops, empty and of one capacity, with the items whose largest value, or sum of values,
 * over all processes is largest; indices are items. Exact: of sums, an item of a list whose worst
 * is t has t / processes at least in one of them, and all that have that much anywhere are looked
 * at (Cao and Wang 2004, TPUT). Collective. Errors: KL_ERR_MEMORY, KL_ERR_PEERS. */
enum kl_status kl_tops_of_largest(struct kl_peers *peers, const struct kl_shared_values *values,
                                  struct kl_top *tops, struct kl_error *err);
enum kl_status kl_tops_of_sums(struct kl_peers *peers, const struct kl_shared_values *values,
                               struct kl_top *tops, struct kl_error *err);

#endif
