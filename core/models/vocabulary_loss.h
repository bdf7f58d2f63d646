/* The cross-entropy of a language model and its gradient, without ever holding the logits of all
 * rows: the last layer is worked through in slices of them. */
#ifndef KL_CORE_MODELS_VOCABULARY_LOSS_H
#define KL_CORE_MODELS_VOCABULARY_LOSS_H

#include "core/models/lstm_layers.h"

struct kl_vocabulary_loss {
    double loss;      /* sum over the rows of the cross-entropy, in nats */
    uint64_t correct; /* rows whose largest logit is the target's */
};

/* Room for the error signals (softmax - one-hot) / rows of the last layer: all of their numbers
 * (entries = 0), or the target's and the entries - 1 largest others. */
struct kl_vocabulary_errors {
    uint32_t entries;
    float *numbers;    /* (rows, vocabulary), or (rows, entries); NULL: not wanted */
    uint32_t *indices; /* (rows, entries): the target's place first, then by rising place */
    float *left_out;   /* (rows) squared length of the numbers that were left out */
};

/* Runs all rows of the tape through the last layer: targets (rows). errors may be NULL. gradient,
 * if not NULL, gets the last layer's gradient of the mean loss, and tape->top_errors that w.r.t.
 * its keys. Errors: KL_ERR_MEMORY. */
enum kl_status kl_vocabulary_loss(const struct kl_network *network, const uint32_t *targets,
                                  struct kl_lstm_activations *activations,
                                  struct kl_vocabulary_errors *errors, struct kl_network *gradient,
                                  struct kl_vocabulary_loss *loss, struct kl_error *err);

#endif
