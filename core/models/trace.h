/* One query run through the network: the input of every layer, the logits, and the gradient of
 * something that is said there w.r.t. every layer's output. */
#ifndef KL_CORE_MODELS_TRACE_H
#define KL_CORE_MODELS_TRACE_H

#include "core/explain/history.h"
#include "core/models/lstm.h"

/* What is asked about: an image, or the end of a text. Borrowed. */
struct kl_subject {
    uint32_t dataset;       /* whose standardisation the pixels take, from 0 */
    const uint8_t *pixels;  /* (image size); or NULL */
    const uint32_t *tokens; /* (n_tokens) read from an empty state; what follows is asked */
    uint32_t n_tokens;      /* at least 1 */
};

struct kl_trace {
    /* batch->keys[l] (1, inputs[l]) is layer l's input, from 0, of a text at its last token, and
     * keys[n_layers] the logits; errors[l] (1, outputs[l]) the gradient, when there is one. */
    struct kl_activations *batch;
    const uint32_t *tokens; /* borrowed, as the subject's */
    struct kl_lstm_activations
        *activations; /* of a text: everything that was read on the way; or NULL */
};

/* Runs a subject through a network of the history's shape. The caller ends *trace with
 * kl_trace_free, while the subject lives. Errors: KL_ERR_MEMORY. */
enum kl_status kl_trace(const struct kl_history *history, const struct kl_network *network,
                        const struct kl_subject *subject, struct kl_trace **trace,
                        struct kl_error *err);
void kl_trace_free(struct kl_trace *trace);

/* Makes batch->errors the gradients of one logit, from the last layer down to a layer (from 0), or
 * of the cross-entropy of one target, of all layers, in the final network. Of a text: w.r.t. what
 * the layers put out at the last token. */
void kl_trace_logit(const struct kl_history *history, uint32_t logit, uint32_t layer,
                    struct kl_trace *trace);
void kl_trace_loss(const struct kl_history *history, uint32_t target, struct kl_trace *trace);

/* out[j] = alpha (W_0 x + b_0)[j] of a layer, from 0: (outputs[layer]) doubles. */
void kl_initial_guess(const struct kl_history *history, uint32_t layer, const float *x,
                      double *out);

/* How many tokens are read before a place of a stored text: enough that more change little. */
#define KL_CONTEXT 200

/* A stored position as a subject: its token with at most KL_CONTEXT - 1 before it. id is of a text
 * data set's sample. */
void kl_subject_at(const struct kl_collection *data, uint32_t id, struct kl_subject *subject);

#endif
