/* Layers that see a showing at several places: rows of their history, and queries there.
 *
 * A query at such a layer is all its places q at once, x_q with gradients g_q of what is asked
 * w.r.t. the layer's output there. Attention is of one key: of all places together their sum, as
 * sum_q x_t . x_q = x_t . sum_q x_q; and so is a showing's, the sum over its places. What a showing
 * contributes is bilinear in its keys and error signals (core/explain/places/bilinear.h), by the
 * matrix
 *
 *   M = sum_q g_q (x_q, 1)^T,
 *
 * of the shape of the layer's weights with its biases. Layers count from 0. */
#ifndef KL_CORE_EXPLAIN_PLACES_PLACES_H
#define KL_CORE_EXPLAIN_PLACES_PLACES_H

#include "core/explain/history.h"

/* Keys of n showings from first on: keys (n * places, inputs), read as a pool's worker from keys of
 * the layer, or a copy of them (source). Samples are standardised. Errors: KL_ERR_MEMORY and those
 * of reading. */
enum kl_status kl_read_keys(const struct kl_history *history, const struct kl_block_source *source,
                            uint32_t layer, unsigned worker, uint64_t first, uint32_t n,
                            float *keys, struct kl_error *err);

/* The error signals of n showings, from the layer's errors: errors (n * places, outputs). Errors:
 * likewise. */
enum kl_status kl_read_errors(const struct kl_history *history, uint32_t layer, unsigned worker,
                              uint64_t first, uint32_t n, float *errors, struct kl_error *err);

/* Makes row 0 of a layer's keys what attention to one of a subject's places is made with, from 0,
 * or to all of them (KL_ALL_PLACES), and places[layer]->attended the key. Of layers with places. */
#define KL_ALL_PLACES UINT32_MAX
void kl_attend_to_place(uint32_t layer, uint32_t place, struct kl_activations *activations);

/* M of a layer, from its places: (outputs, inputs + 1), the last column 0 where it has no bias. */
void kl_places_matrix(const struct kl_activations *activations, uint32_t layer, int has_bias,
                      float *matrix);

#endif
