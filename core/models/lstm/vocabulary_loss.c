#include "core/models/lstm/vocabulary_loss.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/top.h"
#include "core/models/linear.h"

#define SLICE_NUMBERS ((size_t)1 << 22) /* logits at a time: 16 MB */

size_t kl_vocabulary_slice(uint32_t n_types, size_t rows)
{
    size_t slice = SLICE_NUMBERS / n_types;

    return slice < 1 ? 1 : slice < rows ? slice : rows;
}

double kl_vocabulary_row_errors(float *row, uint32_t n, uint32_t target, size_t rows)
{
    float top = row[kl_argmax(row, n)], scale;
    double loss = (double)top - (double)row[target], sum = 0;

    for (uint32_t j = 0; j < n; j++) {
        row[j] = expf(row[j] - top);
        sum += row[j];
    }
    scale = (float)(1 / (sum * (double)rows));
    for (uint32_t j = 0; j < n; j++)
        row[j] *= scale;
    row[target] -= 1 / (float)rows;
    /* cppcheck-suppress invalidFunctionArg ; the top token alone adds 1 to the sum */
    return loss + log(sum);
}

static int by_index(const void *a, const void *b)
{
    uint64_t left = ((const struct kl_top_item *)a)->index;
    uint64_t right = ((const struct kl_top_item *)b)->index;

    return left < right ? -1 : left > right;
}

/* Keeps the target's number and the largest others of a row; items has room for them. */
static void keep_largest(const float *row, uint32_t n, uint32_t target,
                         const struct kl_vocabulary_errors *errors, size_t at,
                         struct kl_top_item *items)
{
    uint32_t entries = errors->entries;
    float *numbers = errors->numbers + at * entries;
    uint32_t *indices = errors->indices + at * entries;
    struct kl_top top = {items, 0, entries - 1};
    double left_out = 0;

    for (uint32_t j = 0; j < n; j++) {
        float size = fabsf(row[j]);

        left_out += j == target ? 0 : (double)size * size;
        if (j != target && (top.n < top.capacity || (double)size > items[0].score))
            kl_top_offer(&top, (double)size, j);
    }
    qsort(items, top.n, sizeof *items, by_index);
    numbers[0] = row[target];
    indices[0] = target;
    for (uint32_t i = 0; i < top.n; i++) {
        numbers[i + 1] = row[items[i].index];
        indices[i + 1] = (uint32_t)items[i].index;
        left_out -= items[i].score * items[i].score;
    }
    errors->left_out[at] = left_out > 0 ? (float)left_out : 0;
}

static void add_gradient(const struct kl_network *network, struct kl_lstm_activations *activations,
                         size_t first, size_t n, const float *errors, struct kl_network *gradient)
{
    uint32_t last = network->shape.n_layers - 1;
    size_t at = first * network->shape.inputs[last];

    kl_linear_back(activations->pool, network, last, n, errors, activations->top_errors + at);
    kl_linear_gradient(activations->pool, last, n, errors, activations->keys[last] + at, first > 0,
                       gradient);
}

enum kl_status kl_vocabulary_loss(const struct kl_network *network, const uint32_t *targets,
                                  const uint8_t *ignored, struct kl_lstm_activations *activations,
                                  struct kl_vocabulary_errors *errors, struct kl_network *gradient,
                                  struct kl_vocabulary_loss *out, struct kl_error *err)
{
    uint32_t n_types = kl_shape_n_outputs(&network->shape);
    size_t rows = (size_t)activations->streams * activations->unroll,
           slice = kl_vocabulary_slice(n_types, rows);
    struct kl_top_item *items = NULL;
    float *logits = NULL;
    enum kl_status status;

    *out = (struct kl_vocabulary_loss){0, 0};
    status = kl_alloc(&logits, slice * n_types, sizeof(float), "the logits", err);
    if (!status)
        status = kl_alloc(&items, errors ? errors->entries : 0, sizeof *items, "the logits", err);
    for (size_t first = 0; !status && first < rows; first += slice) {
        size_t n = rows - first < slice ? rows - first : slice;

        kl_lstm_logits(network, activations, first, n, logits);
        for (size_t i = 0; i < n; i++) {
            float *row = logits + i * n_types;

            out->correct += kl_argmax(row, n_types) == targets[first + i];
            out->loss += kl_vocabulary_row_errors(row, n_types, targets[first + i], rows);
            if (ignored && ignored[first + i])
                memset(row, 0, n_types * sizeof *row);
            if (errors && errors->entries)
                keep_largest(row, n_types, targets[first + i], errors, first + i, items);
            else if (errors && errors->numbers)
                memcpy(errors->numbers + (first + i) * n_types, row, n_types * sizeof(float));
        }
        if (gradient)
            add_gradient(network, activations, first, n, logits, gradient);
    }
    free(items);
    free(logits);
    return status;
}
