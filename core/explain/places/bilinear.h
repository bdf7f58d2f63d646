/* What showings contribute through a layer that sees them, or is asked, at several places
 * (core/explain/places/places.h). Thread-safe. */
#ifndef KL_CORE_EXPLAIN_PLACES_BILINEAR_H
#define KL_CORE_EXPLAIN_PLACES_BILINEAR_H

#include "core/explain/history.h"

/* products[t] = sum over the showing's places p of d_p^T M (x_p, 1), by one pass over the layer's
 * keys and error signals: matrix (outputs, inputs + 1), products (n_patterns). layer counts from 0,
 * its error signals are recorded. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_scan_bilinear(struct kl_pool *pool, const struct kl_history *history,
                                uint32_t layer, const float *matrix, float *products,
                                struct kl_error *err);

#endif
