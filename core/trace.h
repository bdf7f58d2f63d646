/* One query run through the network: the input of every layer, the logits, and the gradient of
 * something that is said there w.r.t. every layer's output. */
#ifndef KL_CORE_TRACE_H
#define KL_CORE_TRACE_H

#include "core/history.h"

/* Runs an image through the network. batch->keys[l] (1, widths[l]) is then layer l's input, from 0,
 * and keys[n_layers] the logits. The caller owns *batch and ends it with kl_batch_free.
 * Errors: KL_ERR_MEMORY. */
enum kl_status kl_trace(const struct kl_history *history, uint32_t dataset, const uint8_t *pixels,
                        struct kl_batch **batch, struct kl_error *err);

/* Makes batch->errors the gradients of one logit, or of the cross-entropy of one target. */
void kl_trace_logit(const struct kl_history *history, uint32_t logit, struct kl_batch *batch);
void kl_trace_loss(const struct kl_history *history, uint32_t target, struct kl_batch *batch);

/* out[j] = alpha (W_0 x + b_0)[j] of a layer, from 0: (widths[layer + 1]) doubles. */
void kl_initial_guess(const struct kl_history *history, uint32_t layer, const float *x,
                      double *out);

#endif
