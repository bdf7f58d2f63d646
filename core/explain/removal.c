#include "core/explain/removal.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/dual/dual.h"

static int in_range(const struct kl_removal *removal, uint32_t step)
{
    for (uint32_t i = 0; i < removal->n_ranges; i++)
        if (step >= removal->first_steps[i] && step <= removal->last_steps[i])
            return 1;
    return 0;
}

enum kl_status kl_removal_mark(const struct kl_history *history, const struct kl_removal *removal,
                               uint8_t *removed, struct kl_error *err)
{
    uint32_t n_samples = kl_collection_size(history->data);
    uint8_t *samples = NULL; /* (n_samples) whether all patterns of it go */
    enum kl_status status = kl_alloc(&samples, n_samples, 1, "the removal", err);

    if (status)
        return status;
    for (uint32_t i = 0; i < removal->n_samples; i++)
        samples[removal->samples[i]] = 1;
    for (uint32_t id = 0; id < n_samples; id++) {
        uint32_t class = history->classes[id];

        for (uint32_t i = 0; i < removal->n_classes; i++)
            samples[id] |= removal->classes[i] == class;
        for (uint32_t i = 0; i < removal->n_datasets; i++)
            samples[id] |= removal->datasets[i] == history->class_datasets[class];
    }
    for (uint64_t t = 0; t < history->n_patterns; t++)
        removed[t] |= removal->all || samples[history->samples[t]] ||
                      in_range(removal, kl_history_step(history, t));
    free(samples);
    return KL_OK;
}

struct work {
    struct kl_pool *pool;
    const struct kl_history *history;
    const uint8_t *removed; /* 0 or 1 */
    int most; /* most patterns are removed: what is summed are the others, added to the initial
                 guess */
    float *x; /* (widest) the input of the layer, which becomes that of the next */
    double *sums, *y; /* (widest) */
};

/* One layer: y = W x + b without the removed patterns. */
static enum kl_status run_layer(struct work *work, uint32_t layer, struct kl_error *err)
{
    const struct kl_history *history = work->history;
    const struct kl_network *final = history->final;
    size_t inputs = final->shape.inputs[layer], outputs = final->shape.outputs[layer];
    double sign = work->most ? 1 : -1;
    enum kl_status status = kl_sum_marked(work->pool, history, layer, work->x, work->removed,
                                          !work->most, work->sums, err);

    if (!status && work->most)
        status = kl_initial_guess(work->pool, history, layer, work->x, work->y, err);
    if (status)
        return status;
    for (size_t j = 0; j < outputs; j++) {
        const float *row = final->weights[layer] + j * inputs;

        if (!work->most) {
            work->y[j] = final->biases[layer][j];
            for (size_t i = 0; i < inputs; i++)
                work->y[j] += (double)row[i] * work->x[i];
        }
        work->y[j] += sign * work->sums[j];
    }
    for (size_t j = 0; layer + 1 < final->shape.n_layers && j < outputs; j++)
        work->x[j] = (float)work->y[j];
    if (layer + 1 < final->shape.n_layers)
        kl_activate(final->shape.activation, work->x, outputs, work->x);
    return KL_OK;
}

enum kl_status kl_logits_without(struct kl_pool *pool, const struct kl_history *history,
                                 uint32_t first, const float *x, const uint8_t *removed,
                                 double *logits, struct kl_error *err)
{
    const struct kl_network *final = history->final;
    struct work work = {.pool = pool, .history = history, .removed = removed};
    uint64_t n_removed = 0;
    uint32_t widest = 0;
    enum kl_status status;

    for (uint64_t t = 0; t < history->n_patterns; t++)
        n_removed += removed[t];
    status = kl_peers_sum_counts(history->peers, &n_removed, 1, err);
    if (status)
        return status;
    work.most = n_removed > history->n_all / 2;
    for (uint32_t l = 0; l < final->shape.n_layers; l++) {
        widest = final->shape.inputs[l] > widest ? final->shape.inputs[l] : widest;
        widest = final->shape.outputs[l] > widest ? final->shape.outputs[l] : widest;
    }
    status = kl_alloc(&work.x, widest, sizeof(float), "a layer", err);
    if (status)
        goto out;
    status = kl_alloc(&work.sums, widest, sizeof(double), "a layer", err);
    if (status)
        goto out;
    status = kl_alloc(&work.y, widest, sizeof(double), "a layer", err);
    if (status)
        goto out;
    memcpy(work.x, x, final->shape.inputs[first] * sizeof(float));
    for (uint32_t l = first; !status && l < final->shape.n_layers; l++)
        status = run_layer(&work, l, err);
    if (status)
        goto out;
    memcpy(logits, work.y, kl_shape_n_outputs(&final->shape) * sizeof(double));
out:
    free(work.x);
    free(work.sums);
    free(work.y);
    return status;
}
