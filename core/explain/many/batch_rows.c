#include "core/explain/many/batch_rows.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/passes.h"

/* Whether what is the last pattern of a sample here is the last of all. */
static enum kl_status find_last(struct kl_batch_rows *rows, uint32_t n, struct kl_error *err)
{
    const struct kl_history *history = rows->history;
    uint64_t *latest = NULL; /* (n) numbers and one more; 0: it has none */
    enum kl_status status;

    memset(rows->is_last_here, 1, n);
    if (kl_peers_n(history->peers) == 1)
        return KL_OK;
    status = kl_alloc(&latest, n, sizeof *latest, "the samples", err);
    for (uint32_t i = 0; !status && i < n; i++)
        if (history->repetitions_here[i])
            latest[i] = kl_history_number(history, rows->last[i]) + 1;
    if (!status)
        status = kl_peers_largest(history->peers, latest, n, err);
    for (uint32_t i = 0; !status && i < n; i++)
        rows->is_last_here[i] = history->repetitions_here[i] &&
                                latest[i] == kl_history_number(history, rows->last[i]) + 1;
    free(latest);
    return status;
}

enum kl_status kl_batch_rows_create(const struct kl_history *history, struct kl_batch_rows **out,
                                    struct kl_error *err)
{
    uint32_t n = kl_collection_size(history->data);
    struct kl_batch_rows *rows = NULL;
    enum kl_status status = kl_alloc(&rows, 1, sizeof *rows, "the samples", err);

    if (status)
        return status;
    rows->history = history;
    status = kl_alloc(&rows->places, n, sizeof(uint32_t), "the samples", err);
    if (!status)
        status = kl_alloc(&rows->trained, n, sizeof(uint32_t), "the samples", err);
    if (!status)
        status = kl_alloc(&rows->last, n, sizeof(uint64_t), "the samples", err);
    if (!status)
        status = kl_alloc(&rows->is_last_here, n, 1, "the samples", err);
    if (status) {
        kl_batch_rows_free(rows);
        return status;
    }
    for (uint64_t t = 0; t < history->n_patterns; t++)
        rows->last[history->samples[t]] = t;
    for (uint32_t i = 0; i < n; i++) {
        if (!history->repetitions[i])
            continue;
        rows->places[i] = rows->n_trained;
        rows->trained[rows->n_trained++] = i;
    }
    status = find_last(rows, n, err);
    if (status)
        kl_batch_rows_free(rows);
    else
        *out = rows;
    return status;
}

void kl_batch_rows_free(struct kl_batch_rows *rows)
{
    if (!rows)
        return;
    free(rows->places);
    free(rows->trained);
    free(rows->last);
    free(rows->is_last_here);
    free(rows);
}

static enum kl_status read_samples(const struct kl_history *history, const uint32_t *ids,
                                   uint32_t n, unsigned worker, struct kl_activations *activations,
                                   struct kl_error *err)
{
    size_t width = history->final->shape.inputs[0];
    enum kl_status status = KL_OK;

    for (uint32_t q = 0; !status && q < n; q++) {
        uint32_t dataset = kl_collection_place(history->data, ids[q]).dataset;
        float *input = activations->keys[0] + q * width;

        status = kl_read_rows(history->keys[0], worker, ids[q], 1, input, err);
        kl_dataset_standardise_floats(history->data->datasets[dataset], input);
    }
    if (!status)
        history->final->shape.model->forward(history->final, n, activations);
    return status;
}

int kl_batch_rows_has_all(const struct kl_batch_rows *rows, uint32_t layer)
{
    return kl_peers_n(rows->history->peers) == 1 ||
           kl_shape_reads_samples(&rows->history->final->shape, layer);
}

enum kl_status kl_batch_rows_key(const struct kl_batch_rows *rows, uint32_t layer, uint32_t sample,
                                 unsigned worker, float *key, struct kl_error *err)
{
    const struct kl_history *history = rows->history;
    const struct kl_collection *data = history->data;
    int is_image = kl_shape_reads_samples(&history->final->shape, layer);
    enum kl_status status;

    if (!is_image && !rows->is_last_here[sample]) {
        memset(key, 0, history->final->shape.inputs[layer] * sizeof *key);
        return KL_OK;
    }
    status = kl_read_rows(history->keys[layer], worker, is_image ? sample : rows->last[sample], 1,
                          key, err);

    if (!status && is_image)
        kl_dataset_standardise_floats(data->datasets[kl_collection_place(data, sample).dataset],
                                      key);
    return status;
}

/* Row q of a slice becomes what one subject's activations are. */
static void take_activations(struct kl_activations *activations, uint32_t q,
                             const struct kl_activations *one)
{
    const struct kl_shape *shape = &one->shape;

    for (uint32_t l = 0; l <= shape->n_layers; l++) {
        size_t width = l < shape->n_layers ? kl_shape_key_row(shape, l) : kl_shape_n_outputs(shape);

        memcpy(activations->keys[l] + q * width, one->keys[l], width * sizeof(float));
    }
}

/* Of a network that cannot be run here: training samples as it last saw them, in the layers that
 * see them whole; their logits are not known. The others as they were recorded. */
static enum kl_status read_recorded(const struct kl_batch_rows *rows, const uint32_t *ids,
                                    uint32_t n, unsigned worker, struct kl_activations *activations,
                                    struct kl_error *err)
{
    const struct kl_history *history = rows->history;
    const struct kl_shape *shape = &history->final->shape;
    enum kl_status status = KL_OK;

    for (uint32_t q = 0; !status && q < n; q++) {
        struct kl_subject subject = {.stored = ids[q] + 1};
        struct kl_activations *one = NULL;
        int is_trained = history->repetitions[ids[q]] > 0;

        if (!is_trained)
            status = kl_pass_forward(history, &subject, &one, err);
        if (one)
            take_activations(activations, q, one);
        kl_activations_free(one);
        for (uint32_t l = 0; !status && is_trained && l < shape->n_layers; l++)
            if (kl_shape_places(shape, l) == 1)
                status =
                    kl_batch_rows_key(rows, l, ids[q], worker,
                                      activations->keys[l] + (size_t)q * shape->inputs[l], err);
    }
    return status;
}

static enum kl_status read_subjects(const struct kl_history *history, const uint32_t *ids,
                                    uint32_t n, struct kl_activations *activations,
                                    struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (uint32_t q = 0; !status && q < n; q++) {
        struct kl_subject subject;
        struct kl_activations *one = NULL;

        kl_subject_at(history->data, ids[q], &subject);
        status = kl_model_read(history->final, history->data, &subject, &one, err);
        if (one)
            take_activations(activations, q, one);
        kl_activations_free(one);
    }
    return status;
}

enum kl_status kl_batch_rows_read(const struct kl_batch_rows *rows, const uint32_t *ids, uint32_t n,
                                  unsigned worker, struct kl_activations *activations,
                                  struct kl_error *err)
{
    const struct kl_history *history = rows->history;

    if (history->queries)
        return read_recorded(rows, ids, n, worker, activations, err);
    return history->final->shape.model->forward
               ? read_samples(history, ids, n, worker, activations, err)
               : read_subjects(history, ids, n, activations, err);
}

/* Adds up the rows of trained samples in one layer. */
static enum kl_status share_layer(const struct kl_batch_rows *rows, const uint32_t *ids, uint32_t n,
                                  float *keys, size_t width, struct kl_error *err)
{
    float *told = NULL;
    uint32_t n_told = 0;
    enum kl_status status = kl_alloc(&told, n * width, sizeof *told, "keys", err);

    for (uint32_t q = 0; !status && q < n; q++)
        if (rows->history->repetitions[ids[q]])
            memcpy(told + n_told++ * width, keys + q * width, width * sizeof *told);
    if (!status)
        status = kl_peers_sum_floats(rows->history->peers, told, n_told * width, err);
    n_told = 0;
    for (uint32_t q = 0; !status && q < n; q++)
        if (rows->history->repetitions[ids[q]])
            memcpy(keys + q * width, told + n_told++ * width, width * sizeof *told);
    free(told);
    return status;
}

enum kl_status kl_batch_rows_share(const struct kl_batch_rows *rows, const uint32_t *ids,
                                   uint32_t n, struct kl_activations *activations,
                                   struct kl_error *err)
{
    const struct kl_shape *shape = &rows->history->final->shape;
    enum kl_status status = KL_OK;

    if (!rows->history->queries)
        return KL_OK; /* every process ran them by itself */
    for (uint32_t l = 0; !status && l < shape->n_layers; l++)
        if (kl_shape_places(shape, l) == 1 && !kl_batch_rows_has_all(rows, l))
            status = share_layer(rows, ids, n, activations->keys[l], shape->inputs[l], err);
    return status;
}
