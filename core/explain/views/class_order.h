/* The patterns in an order in which those of a class follow each other, so that sums by class stay
 * in registers: made at the first use and kept. */
#ifndef KL_CORE_EXPLAIN_VIEWS_CLASS_ORDER_H
#define KL_CORE_EXPLAIN_VIEWS_CLASS_ORDER_H

#include <stdint.h>

#include "core/base/error.h"
#include "core/base/pool.h"

/* Patterns of a segment that are of one class. */
struct kl_stretch {
    uint32_t class, n;
};

#define KL_SEGMENT_MAX 2048 /* patterns: places are 16 bits, and weights of so many 8 KB */

/* Patterns that follow each other, of one range of steps (core/explain/views/bins.h), whose error
 * signals in the last layer, where they are recorded, stand in one block. */
struct kl_segment {
    uint64_t first, first_stretch; /* pattern, and stretch */
    uint32_t n, n_stretches, bin;
};

struct kl_class_order {
    uint32_t n_segments;
    const struct kl_segment *segments;  /* rising, of all patterns */
    const struct kl_stretch *stretches; /* of all segments */
    const uint32_t *starts;             /* (n_bins + 1) the first segment of each; n_segments */
    /* (n_patterns) of each segment, from place first on, how far behind first its patterns are,
     * stretch by stretch, and rising within each. */
    const uint16_t *places;
};

struct kl_history;
struct kl_class_order_store;

/* An empty store of one; the caller ends *store with kl_class_order_store_free. Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_class_order_store_create(struct kl_class_order_store **store,
                                           struct kl_error *err);
void kl_class_order_store_free(struct kl_class_order_store *store);

/* The order of a history's patterns: *order is valid as long as the store, which is
 * history->class_order_store. Thread-safe. Errors: KL_ERR_MEMORY. */
enum kl_status kl_class_order_of(struct kl_pool *pool, const struct kl_history *history,
                                 const struct kl_class_order **order, struct kl_error *err);

#endif
