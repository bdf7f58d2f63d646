/* A sample that somebody else's framework ran through a recorded network, in a request's body: what
 * struct kl_queries has of those that stand in the file. */
#ifndef KL_API_ASKED_RECORDED_SAMPLE_H
#define KL_API_ASKED_RECORDED_SAMPLE_H

#include "db/run.h"

struct cJSON;

/* Reads the member "recorded" of a body: {"logits": N, "label": C, "layers": [{"keys": N,
 * "gradients": {"0": N, .., "loss": N}}, ..]}, by layer in the run's order; N are numbers as base64
 * of little-endian float32. keys are (places, inputs), or the map that a convolution reads;
 * gradients those of an output, or of the loss of label, w.r.t. what the layer puts out, (places,
 * outputs); the last layer has none. What the run's last layer makes of its keys must be the
 * logits. *label becomes that output, which is the predicted one where it is missing. *queries is
 * what a subject's recorded points to: the caller ends it with kl_recorded_sample_free. Errors:
 * KL_ERR_USAGE (naming the member), KL_ERR_MEMORY. */
enum kl_status kl_recorded_sample_read(const struct kl_run *run, const struct cJSON *member,
                                       struct kl_queries **queries, int *label,
                                       struct kl_error *err);
void kl_recorded_sample_free(struct kl_queries *queries);

#endif
