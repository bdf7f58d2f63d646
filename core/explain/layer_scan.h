/* Passes over a layer's history: what its keys have to do with a query. */
#ifndef KL_CORE_EXPLAIN_LAYER_SCAN_H
#define KL_CORE_EXPLAIN_LAYER_SCAN_H

#include "core/explain/history.h"

/* Folds a data set's standardisation into a query: bytes . folded + the offset returned is the
 * product of a standardised image with the query; both (an image's numbers). */
float kl_fold_standardisation(const struct kl_dataset *dataset, const float *query, float *folded);

/* The attention of every pattern of a layer's history to a query: x_t . x (signed, unnormalised).
 *
 * layer counts from 0; query: (kl_shape_key_row) float32, the layer's input; attention:
 * (n_patterns); of a layer with places a showing's is the sum over its places. Where the keys are
 * the samples themselves, they are standardised images; the dot products run over the bytes, (u -
 * m) / d . x = u . (x / d) - (m / d) . x, once per sample. Errors: KL_ERR_MEMORY and those of
 * reading. */
enum kl_status kl_scan_attention(struct kl_pool *pool, const struct kl_history *history,
                                 uint32_t layer, const float *query, float *attention,
                                 struct kl_error *err);

/* |x_t|^2 of every pattern at a layer, from 0, of several places of their sum: out (n_patterns);
 * keys that are
 * samples are standardised images. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_scan_key_squares(struct kl_pool *pool, const struct kl_history *history,
                                   uint32_t layer, float *out, struct kl_error *err);

#endif
