/* What linear layers a network has, and what feeds them. Layers are counted from 1 in names and
 * messages; arrays over layers start at 0. */
#ifndef KL_CORE_MODELS_SHAPE_H
#define KL_CORE_MODELS_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

#define KL_LAYERS_MAX 64
#define KL_WIDTH_MAX 65536          /* of what is inside a network */
#define KL_VOCABULARY_MAX (1 << 20) /* outputs of a language model */

enum kl_architecture {
    KL_MLP,  /* linear layers with ReLU between them; layer 1 reads the samples themselves */
    KL_LSTM, /* an embedding, LSTM layers whose four gates are one linear layer with the key
                [x_t ; h_{t-1}], and a linear layer on the last h_t */
};

struct kl_shape {
    enum kl_architecture architecture;
    uint32_t n_layers;
    uint32_t inputs[KL_LAYERS_MAX], outputs[KL_LAYERS_MAX];
    uint32_t vocabulary, embedding; /* KL_LSTM: tokens and the width of what stands for one; or 0 */
};

/* n_layers + 1 widths, of the input and of every layer's output. Errors: KL_ERR_USAGE (sizes). */
enum kl_status kl_shape_mlp(uint32_t n_layers, const uint32_t *widths, struct kl_shape *shape,
                            struct kl_error *err);

/* n_lstm layers of hidden cells over vocabulary tokens. Errors: KL_ERR_USAGE (sizes). */
enum kl_status kl_shape_lstm(uint32_t vocabulary, uint32_t embedding, uint32_t hidden,
                             uint32_t n_lstm, struct kl_shape *shape, struct kl_error *err);

/* Refuses what is neither: layers that do not fit each other. Errors: KL_ERR_USAGE. */
enum kl_status kl_shape_check(const struct kl_shape *shape, struct kl_error *err);

/* Outputs of the last layer. */
static inline uint32_t kl_shape_n_outputs(const struct kl_shape *shape)
{
    return shape->outputs[shape->n_layers - 1];
}

/* Cells of an LSTM layer. */
static inline uint32_t kl_shape_hidden(const struct kl_shape *shape)
{
    return shape->inputs[shape->n_layers - 1];
}

/* Whether the layer's keys are the samples themselves, which are stored once, not per pattern. */
static inline int kl_shape_reads_samples(const struct kl_shape *shape, uint32_t layer)
{
    return shape->architecture == KL_MLP && layer == 0;
}

/* "mlp", "lstm"; a static string; and the reverse: 0, or -1 for any other word. */
const char *kl_architecture_name(enum kl_architecture architecture);
int kl_architecture_parse(const char *name, enum kl_architecture *architecture);

#endif
