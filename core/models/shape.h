/* What linear layers a network has, and what feeds them. Layers are counted from 1 in names and
 * messages; arrays over layers start at 0. */
#ifndef KL_CORE_MODELS_SHAPE_H
#define KL_CORE_MODELS_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#define KL_LAYERS_MAX 64
#define KL_WIDTH_MAX 65536          /* of what is inside a network */
#define KL_VOCABULARY_MAX (1 << 20) /* outputs of a language model */

struct kl_model;

struct kl_shape {
    const struct kl_model *model; /* the architecture: core/models/model.h */
    uint32_t n_layers;
    uint32_t inputs[KL_LAYERS_MAX], outputs[KL_LAYERS_MAX];
    uint32_t vocabulary, embedding; /* tokens and the width of what stands for one; 0: none */
};

/* Outputs of the last layer. */
static inline uint32_t kl_shape_n_outputs(const struct kl_shape *shape)
{
    return shape->outputs[shape->n_layers - 1];
}

#endif
