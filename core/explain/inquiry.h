/* Everything that several questions about one subject share: the forward pass, the attention of
 * each layer, the correction, scores. Each is computed when it is first asked for, and kept as long
 * as the inquiry, so that a layer is scanned once however much is asked of it. */
#ifndef KL_CORE_EXPLAIN_INQUIRY_H
#define KL_CORE_EXPLAIN_INQUIRY_H

#include "core/explain/correction.h"
#include "core/explain/history.h"
#include "core/explain/passes.h"
#include "core/explain/rank.h"

struct kl_inquiry;

/* Begins an inquiry about a subject, which is copied; pool and history must outlive it. The caller
 * ends *inquiry with kl_inquiry_free. Thread-safe afterwards: what one thread computes others wait
 * for. Errors: KL_ERR_MEMORY. */
enum kl_status kl_inquiry_create(struct kl_pool *pool, const struct kl_history *history,
                                 const struct kl_subject *subject, struct kl_inquiry **inquiry,
                                 struct kl_error *err);
void kl_inquiry_free(struct kl_inquiry *inquiry);

struct kl_pool *kl_inquiry_pool(const struct kl_inquiry *inquiry);
const struct kl_history *kl_inquiry_history(const struct kl_inquiry *inquiry);
const struct kl_subject *kl_inquiry_subject(const struct kl_inquiry *inquiry);

/* Bytes that are kept by now. */
size_t kl_inquiry_bytes(struct kl_inquiry *inquiry);

/* What the rows of a layer's history, from 0, are multiplied with: its input (inputs[layer]), or
 * what its places make of it (core/explain/places/places.h); of layer n_layers the logits. */
const float *kl_inquiry_key(const struct kl_inquiry *inquiry, uint32_t layer);

/* The places at which a layer, from 0, saw the subject, their keys and the one that attention is
 * of; NULL: it saw it whole. Their errors are for kl_inquiry_gradients. */
const struct kl_places *kl_inquiry_places(const struct kl_inquiry *inquiry, uint32_t layer);

/* a_t of every pattern at a layer, from 0: *attention (n_patterns), the inquiry's. Errors:
 * KL_ERR_MEMORY and those of reading. */
enum kl_status kl_inquiry_attention(struct kl_inquiry *inquiry, uint32_t layer,
                                    const float **attention, struct kl_error *err);

/* Whether that is known by now. */
int kl_inquiry_has_attention(struct kl_inquiry *inquiry, uint32_t layer);

/* Of a run that Adam trained: the attention of the last layer weighted by an output's coefficients
 * (kl_adam_weigh): *weighted (n_patterns) is the inquiry's. Errors: KL_ERR_MEMORY and those of
 * reading. */
enum kl_status kl_inquiry_weighted(struct kl_inquiry *inquiry, uint32_t output,
                                   const float **weighted, struct kl_error *err);

/* Of a run that Adam trained and that has at most KL_INQUIRY_LOGITS outputs: the contributions
 * through a layer, from 0, to every logit: *effects (n_logits, n_patterns) is the inquiry's, made
 * by one sweep. Errors: KL_ERR_MEMORY and those of reading. */
#define KL_INQUIRY_LOGITS 16
enum kl_status kl_inquiry_effects(struct kl_inquiry *inquiry, uint32_t layer, const float **effects,
                                  struct kl_error *err);

/* The correction; logit is the one reported of a text: *contributions is the inquiry's. Of
 * histories with a dual form. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_inquiry_correction(struct kl_inquiry *inquiry, uint32_t logit,
                                     const struct kl_contributions **contributions,
                                     struct kl_error *err);

/* What a rank orders patterns by at a layer, from 0, for a logit and a target: *scores
 * (n_patterns), the inquiry's. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_inquiry_scores(struct kl_inquiry *inquiry, const struct kl_rank *rank,
                                 uint32_t layer, uint32_t logit, uint32_t target,
                                 const float **scores, struct kl_error *err);

/* Gradients w.r.t. every layer's output, of the last layer down to a layer, from 0: of a logit, or
 * of the loss of a target. gradients[l] (outputs[l]), or of a layer with places their matrix M
 * (outputs[l], inputs[l] + 1), points into *block, which the caller frees.
 * Errors: KL_ERR_MEMORY, and those of kl_pass_back. */
enum kl_status kl_inquiry_gradients(struct kl_inquiry *inquiry, enum kl_gradient_of what,
                                    uint32_t output, uint32_t layer, float **block,
                                    const float *gradients[KL_LAYERS_MAX], struct kl_error *err);

/* Gradients of a logit w.r.t. a layer's output, from 0, at each of its places: gradients (n,
 * outputs). Of layers with places. Errors: those of kl_pass_back. */
enum kl_status kl_inquiry_place_gradients(struct kl_inquiry *inquiry, uint32_t logit,
                                          uint32_t layer, float *gradients, struct kl_error *err);

#endif
