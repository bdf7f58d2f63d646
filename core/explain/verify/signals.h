/* The last layer's error signals checked against the network as it was: from the initial weights,
 * and from every snapshot, the patterns t of the next step s + 1 should have
 *
 *   d_t = (softmax(W_s x_t + b_s) - one_hot(target)) / B,
 *
 * with the keys x_t recorded beside them. So a layer is judged of whose error signals only some
 * numbers are recorded, and so is the last layer of every snapshot. */
#ifndef KL_CORE_EXPLAIN_VERIFY_SIGNALS_H
#define KL_CORE_EXPLAIN_VERIFY_SIGNALS_H

#include "core/explain/history.h"

struct kl_signals_check {
    uint32_t step; /* whose error signals are furthest off */
    double excess; /* |D' - D| / |D| (Frobenius) over its recorded numbers, beyond what rounding
                      them and the keys explains */
};

/* Of a classifier trained by mean cross-entropy over the rows of each step, whose last layer's
 * error signals are recorded, whole or in part. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_signals_check(struct kl_pool *pool, const struct kl_history *history,
                                struct kl_signals_check *check, struct kl_error *err);

#endif
