/* The cross-entropy of a language model and its gradient, without ever holding the logits of all
 * rows: the last layer is worked through in slices of them. */
#ifndef KL_CORE_MODELS_LSTM_VOCABULARY_LOSS_H
#define KL_CORE_MODELS_LSTM_VOCABULARY_LOSS_H

#include "core/models/lstm/lstm_layers.h"

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

/* How many of so many rows of logits are held at a time. */
size_t kl_vocabulary_slice(uint32_t n_types, size_t rows);

/* A row's n logits become its error signals (softmax - one-hot) / rows, in place. Returns its
 * cross-entropy, in nats. */
double kl_vocabulary_row_errors(float *row, uint32_t n, uint32_t target, size_t rows);

/* Runs all rows of the tape through the last layer: targets (rows); ignored (rows), or NULL, 1 for
 * those that weigh nothing, whose error signals are 0. errors may be NULL. gradient,
 * if not NULL, gets the last layer's gradient of the mean loss, and tape->top_errors that w.r.t.
 * its keys. Errors: KL_ERR_MEMORY. */
enum kl_status kl_vocabulary_loss(const struct kl_network *network, const uint32_t *targets,
                                  const uint8_t *ignored, struct kl_lstm_activations *activations,
                                  struct kl_vocabulary_errors *errors, struct kl_network *gradient,
                                  struct kl_vocabulary_loss *loss, struct kl_error *err);

#endif
