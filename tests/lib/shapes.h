/* Shapes of networks, for tests. */
#ifndef KL_TESTS_LIB_SHAPES_H
#define KL_TESTS_LIB_SHAPES_H

#include "core/models/model.h"

/* widths: (n_layers + 1), of the input and of every layer's output. */
static inline enum kl_status shape_mlp(uint32_t n_layers, const uint32_t *widths,
                                       struct kl_shape *shape, struct kl_error *err)
{
    struct kl_model_settings settings = {.n_hidden = n_layers - 1};

    for (uint32_t l = 0; l + 1 < n_layers; l++)
        settings.hidden[l] = widths[l + 1];
    return kl_mlp.shape(&settings, widths[0], widths[n_layers], shape, err);
}

static inline enum kl_status shape_lstm(uint32_t vocabulary, uint32_t embedding, uint32_t hidden,
                                        uint32_t n_lstm, struct kl_shape *shape,
                                        struct kl_error *err)
{
    struct kl_model_settings settings = {.n_hidden = n_lstm, .embedding = embedding};

    for (uint32_t l = 0; l < n_lstm; l++)
        settings.hidden[l] = hidden;
    return kl_lstm.shape(&settings, vocabulary, vocabulary, shape, err);
}

#endif
