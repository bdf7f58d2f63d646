#include "core/trace.h"

#include <string.h>

enum kl_status kl_trace(const struct kl_history *history, uint32_t dataset, const uint8_t *pixels,
                        struct kl_batch **out, struct kl_error *err)
{
    struct kl_batch *batch = NULL;
    enum kl_status status = kl_batch_create(history->final, 1, &batch, err);

    if (status)
        return status;
    kl_dataset_standardise(history->data->datasets[dataset], pixels, batch->keys[0]);
    kl_network_forward(history->final, 1, batch);
    *out = batch;
    return KL_OK;
}

void kl_trace_logit(const struct kl_history *history, uint32_t logit, struct kl_batch *batch)
{
    const struct kl_network *network = history->final;
    uint32_t last = network->n_layers - 1;

    memset(batch->errors[last], 0, network->widths[last + 1] * sizeof(float));
    batch->errors[last][logit] = 1;
    kl_network_backward(network, 1, batch);
}

void kl_trace_loss(const struct kl_history *history, uint32_t target, struct kl_batch *batch)
{
    const struct kl_network *network = history->final;
    uint32_t last = network->n_layers - 1;

    kl_cross_entropy(batch->keys[last + 1], 1, network->widths[last + 1], &target,
                     batch->errors[last]);
    kl_network_backward(network, 1, batch);
}

void kl_initial_guess(const struct kl_history *history, uint32_t layer, const float *x, double *out)
{
    const struct kl_network *initial = history->initial;
    size_t inputs = initial->widths[layer];

    for (uint32_t j = 0; j < initial->widths[layer + 1]; j++) {
        const float *row = initial->weights[layer] + j * inputs;
        double sum = initial->biases[layer][j];

        for (size_t i = 0; i < inputs; i++)
            sum += (double)row[i] * x[i];
        out[j] = history->alpha * sum;
    }
}
