/* The gradient of one sample's loss w.r.t. all parameters: where a walk back begins. Internal to
 * core/training/. */
#ifndef KL_CORE_TRAINING_SAMPLE_GRADIENT_H
#define KL_CORE_TRAINING_SAMPLE_GRADIENT_H

#include "core/training/training.h"

/* Of a sample of the run, an image whose data set has its pixels, or a position of a text, which is
 * read as it is asked about (kl_subject_at), and what its output, or the next token, should be:
 * fills gradient. Errors: KL_ERR_MEMORY. */
enum kl_status kl_sample_gradient(const struct kl_network *network,
                                  const struct kl_collection *data, uint32_t sample,
                                  uint32_t target, struct kl_network *gradient,
                                  struct kl_error *err);

#endif
