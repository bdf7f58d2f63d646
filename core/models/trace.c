#include "core/models/trace.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "core/data/text/corpus.h"
#include "core/base/memory.h"

/* Reads the text and copies what the layers saw at its last token. */
static enum kl_status read_text(const struct kl_network *network, const struct kl_subject *subject,
                                struct kl_trace *trace, struct kl_error *err)
{
    const struct kl_shape *shape = &network->shape;
    size_t row = subject->n_tokens - 1;
    float *carried = NULL;
    enum kl_status status =
        kl_alloc(&carried, kl_lstm_carried_size(shape, 1), sizeof(float), "the state", err);

    if (!status)
        status = kl_lstm_activations_create(shape, 1, subject->n_tokens, &trace->activations, err);
    if (!status) {
        kl_lstm_forward(network, subject->tokens, 1, subject->n_tokens, carried,
                        trace->activations);
        for (uint32_t l = 0; l < shape->n_layers; l++)
            memcpy(trace->batch->keys[l], trace->activations->keys[l] + row * shape->inputs[l],
                   shape->inputs[l] * sizeof(float));
        kl_lstm_logits(network, trace->activations, row, 1, trace->batch->keys[shape->n_layers]);
    }
    free(carried);
    return status;
}

enum kl_status kl_trace(const struct kl_history *history, const struct kl_network *network,
                        const struct kl_subject *subject, struct kl_trace **out,
                        struct kl_error *err)
{
    struct kl_trace *trace = NULL;
    enum kl_status status = kl_alloc(&trace, 1, sizeof *trace, "a query", err);

    if (status)
        return status;
    trace->tokens = subject->tokens;
    status = kl_activations_create(network, 1, &trace->batch, err);
    if (!status && subject->tokens) {
        status = read_text(network, subject, trace, err);
    } else if (!status) {
        kl_dataset_standardise(history->data->datasets[subject->dataset], subject->pixels,
                               trace->batch->keys[0]);
        kl_network_forward(network, 1, trace->batch);
    }
    if (status)
        kl_trace_free(trace);
    else
        *out = trace;
    return status;
}

void kl_trace_free(struct kl_trace *trace)
{
    if (!trace)
        return;
    kl_activations_free(trace->batch);
    kl_lstm_activations_free(trace->activations);
    free(trace);
}

/* From the gradient w.r.t. the logits, batch->errors of the last layer, to all others. */
static void back(const struct kl_network *network, struct kl_trace *trace)
{
    const struct kl_shape *shape = &network->shape;
    uint32_t last = shape->n_layers - 1;
    size_t row, hidden = shape->inputs[last];
    float *top;

    if (!trace->activations) {
        kl_network_backward(network, 1, trace->batch);
        return;
    }
    row = trace->activations->unroll - 1;
    top = trace->activations->top_errors;
    memset(top, 0, row * hidden * sizeof(float));
    cblas_sgemv(CblasRowMajor, CblasTrans, (int)shape->outputs[last], (int)hidden, 1,
                network->weights[last], (int)hidden, trace->batch->errors[last], 1, 0,
                top + row * hidden, 1);
    kl_lstm_backward(network, trace->tokens, trace->activations, NULL);
    for (uint32_t l = 0; l < last; l++)
        memcpy(trace->batch->errors[l], trace->activations->errors[l] + row * shape->outputs[l],
               shape->outputs[l] * sizeof(float));
}

void kl_trace_logit(const struct kl_history *history, uint32_t logit, uint32_t layer,
                    struct kl_trace *trace)
{
    const struct kl_network *network = history->final;
    uint32_t last = network->shape.n_layers - 1;

    memset(trace->batch->errors[last], 0, network->shape.outputs[last] * sizeof(float));
    trace->batch->errors[last][logit] = 1;
    if (layer < last)
        back(network, trace);
}

void kl_trace_loss(const struct kl_history *history, uint32_t target, struct kl_trace *trace)
{
    const struct kl_network *network = history->final;
    uint32_t last = network->shape.n_layers - 1;

    kl_cross_entropy(trace->batch->keys[last + 1], 1, network->shape.outputs[last], &target,
                     trace->batch->errors[last]);
    back(network, trace);
}

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

void kl_subject_at(const struct kl_collection *data, uint32_t id, struct kl_subject *subject)
{
    struct kl_sample_place place = kl_collection_place(data, id);
    const uint32_t *tokens = data->datasets[place.dataset]->corpus->tokens[place.split];
    uint32_t n = place.index + 1 < KL_CONTEXT ? place.index + 1 : KL_CONTEXT;

    *subject = (struct kl_subject){
        .dataset = place.dataset, .tokens = tokens + place.index + 1 - n, .n_tokens = n};
}
