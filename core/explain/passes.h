/* A subject's passes through the network, forward and back: run here, or, of a network that cannot
 * be run here, as they were recorded (struct kl_queries), in the file or by who asks. */
#ifndef KL_CORE_EXPLAIN_PASSES_H
#define KL_CORE_EXPLAIN_PASSES_H

#include "core/explain/history.h"

/* What gradients are of. */
enum kl_gradient_of { KL_GRADIENT_OF_LOGIT, KL_GRADIENT_OF_LOSS };

/* Row 0 of keys and logits; the caller ends *activations with kl_activations_free, while the
 * subject lives. Errors: KL_ERR_MEMORY; of a recorded network KL_ERR_USAGE (the subject is no
 * sample of the run), KL_ERR_NOT_FOUND (it was not recorded) and those of reading. */
enum kl_status kl_pass_forward(const struct kl_history *history, const struct kl_subject *subject,
                               struct kl_activations **activations, struct kl_error *err);

/* Row 0 of errors, from the last layer down to a layer (from 0), after the forward pass: gradients
 * of a logit, or of the loss of a target, w.r.t. what the layers put out. Errors: those of
 * kl_pass_forward. */
enum kl_status kl_pass_back(const struct kl_history *history, const struct kl_subject *subject,
                            enum kl_gradient_of what, uint32_t output, uint32_t layer,
                            struct kl_activations *activations, struct kl_error *err);

/* For who has the gradients of every output: makes row 0 of errors 0, but of the last layer how
 * much of each output's the gradient of a logit, or of the loss of a target, is made of: (outputs),
 * which are returned. */
const float *kl_pass_weights(struct kl_activations *activations, int is_logit, uint32_t output);

/* The same in one block, which the caller frees: gradients[l] (outputs[l]), or of a layer with
 * places their matrix M (outputs[l], inputs[l] + 1). Errors: KL_ERR_MEMORY, and those of
 * kl_pass_back. */
enum kl_status kl_pass_gradients(const struct kl_history *history, const struct kl_subject *subject,
                                 enum kl_gradient_of what, uint32_t output, uint32_t layer,
                                 struct kl_activations *activations, float **block,
                                 const float *gradients[KL_LAYERS_MAX], struct kl_error *err);

#endif
