/* The best of every process's best. Collective, as all in core/peers/peers.h. */
#ifndef KL_CORE_PEERS_MERGING_H
#define KL_CORE_PEERS_MERGING_H

#include "core/base/top.h"
#include "core/peers/peers.h"

/* n lists of one capacity become, in every process, the best of all: items with indices that mean
 * the same everywhere. Before kl_top_sort. Errors: those of kl_peers_gather_lists. */
enum kl_status kl_peers_merge_tops(struct kl_peers *peers, struct kl_top *tops, uint32_t n,
                                   struct kl_error *err);

#endif
