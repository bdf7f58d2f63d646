/* The dual form checked against the weights: alpha W_0 + sum_t e_t x_t^T should be W. */
#ifndef KL_CORE_EXPLAIN_VERIFY_LAYERS_H
#define KL_CORE_EXPLAIN_VERIFY_LAYERS_H

#include "core/explain/history.h"

struct kl_layer_check {
    double weight_distance; /* |W_dual - W| / |W - W_0| over weights and biases (Frobenius) */
    double weight_excess;   /* what of it float32 cannot explain: core/explain/verify/distance.h */
    double output_distance; /* largest |W_dual x + b_dual - W x - b| over the test samples; of a
                               text over its first test tokens */
    uint64_t non_finite;    /* keys and error signals that are not finite numbers */
};

/* Rebuilds layer number layer (from 0) from the whole history and compares. Reads every key and
 * every error signal of the layer, which must be recorded, once; images are loaded into memory for
 * layer 0. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_layer_check(struct kl_pool *pool, const struct kl_history *history,
                              uint32_t layer, struct kl_layer_check *check, struct kl_error *err);

#endif
