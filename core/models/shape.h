/* What linear layers a network has, and what feeds them. Layers are counted from 1 in names and
 * messages; arrays over layers start at 0. */
#ifndef KL_CORE_MODELS_SHAPE_H
#define KL_CORE_MODELS_SHAPE_H

#include <stddef.h>
#include <stdint.h>

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
};

struct kl_shape {
    const struct kl_model *model; /* the architecture: core/models/model.h */
    uint32_t n_layers;
    uint32_t inputs[KL_LAYERS_MAX], outputs[KL_LAYERS_MAX];
    const struct kl_layer_facts *layers; /* (n_layers) of a recorded network, borrowed; or NULL */
    uint32_t vocabulary, embedding;      /* tokens and the width of what stands for one; 0: none */
};

/* Outputs of the last layer. */
static inline uint32_t kl_shape_n_outputs(const struct kl_shape *shape)
{
    return shape->outputs[shape->n_layers - 1];
}

#endif
