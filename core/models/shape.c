#include "core/models/shape.h"

#include <string.h>

static enum kl_status check_sizes(const struct kl_shape *shape, struct kl_error *err)
{
    uint32_t last = shape->n_layers - 1;

    if (shape->n_layers < 1 || shape->n_layers > KL_LAYERS_MAX)
        return kl_fail(err, KL_ERR_USAGE, "a network has 1 to %d layers, not %u", KL_LAYERS_MAX,
                       shape->n_layers);
    for (uint32_t l = 0; l <= last; l++) {
        uint32_t most =
            l == last && shape->architecture == KL_LSTM ? KL_VOCABULARY_MAX : KL_WIDTH_MAX;
        uint32_t wrong = shape->inputs[l] < 1 || shape->inputs[l] > KL_WIDTH_MAX
                             ? shape->inputs[l]
                             : shape->outputs[l];

        if (shape->inputs[l] < 1 || shape->inputs[l] > KL_WIDTH_MAX || shape->outputs[l] < 1 ||
            shape->outputs[l] > most)
            return kl_fail(err, KL_ERR_USAGE, "a layer is 1 to %u wide, not %u", most, wrong);
    }
    return KL_OK;
}

enum kl_status kl_shape_check(const struct kl_shape *shape, struct kl_error *err)
{
    enum kl_status status = check_sizes(shape, err);
    uint32_t last = shape->n_layers - 1, hidden;
    int fits = 1;

    if (status)
        return status;
    hidden = shape->inputs[last];
    if (shape->architecture == KL_MLP) {
        for (uint32_t l = 0; l < last; l++)
            fits = fits && shape->outputs[l] == shape->inputs[l + 1];
    } else {
        fits = shape->n_layers >= 2 && shape->embedding >= 1 &&
               shape->vocabulary == shape->outputs[last];
        for (uint32_t l = 0; fits && l < last; l++)
            fits = shape->outputs[l] == 4 * hidden &&
                   shape->inputs[l] == (l ? hidden : shape->embedding) + hidden;
    }
    return fits ? KL_OK : kl_fail(err, KL_ERR_USAGE, "the network's layers do not fit each other");
}

enum kl_status kl_shape_mlp(uint32_t n_layers, const uint32_t *widths, struct kl_shape *out,
                            struct kl_error *err)
{
    struct kl_shape shape = {.architecture = KL_MLP, .n_layers = n_layers};
    enum kl_status status;

    for (uint32_t l = 0; l < n_layers && l < KL_LAYERS_MAX; l++) {
        shape.inputs[l] = widths[l];
        shape.outputs[l] = widths[l + 1];
    }
    status = kl_shape_check(&shape, err);
    if (!status)
        *out = shape;
    return status;
}

enum kl_status kl_shape_lstm(uint32_t vocabulary, uint32_t embedding, uint32_t hidden,
                             uint32_t n_lstm, struct kl_shape *out, struct kl_error *err)
{
    struct kl_shape shape = {.architecture = KL_LSTM,
                             .n_layers = n_lstm + 1,
                             .vocabulary = vocabulary,
                             .embedding = embedding};
    enum kl_status status;

    if (hidden < 1 || hidden > KL_WIDTH_MAX / 4)
        return kl_fail(err, KL_ERR_USAGE, "an LSTM layer has 1 to %d cells, not %u",
                       KL_WIDTH_MAX / 4, hidden);
    for (uint32_t l = 0; l < n_lstm && l + 1 < KL_LAYERS_MAX; l++) {
        shape.inputs[l] = (l ? hidden : embedding) + hidden;
        shape.outputs[l] = 4 * hidden;
    }
    if (n_lstm < KL_LAYERS_MAX) {
        shape.inputs[n_lstm] = hidden;
        shape.outputs[n_lstm] = vocabulary;
    }
    status = kl_shape_check(&shape, err);
    if (!status)
        *out = shape;
    return status;
}

static const char *const architecture_names[] = {"mlp", "lstm"};

const char *kl_architecture_name(enum kl_architecture architecture)
{
    return architecture_names[architecture];
}

int kl_architecture_parse(const char *name, enum kl_architecture *architecture)
{
    for (int i = KL_MLP; i <= KL_LSTM; i++) {
        if (!strcmp(name, architecture_names[i])) {
            *architecture = (enum kl_architecture)i;
            return 0;
        }
    }
    return -1;
}
