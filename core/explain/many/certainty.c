#include "core/explain/many/certainty.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"

#define ROWS 256 /* samples at a time */

static void judge(const float *logits, uint32_t n_outputs, uint32_t target, float *loss,
                  float *margin)
{
    float largest_other = -HUGE_VALF;

    for (uint32_t j = 0; j < n_outputs; j++)
        if (j != target && logits[j] > largest_other)
            largest_other = logits[j];
    *loss = (float)kl_cross_entropy(logits, 1, n_outputs, &target, NULL);
    *margin = logits[target] - largest_other;
}

/* Samples first .. first + n - 1, which the network reads here. */
static void run_rows(const struct kl_history *history, uint32_t first, uint32_t n,
                     struct kl_activations *activations, struct kl_certainty *certainty)
{
    const struct kl_network *network = history->final;
    uint32_t n_outputs = kl_shape_n_outputs(&network->shape);
    const float *logits = activations->keys[network->shape.n_layers];

    for (uint32_t i = 0; i < n; i++)
        kl_dataset_standardise(
            history->data->datasets[kl_collection_place(history->data, first + i).dataset],
            kl_collection_pixels(history->data, first + i),
            activations->keys[0] + (size_t)i * network->shape.inputs[0]);
    network->shape.model->forward(network, n, activations);
    for (uint32_t i = 0; i < n; i++)
        judge(logits + (size_t)i * n_outputs, n_outputs,
              kl_collection_target(history->data, first + i), &certainty->losses[first + i],
              &certainty->margins[first + i]);
}

static enum kl_status run_all(const struct kl_history *history, struct kl_certainty *certainty,
                              struct kl_error *err)
{
    struct kl_activations *activations = NULL;
    enum kl_status status = kl_activations_create(&history->final->shape, ROWS, &activations, err);

    for (uint32_t first = 0; !status && first < certainty->n; first += ROWS)
        run_rows(history, first, certainty->n - first < ROWS ? certainty->n - first : ROWS,
                 activations, certainty);
    kl_activations_free(activations);
    return status;
}

/* Those whose logits were recorded. */
static enum kl_status read_all(const struct kl_history *history, struct kl_certainty *certainty,
                               struct kl_error *err)
{
    const struct kl_queries *queries = history->queries;
    uint32_t n_outputs = kl_shape_n_outputs(&history->final->shape), n = 0, *samples = NULL;
    float *logits = NULL;
    enum kl_status status = queries->list(queries->self, &samples, &n, err);

    if (!status)
        status = kl_alloc(&logits, n_outputs, sizeof *logits, "logits", err);
    for (uint32_t i = 0; !status && i < n; i++) {
        uint32_t id = samples[i];

        status = queries->logits(queries->self, id, logits, err);
        if (!status)
            judge(logits, n_outputs, kl_collection_target(history->data, id),
                  &certainty->losses[id], &certainty->margins[id]);
    }
    free(samples);
    free(logits);
    return status;
}

enum kl_status kl_certainty(const struct kl_history *history, struct kl_certainty *certainty,
                            struct kl_error *err)
{
    enum kl_status status;

    *certainty = (struct kl_certainty){.n = kl_collection_size(history->data)};
    status = kl_alloc(&certainty->losses, certainty->n, sizeof(float), "the samples", err);
    if (!status)
        status = kl_alloc(&certainty->margins, certainty->n, sizeof(float), "the samples", err);
    for (uint32_t i = 0; !status && i < certainty->n; i++)
        certainty->losses[i] = certainty->margins[i] = NAN;
    if (status)
        return status;
    return history->queries ? read_all(history, certainty, err) : run_all(history, certainty, err);
}

void kl_certainty_clear(struct kl_certainty *certainty)
{
    free(certainty->losses);
    free(certainty->margins);
    *certainty = (struct kl_certainty){0};
}
