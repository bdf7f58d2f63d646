/* Second derivatives of a language model's loss over a stretch of text, by the R operator
 * (Pearlmutter 1994): what changes along a direction of the parameters. The state that is carried
 * into the stretch is taken as given, as the gradient takes it. Internal to core/models/. */
#ifndef KL_CORE_MODELS_LSTM_LSTM_CURVATURE_H
#define KL_CORE_MODELS_LSTM_LSTM_CURVATURE_H

#include "core/models/lstm/lstm_layers.h"
#include "core/models/model.h"

/* activations: of a stretch of mean loss, forward and back (core/models/lstm/lstm_layers.h); as
 * curve of struct kl_model. */
enum kl_status kl_lstm_curve(const struct kl_lstm_activations *activations,
                             const struct kl_network *network, const struct kl_minibatch *minibatch,
                             const struct kl_network *direction, struct kl_network *product,
                             float *slopes, struct kl_error *err);

#endif
