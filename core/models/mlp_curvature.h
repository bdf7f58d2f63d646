/* Second derivatives of a perceptron's loss, by the R operator (Pearlmutter 1994): what changes
 * along a direction of the parameters. Internal to core/models/. */
#ifndef KL_CORE_MODELS_MLP_CURVATURE_H
#define KL_CORE_MODELS_MLP_CURVATURE_H

#include "core/models/model.h"

/* activations: keys, logits and errors of a minibatch of mean loss; as curve of struct kl_model. */
enum kl_status kl_mlp_curve(const struct kl_activations *activations,
                            const struct kl_network *network, const struct kl_minibatch *minibatch,
                            const struct kl_network *direction, struct kl_network *product,
                            float *slopes, struct kl_error *err);

#endif
