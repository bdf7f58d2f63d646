#include "core/peers/merging.h"

#include <stdlib.h>

#include "core/base/memory.h"

/* An item, and which list it is of. */
struct entry {
    struct kl_top_item item;
    uint64_t list;
};

enum kl_status kl_peers_merge_tops(struct kl_peers *peers, struct kl_top *tops, uint32_t n,
                                   struct kl_error *err)
{
    struct entry *own = NULL, *all = NULL;
    size_t n_own = 0, n_all = 0;
    enum kl_status status;

    if (kl_peers_n(peers) == 1)
        return KL_OK;
    for (uint32_t i = 0; i < n; i++)
        n_own += tops[i].n;
    status = kl_alloc(&own, n_own, sizeof *own, "the best", err);
    n_own = 0;
    for (uint32_t i = 0; !status && i < n; i++)
        for (uint32_t k = 0; k < tops[i].n; k++)
            own[n_own++] = (struct entry){tops[i].items[k], i};
    if (!status)
        status = kl_peers_gather_lists(peers, own, n_own, sizeof *own, &all, &n_all, err);
    for (uint32_t i = 0; !status && i < n; i++)
        tops[i].n = 0;
    for (size_t i = 0; !status && i < n_all; i++)
        if (all[i].list >= n)
            status = kl_fail(err, KL_ERR_PEERS, "the processes of this job list different things");
    for (size_t i = 0; !status && i < n_all; i++)
        kl_top_offer(&tops[all[i].list], all[i].item.score, all[i].item.index);
    free(own);
    free(all);
    return status;
}
