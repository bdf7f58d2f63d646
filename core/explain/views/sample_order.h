/* The patterns of each training sample, so that what is asked of some samples need not look at all
 * patterns, and totals by sample are made by all workers: made at the first use and kept. */
#ifndef KL_CORE_EXPLAIN_VIEWS_SAMPLE_ORDER_H
#define KL_CORE_EXPLAIN_VIEWS_SAMPLE_ORDER_H

#include <stdint.h>

#include "core/base/error.h"

struct kl_sample_order {
    const uint64_t *starts;   /* (samples of the run + 1) where those of each begin; n_patterns */
    const uint64_t *patterns; /* (n_patterns) sample by sample, and rising within each */
};

struct kl_history;
struct kl_sample_order_store;

/* An empty store of one; the caller ends *store with kl_sample_order_store_free. Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_sample_order_store_create(struct kl_sample_order_store **store,
                                            struct kl_error *err);
void kl_sample_order_store_free(struct kl_sample_order_store *store);

/* The order of a history's patterns: *order is valid as long as the store, which is
 * history->sample_order_store. Thread-safe. Errors: KL_ERR_MEMORY. */
enum kl_status kl_sample_order_of(const struct kl_history *history,
                                  const struct kl_sample_order **order, struct kl_error *err);

#endif
