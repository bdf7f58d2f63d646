#include "core/explain/history.h"

void kl_initial_guess(const struct kl_history *history, uint32_t layer, const float *x, double *out)
{
    const struct kl_network *initial = history->initial;
    size_t inputs = initial->shape.inputs[layer];

    for (uint32_t j = 0; j < initial->shape.outputs[layer]; j++) {
        const float *row = initial->weights[layer] + j * inputs;
        double sum = initial->biases[layer][j];

        for (size_t i = 0; i < inputs; i++)
            sum += (double)row[i] * x[i];
        out[j] = history->alpha * sum;
    }
}
