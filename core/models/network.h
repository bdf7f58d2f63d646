/* The parameters of a network of linear layers, and the numbers of what runs through it.
 *
 * A layer computes z_l = W_l x_l + b_l. x_l is its key (or query); its error signal is the gradient
 * of the loss w.r.t. z_l. What stands between the layers is the architecture's:
 * core/models/model.h. All numbers are float32, all matrices row-major. Layers are counted from 1
 * in names and messages; arrays over layers start at 0. */
#ifndef KL_CORE_MODELS_NETWORK_H
#define KL_CORE_MODELS_NETWORK_H

#include "core/base/error.h"
#include "core/base/pool.h"
#include "core/models/shape.h"

/* The parameters of any network: those of its linear layers and of its embedding. */
struct kl_network {
    struct kl_shape shape;
    size_t n_parameters;
    float *parameters;             /* everything below, in one block */
    float *embedding;              /* (vocabulary, embedding), or NULL */
    float *weights[KL_LAYERS_MAX]; /* (outputs, inputs) */
    float *biases[KL_LAYERS_MAX];  /* (outputs) */
};

/* A network of zeros, of a shape that a model made. The caller owns *network and ends it with
 * kl_network_free. Errors: KL_ERR_MEMORY. */
enum kl_status kl_network_create(const struct kl_shape *shape, struct kl_network **network,
                                 struct kl_error *err);
void kl_network_free(struct kl_network *network);

/* What a layer saw of one sample at several places, in one block. */
struct kl_places {
    uint32_t n;
    float *keys;     /* (n, inputs) */
    float *errors;   /* (n, outputs) gradients */
    float *attended; /* (inputs) the key that attention is of: the places' sum, or one of them */
};

/* What the layers saw and put out, one row a sample: of a sequence, at its last place. */
struct kl_activations {
    struct kl_shape shape;
    uint32_t capacity; /* rows */
    /* (capacity, kl_shape_key_row(l)); keys[n_layers] are logits. Of a layer that has places, what
     * the rows of its history are multiplied with for attention. */
    float *keys[KL_LAYERS_MAX + 1];
    float *errors[KL_LAYERS_MAX]; /* (capacity, outputs[l]) error signals, or other gradients */
    float *sums[KL_LAYERS_MAX]; /* (capacity, outputs[l]) z of inner layers, where the activation's
                                   derivative is not seen in what it makes; NULL: of ReLU it is */
    struct kl_places *places[KL_LAYERS_MAX]; /* of row 0, or NULL: it is seen whole */
    struct kl_pool *pool; /* whose workers share its products; NULL: the caller's thread does all */
    void *inner;          /* what else the architecture keeps to go back, or NULL, */
    void (*free_inner)(void *inner); /* and how it ends */
};

/* Room for at most capacity rows; the caller ends *activations with kl_activations_free. Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_activations_create(const struct kl_shape *shape, uint32_t capacity,
                                     struct kl_activations **activations, struct kl_error *err);
void kl_activations_free(struct kl_activations *activations);

/* What a layer's activation has its derivative at: its sums, or of ReLU what it made of them. */
static inline const float *kl_activations_sums(const struct kl_activations *activations,
                                               uint32_t layer)
{
    return activations->sums[layer] ? activations->sums[layer] : activations->keys[layer + 1];
}

/* Room for n places of a layer, instead of those that it had. Errors: KL_ERR_MEMORY. */
enum kl_status kl_activations_set_places(struct kl_activations *activations, uint32_t layer,
                                         uint32_t n, struct kl_error *err);

/* What a layer saw of row 0, as somebody else kept it: of n places (n, inputs), or the map that a
 * convolution read, whose n is that of its shape. Sizes are the caller's to check. Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_activations_take(struct kl_activations *activations, uint32_t layer,
                                   const float *numbers, uint32_t n, struct kl_error *err);

/* probabilities[j] = exp(logits[j]) / sum; both (n_classes). */
void kl_softmax(const float *logits, uint32_t n_classes, float *probabilities);

/* Mean cross-entropy of n rows of logits against targets; errors (may be NULL) becomes its gradient
 * w.r.t. the logits, (softmax - one-hot) / n. */
double kl_cross_entropy(const float *logits, uint32_t n, uint32_t n_classes,
                        const uint32_t *targets, float *errors);

/* The largest entry's place, the first of equals. */
uint32_t kl_argmax(const float *values, uint32_t n);

/* What optimisers keep of each parameter: at most so many numbers. */
#define KL_MOMENTS_MAX 2

/* Gradients of some quantity w.r.t. the parameters and what an optimiser keeps of them. */
struct kl_adjoint {
    struct kl_network *network, *moments[KL_MOMENTS_MAX];
};

#endif
