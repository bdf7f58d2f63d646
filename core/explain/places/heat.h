/* Where a layer with places (core/explain/places/places.h) looks: at which of the query's places
 * its training told, and which place of a training sample is attended to most. Layers count from 0.
 */
#ifndef KL_CORE_EXPLAIN_PLACES_HEAT_H
#define KL_CORE_EXPLAIN_PLACES_HEAT_H

#include "core/explain/inquiry.h"

/* What training through the layer gave a logit at each of the query's places, first order:
 *
 *   g_q . ((W - P * W_0) x_q + b - P * b_0),
 *
 * whose sum is that of all contributions through the layer. */
struct kl_place_heat {
    uint32_t n;            /* 0: the layer sees the query whole */
    double *contributions; /* (n), or NULL: the layer's error signals are not recorded */
};

/* The caller ends *heat with kl_place_heat_clear. After Adam with weight decay in its gradients by
 * a sweep of the layer. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_place_heat_find(struct kl_inquiry *inquiry, uint32_t layer, uint32_t logit,
                                  struct kl_place_heat *heat, struct kl_error *err);
void kl_place_heat_clear(struct kl_place_heat *heat);

/* Of each of n showings the place, from 0, with the largest |attention| to what the layer attends
 * with: places (n). Of layers with several places. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_most_attended_places(struct kl_inquiry *inquiry, uint32_t layer,
                                       const uint64_t *showings, uint32_t n, uint32_t *places,
                                       struct kl_error *err);

#endif
