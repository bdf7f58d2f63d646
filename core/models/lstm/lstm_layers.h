/* The layers of language models: an embedding, LSTM layers (Hochreiter and Schmidhuber 1997; with
 * forget gates, Gers et al. 2000), and a linear layer over the vocabulary.
 *
 *   x_t = embedding of token t, or h_t of the layer below
 *
 *   (i, f, g, o) = W [x_t ; h_{t-1}] + b
 *
 *   c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(g);  h_t = sigmoid(o) tanh(c_t)
 *
 *   logits = W_out h_t + b_out
 *
 * The four gates, in PyTorch's order, are one linear layer of 4 H outputs; the last layer reads h_t
 * after dropout, in training.
 * There is one bias per gate, not PyTorch's two, whose sum would be it. A layer's key is what
 * stands in brackets; its error signal the gradient w.r.t. the four gates before their functions.
 * Streams of text are read side by side: row u * streams + b is token u of stream b. All numbers
 * are float32, all matrices row-major. */
#ifndef KL_CORE_MODELS_LSTM_LSTM_LAYERS_H
#define KL_CORE_MODELS_LSTM_LSTM_LAYERS_H

#include "core/models/network.h"

/* Cells of an LSTM layer. */
static inline uint32_t kl_lstm_cells(const struct kl_shape *shape)
{
    return shape->inputs[shape->n_layers - 1];
}

/* Numbers that are carried from one stretch of text to the next: h and c of every LSTM layer, layer
 * by layer, (streams, hidden) each. */
size_t kl_lstm_carried_size(const struct kl_shape *shape, uint32_t streams);

/* As PyTorch does: normal embedding, uniform weights within 1 / sqrt(hidden), biases 0 but for the
 * forget gates', which are 1 (Jozefowicz et al. 2015). Deterministic from seed. */
void kl_lstm_initialise(struct kl_network *network, uint64_t seed);

/* What happened in a stretch of text; made for at most streams x unroll tokens. */
struct kl_lstm_activations {
    struct kl_shape shape;
    uint32_t streams, unroll;     /* of the last forward */
    float *keys[KL_LAYERS_MAX];   /* (rows, inputs[l]) */
    float *errors[KL_LAYERS_MAX]; /* (rows, outputs[l]) of LSTM layers: filled by backward */
    float *gates[KL_LAYERS_MAX];  /* (rows, 4 H) after their functions */
    float *cells[KL_LAYERS_MAX];  /* (streams + rows, H) c_{t-1} at row t: the first are carried */
    float *tanh_cells[KL_LAYERS_MAX]; /* (rows, H) tanh c_t */
    float *top_errors;  /* (rows, H) gradient w.r.t. the last layer's keys: the caller's */
    float *mask;        /* (rows, H) what dropout made of them, if there was any */
    float *below;       /* (rows, embedding) gradient w.r.t. the embedded tokens */
    float *key_errors;  /* (streams, widest) scratch */
    float *cell_errors; /* (streams, H) scratch */
    int has_mask;
    struct kl_pool *pool; /* as kl_activations has it: the caller's to set */
};

/* The caller ends *tape with kl_lstm_activations_free. Errors: KL_ERR_MEMORY. */
enum kl_status kl_lstm_activations_create(const struct kl_shape *shape, uint32_t streams,
                                          uint32_t unroll, struct kl_lstm_activations **activations,
                                          struct kl_error *err);
void kl_lstm_activations_free(struct kl_lstm_activations *activations);

/* Reads tokens (unroll, streams) from the carried state on, which it moves along: fills the keys of
 * all layers. dropout is the share of the last layer's keys that becomes 0, the others grow to make
 * up for it; seed and step choose which. */
void kl_lstm_forward(const struct kl_network *network, const uint32_t *tokens, uint32_t streams,
                     uint32_t unroll, float *carried, struct kl_lstm_activations *activations);
void kl_lstm_drop(struct kl_lstm_activations *activations, double dropout, uint64_t seed,
                  uint32_t step);

/* logits (n, vocabulary) of rows first .. first + n - 1. */
void kl_lstm_logits(const struct kl_network *network, const struct kl_lstm_activations *activations,
                    size_t first, size_t n, float *logits);

/* From tape->top_errors back through the stretch (the carried state is taken as given): error
 * signals of all LSTM layers. gradient, if not NULL, gets the gradients of their weights and of the
 * embedding; the last layer's are left as they are. tokens as in forward. */
void kl_lstm_backward(const struct kl_network *network, const uint32_t *tokens,
                      struct kl_lstm_activations *activations, struct kl_network *gradient);

#endif
