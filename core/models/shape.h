/* What linear layers a network has, and what feeds them. Layers are counted from 1 in names and
 * messages; arrays over layers start at 0. */
#ifndef KL_CORE_MODELS_SHAPE_H
#define KL_CORE_MODELS_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "core/models/activation.h"
#include "core/models/convolution.h"

#define KL_LAYERS_MAX 64
#define KL_WIDTH_MAX 65536          /* of what is inside a network */
#define KL_VOCABULARY_MAX (1 << 20) /* outputs of a language model */

#define KL_LAYER_NAME_MAX 64
#define KL_GROUPS_MAX 32 /* parameter groups */

struct kl_model;

/* What only recorded networks say of a layer. */
struct kl_layer_facts {
    char name[KL_LAYER_NAME_MAX]; /* as its framework calls it */
    uint32_t group;               /* of parameters, whose rules it follows */
    int has_bias, has_errors;     /* whether error signals are recorded */
    uint32_t places; /* patterns of one showing: a convolution's patches, the tokens of a sample */
    struct kl_convolution convolution; /* how they are cut out of its input, if it is one */
};

#define KL_PLACES_MAX (1 << 20)

struct kl_shape {
    const struct kl_model *model; /* the architecture: core/models/model.h */
    uint32_t n_layers;
    uint32_t inputs[KL_LAYERS_MAX], outputs[KL_LAYERS_MAX];
    const struct kl_layer_facts *layers; /* (n_layers) of a recorded network, borrowed; or NULL */
    enum kl_activation activation;       /* behind the inner layers of a perceptron */
    uint32_t vocabulary, embedding;      /* tokens and the width of what stands for one; 0: none */
};

/* Patterns of one showing at a layer, from 0: 1 where it sees samples whole. */
static inline uint32_t kl_shape_places(const struct kl_shape *shape, uint32_t layer)
{
    return shape->layers ? shape->layers[layer].places : 1;
}

/* How a layer's patterns are cut out of its input, or NULL: they follow each other. */
static inline const struct kl_convolution *kl_shape_convolution(const struct kl_shape *shape,
                                                                uint32_t layer)
{
    return shape->layers && kl_is_convolution(&shape->layers[layer].convolution)
               ? &shape->layers[layer].convolution
               : NULL;
}

/* What a layer sees of one showing, and puts out: its places' keys (places, inputs), or, of a
 * convolution, the map that they are cut out of; and its places' outputs (places, outputs), of a
 * convolution (outputs, places). */
static inline uint32_t kl_shape_key_row(const struct kl_shape *shape, uint32_t layer)
{
    const struct kl_convolution *convolution = kl_shape_convolution(shape, layer);

    return convolution ? kl_convolution_map(convolution)
                       : kl_shape_places(shape, layer) * shape->inputs[layer];
}

static inline uint32_t kl_shape_error_row(const struct kl_shape *shape, uint32_t layer)
{
    return kl_shape_places(shape, layer) * shape->outputs[layer];
}

/* The first layer, from 0, that sees samples whole: the last one does. */
static inline uint32_t kl_shape_first_whole(const struct kl_shape *shape)
{
    uint32_t layer = 0;

    while (kl_shape_places(shape, layer) > 1)
        layer++;
    return layer;
}

/* Outputs of the last layer. */
static inline uint32_t kl_shape_n_outputs(const struct kl_shape *shape)
{
    return shape->outputs[shape->n_layers - 1];
}

#endif
