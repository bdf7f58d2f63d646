/* One pass over a source's rows. */
#ifndef KL_CORE_SCAN_SCAN_H
#define KL_CORE_SCAN_SCAN_H

#include "core/scan/blocks.h"

/* out[row] = rows[row] . query + offset, for every row of the source; query: (width) float32, out:
 * (n_rows) float32. Runs on all workers; the result does not depend on how many there are, nor on
 * the scans of the same source that wait at the same time and are done by the same pass. Errors:
 * those of reading. */
enum kl_status kl_scan_dot(struct kl_pool *pool, const struct kl_block_source *source,
                           const float *query, float offset, float *out, struct kl_error *err);

/* The attention of every pattern of a layer's history to a query: x_t . x (signed, unnormalised).
 *
 * layer counts from 0; query: (inputs[layer]) float32, the layer's input; attention: (n_patterns).
 * For layer 0 the keys are standardised images of dataset's kind; the dot products run over the
 * bytes, (u - m) / d . x = u . (x / d) - (m / d) . x, once per sample.
 * Errors: KL_ERR_MEMORY and those of reading. */
struct kl_history;
enum kl_status kl_scan_attention(struct kl_pool *pool, const struct kl_history *history,
                                 uint32_t layer, const float *query, float *attention,
                                 struct kl_error *err);

/* |x_t|^2 of every pattern at a layer, from 0: out (n_patterns); layer 0's keys are the
 * standardised images. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_scan_key_squares(struct kl_pool *pool, const struct kl_history *history,
                                   uint32_t layer, float *out, struct kl_error *err);

#endif
