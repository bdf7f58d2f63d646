/* The largest scores of a stream, without sorting all of it. */
#ifndef KL_CORE_BASE_TOP_H
#define KL_CORE_BASE_TOP_H

#include <stdint.h>

struct kl_top_item {
    double score;
    uint64_t index; /* of whatever is scored */
};

/* The best so far: a heap whose root is the worst of them, until kl_top_sort. Of equal scores the
 * smaller index is the better. */
struct kl_top {
    struct kl_top_item *items; /* (capacity), the caller's */
    uint32_t n, capacity;      /* capacity > 0 */
};

/* Takes the candidate in, if it is among the best so far; candidates may come in any order. */
void kl_top_offer(struct kl_top *top, double score, uint64_t index);

/* Orders the items, best first; nothing may be offered afterwards. */
void kl_top_sort(struct kl_top *top);

#endif
