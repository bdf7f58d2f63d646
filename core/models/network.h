/* Networks of linear layers; and multilayer perceptrons, with ReLU between them and softmax at the
 * end (core/models/lstm.h has the other kind).
 *
 *   x_1 = input,  z_l = W_l x_l + b_l,  x_{l+1} = max(z_l, 0),  logits = z_L
 *
 * x_l is layer l's key (or query); its error signal is the gradient of the loss w.r.t. z_l. All
 * numbers are float32, all matrices row-major, a batch has one sample a row. Layers are counted
 * from 1 in names and messages; arrays over layers start at 0. */
#ifndef KL_CORE_MODELS_NETWORK_H
#define KL_CORE_MODELS_NETWORK_H

#include "core/models/shape.h"

/* The parameters of any network, MLP or LSTM: those of its linear layers and of its embedding. */
struct kl_network {
    struct kl_shape shape;
    size_t n_parameters;
    float *parameters;             /* everything below, in one block */
    float *embedding;              /* (vocabulary, embedding), of an LSTM */
    float *weights[KL_LAYERS_MAX]; /* (outputs, inputs) */
    float *biases[KL_LAYERS_MAX];  /* (outputs) */
};

/* Room for the numbers of one batch: keys of every layer and logits, or error signals. */
struct kl_activations {
    uint32_t capacity; /* samples */
    float
        *keys[KL_LAYERS_MAX + 1]; /* (capacity, inputs[l]); the last, keys[n_layers], are logits */
    float *errors[KL_LAYERS_MAX]; /* (capacity, outputs[l]) */
};

/* A network of zeros. The caller owns *network and ends it with kl_network_free.
 * Errors: KL_ERR_USAGE (a shape that cannot be), KL_ERR_MEMORY. */
enum kl_status kl_network_create(const struct kl_shape *shape, struct kl_network **network,
                                 struct kl_error *err);
void kl_network_free(struct kl_network *network);

/* Normal weights with deviation gain * sqrt(2 / (inputs + outputs)) (Xavier; Glorot and Bengio
 * 2010), gain sqrt 2 and 1 in the last layer; or sqrt(2 / inputs) (He et al. 2015) and
 * sqrt(1 / inputs) in the last. Zero biases. Deterministic from seed. */
enum kl_initialisation { KL_INIT_XAVIER, KL_INIT_HE };
void kl_network_initialise(struct kl_network *network, enum kl_initialisation initialisation,
                           uint64_t seed);

/* Room for batches of at most capacity samples; owned by the caller. Errors: KL_ERR_MEMORY. */
enum kl_status kl_activations_create(const struct kl_network *network, uint32_t capacity,
                                     struct kl_activations **batch, struct kl_error *err);
void kl_activations_free(struct kl_activations *batch);

/* From batch->keys[0] (n, inputs[0]) to the keys of all layers and the logits. */
void kl_network_forward(const struct kl_network *network, uint32_t n, struct kl_activations *batch);

/* From batch->errors[L-1] to the error signals of all layers, after kl_network_forward. */
void kl_network_backward(const struct kl_network *network, uint32_t n,
                         struct kl_activations *batch);

/* gradient = sum over the batch of errors x keys^T, and of errors for the biases. */
void kl_network_gradient(const struct kl_network *network, uint32_t n,
                         const struct kl_activations *batch, struct kl_network *gradient);

/* probabilities[j] = exp(logits[j]) / sum; both (n_classes). */
void kl_softmax(const float *logits, uint32_t n_classes, float *probabilities);

/* Mean cross-entropy of n rows of logits against targets; errors (may be NULL) becomes its gradient
 * w.r.t. the logits, (softmax - one-hot) / n. */
double kl_cross_entropy(const float *logits, uint32_t n, uint32_t n_classes,
                        const uint32_t *targets, float *errors);

/* The largest entry's place, the first of equals. */
uint32_t kl_argmax(const float *values, uint32_t n);

#endif
