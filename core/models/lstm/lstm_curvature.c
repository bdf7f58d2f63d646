#include "core/models/lstm/lstm_curvature.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/models/linear.h"
#include "core/models/product.h"
#include "core/models/lstm/vocabulary_loss.h"

/* What changes along the direction; shapes are those of struct kl_lstm_activations. */
struct changes {
    const struct kl_lstm_activations *activations;
    const struct kl_network *network, *direction;
    struct kl_network *product;
    size_t rows, hidden;
    float *keys[KL_LAYERS_MAX];        /* (rows, inputs[l]) */
    float *gates[KL_LAYERS_MAX];       /* (rows, 4 H) of the gates after their functions */
    float *cells[KL_LAYERS_MAX];       /* (streams + rows, H) */
    float *errors[KL_LAYERS_MAX];      /* (rows, 4 H) */
    float *above, *above_changes;      /* (rows, H) gradient w.r.t. h from above, and its change */
    float *below_changes;              /* (rows, embedding) */
    float *key_errors, *key_changes;   /* (streams, widest) of the token after */
    float *cell_errors, *cell_changes; /* (streams, H) likewise */
    float *logits, *logit_changes;     /* (slice, vocabulary) */
};

/* Changes of a cell's gates before their functions become those after them; gates: after them.
 * Returns the change of h_t. */
static float run_cell(const float *gates, float *changes, size_t hidden, float before,
                      float before_change, float tanh_cell, float *cell_change)
{
    float in = gates[0], forget = gates[hidden], candidate = gates[2 * hidden],
          out = gates[3 * hidden];

    changes[0] *= in * (1 - in);
    changes[hidden] *= forget * (1 - forget);
    changes[2 * hidden] *= 1 - candidate * candidate;
    changes[3 * hidden] *= out * (1 - out);
    *cell_change = changes[hidden] * before + forget * before_change + changes[0] * candidate +
                   in * changes[2 * hidden];
    return changes[3 * hidden] * tanh_cell + out * (1 - tanh_cell * tanh_cell) * *cell_change;
}

/* Writes the change of h of a row's cell to where it is read. */
static void pass_on(struct changes *changes, uint32_t layer, size_t row, size_t cell, float h)
{
    const struct kl_shape *shape = &changes->network->shape;
    size_t next = row + changes->activations->streams, width = shape->inputs[layer];

    changes->keys[layer + 1][row * shape->inputs[layer + 1] + cell] = h;
    if (next < changes->rows)
        changes->keys[layer][next * width + width - changes->hidden + cell] = h;
}

static void run_layer(struct changes *changes, uint32_t layer)
{
    const struct kl_lstm_activations *activations = changes->activations;
    size_t streams = activations->streams, hidden = changes->hidden;
    size_t gates_width = 4 * hidden, width = changes->network->shape.inputs[layer];

    for (uint32_t u = 0; u < activations->unroll; u++) {
        size_t first = u * streams;
        float *gates = changes->gates[layer] + first * gates_width;

        kl_linear_forward(activations->pool, changes->direction, layer, streams,
                          activations->keys[layer] + first * width, gates);
        kl_multiply(activations->pool, KL_TURNED_B, streams, gates_width, width,
                    changes->keys[layer] + first * width, changes->network->weights[layer], 1,
                    gates);
        for (size_t i = 0; i < streams * hidden; i++) {
            size_t row = first + i / hidden, cell = i % hidden, at = row * hidden + cell;
            size_t gate = row * gates_width + cell;
            float h = run_cell(activations->gates[layer] + gate, changes->gates[layer] + gate,
                               hidden, activations->cells[layer][at], changes->cells[layer][at],
                               activations->tanh_cells[layer][at],
                               &changes->cells[layer][at + streams * hidden]);

            pass_on(changes, layer, row, cell, h);
        }
    }
}

/* From the tokens to the last layer's keys. */
static void go_forward(struct changes *changes, const uint32_t *tokens)
{
    const struct kl_shape *shape = &changes->network->shape;
    const struct kl_lstm_activations *activations = changes->activations;
    uint32_t last = shape->n_layers - 1;

    for (size_t row = 0; row < changes->rows; row++)
        memcpy(changes->keys[0] + row * shape->inputs[0],
               changes->direction->embedding + (size_t)tokens[row] * shape->embedding,
               shape->embedding * sizeof(float));
    for (uint32_t l = 0; l < last; l++)
        run_layer(changes, l);
    for (size_t i = 0; activations->has_mask && i < changes->rows * changes->hidden; i++)
        changes->keys[last][i] *= activations->mask[i];
}

/* The softmax's Jacobian: a row's errors are (p - target) / rows; returns what they make of the
 * logits' changes, which become those of the errors. */
static float change_errors(const float *errors, uint32_t target, uint32_t n, size_t rows,
                           float *logit_changes)
{
    float slope = 0, mean = 0;

    for (uint32_t j = 0; j < n; j++) {
        float p = errors[j] * (float)rows + (float)(j == target);

        slope += errors[j] * logit_changes[j];
        mean += p * logit_changes[j];
    }
    for (uint32_t j = 0; j < n; j++)
        logit_changes[j] =
            (errors[j] + (j == target ? 1 / (float)rows : 0)) * (logit_changes[j] - mean);
    return slope;
}

/* Through the last layer and back, some rows at a time. */
static void turn_at_logits(struct changes *changes, const uint32_t *targets, size_t slice,
                           float *slopes)
{
    const struct kl_network *network = changes->network, *direction = changes->direction;
    uint32_t last = network->shape.n_layers - 1, outputs = network->shape.outputs[last];
    size_t hidden = changes->hidden;
    struct kl_network *product = changes->product;
    struct kl_pool *pool = changes->activations->pool;

    for (size_t first = 0, n; first < changes->rows; first += n) {
        const float *keys = changes->activations->keys[last] + first * hidden;
        const float *key_changes = changes->keys[last] + first * hidden;
        float *errors = changes->logits, *error_changes = changes->logit_changes;

        n = changes->rows - first < slice ? changes->rows - first : slice;
        kl_lstm_logits(network, changes->activations, first, n, errors);
        kl_linear_forward(pool, direction, last, n, keys, error_changes);
        kl_multiply(pool, KL_TURNED_B, n, outputs, hidden, key_changes, network->weights[last], 1,
                    error_changes);
        for (size_t i = 0; i < n; i++) {
            uint32_t target = targets[first + i];

            kl_vocabulary_row_errors(errors + i * outputs, outputs, target, changes->rows);
            slopes[first + i] = change_errors(errors + i * outputs, target, outputs, changes->rows,
                                              error_changes + i * outputs);
        }
        kl_linear_back(pool, network, last, n, errors, changes->above + first * hidden);
        kl_linear_back(pool, network, last, n, error_changes,
                       changes->above_changes + first * hidden);
        kl_multiply(pool, KL_TURNED_NONE, n, hidden, outputs, errors, direction->weights[last], 1,
                    changes->above_changes + first * hidden);
        kl_linear_gradient(pool, last, n, error_changes, keys, first > 0, product);
        kl_multiply(pool, KL_TURNED_A, outputs, hidden, n, errors, key_changes, 1,
                    product->weights[last]);
    }
    for (size_t i = 0; changes->activations->has_mask && i < changes->rows * hidden; i++) {
        changes->above[i] *= changes->activations->mask[i];
        changes->above_changes[i] *= changes->activations->mask[i];
    }
}

/* One cell of a row: what reaches it from above and from the token after. */
struct cell {
    float h_error, h_change;         /* gradient w.r.t. h_t, and its change */
    float before, before_change;     /* c_{t-1} */
    float tanh_cell, cell_change;    /* tanh c_t; of c_t */
    float *c_error, *c_error_change; /* gradient w.r.t. c_t from the token after, then w.r.t.
                                        c_{t-1} */
};

/* The derivative of back_cell (lstm_layers.c): changes of the gates' errors. */
static void back_cell(const float *gates, const float *changes, size_t hidden,
                      const struct cell *cell, float *error_changes)
{
    float in = gates[0], forget = gates[hidden], candidate = gates[2 * hidden],
          out = gates[3 * hidden];
    float d_in = changes[0], d_forget = changes[hidden], d_candidate = changes[2 * hidden],
          d_out = changes[3 * hidden];
    float t = cell->tanh_cell, slope = 1 - t * t, d_t = slope * cell->cell_change;
    float c = *cell->c_error + cell->h_error * out * slope;
    float d_c = *cell->c_error_change + cell->h_change * out * slope +
                cell->h_error * (d_out * slope - 2 * out * t * d_t);

    error_changes[0] =
        (d_c * candidate + c * d_candidate) * in * (1 - in) + c * candidate * (1 - 2 * in) * d_in;
    error_changes[hidden] = (d_c * cell->before + c * cell->before_change) * forget * (1 - forget) +
                            c * cell->before * (1 - 2 * forget) * d_forget;
    error_changes[2 * hidden] =
        (d_c * in + c * d_in) * (1 - candidate * candidate) - 2 * c * in * candidate * d_candidate;
    error_changes[3 * hidden] = (cell->h_change * t + cell->h_error * d_t) * out * (1 - out) +
                                cell->h_error * t * (1 - 2 * out) * d_out;
    *cell->c_error = c * forget;
    *cell->c_error_change = d_c * forget + c * d_forget;
}

/* The cells of one token of all streams, whose rows begin at first. */
static void back_token(struct changes *changes, uint32_t layer, size_t first)
{
    const struct kl_lstm_activations *activations = changes->activations;
    size_t streams = activations->streams, hidden = changes->hidden;
    size_t width = changes->network->shape.inputs[layer], x = width - hidden;

    for (size_t i = 0; i < streams * hidden; i++) {
        size_t b = i / hidden, j = i % hidden, row = first + b, at = row * hidden + j;
        size_t gate = row * 4 * hidden + j;
        const struct cell cell = {
            .h_error = changes->above[at] + changes->key_errors[b * width + x + j],
            .h_change = changes->above_changes[at] + changes->key_changes[b * width + x + j],
            .before = activations->cells[layer][at],
            .before_change = changes->cells[layer][at],
            .tanh_cell = activations->tanh_cells[layer][at],
            .cell_change = changes->cells[layer][at + streams * hidden],
            .c_error = &changes->cell_errors[i],
            .c_error_change = &changes->cell_changes[i]};

        back_cell(activations->gates[layer] + gate, changes->gates[layer] + gate, hidden, &cell,
                  changes->errors[layer] + gate);
    }
}

/* From what is above a layer to what is below it, in its place. */
static void back_layer(struct changes *changes, uint32_t layer)
{
    const struct kl_lstm_activations *activations = changes->activations;
    size_t streams = activations->streams, hidden = changes->hidden, gates_width = 4 * hidden;
    size_t width = changes->network->shape.inputs[layer], x = width - hidden;
    struct kl_pool *pool = activations->pool;

    memset(changes->key_errors, 0, streams * width * sizeof(float));
    memset(changes->key_changes, 0, streams * width * sizeof(float));
    memset(changes->cell_errors, 0, streams * hidden * sizeof(float));
    memset(changes->cell_changes, 0, streams * hidden * sizeof(float));
    for (uint32_t u = activations->unroll; u-- > 0;) {
        size_t first = u * streams;
        const float *errors = activations->errors[layer] + first * gates_width;
        const float *error_changes = changes->errors[layer] + first * gates_width;

        back_token(changes, layer, first);
        kl_linear_back(pool, changes->network, layer, streams, errors, changes->key_errors);
        kl_linear_back(pool, changes->network, layer, streams, error_changes, changes->key_changes);
        kl_multiply(pool, KL_TURNED_NONE, streams, width, gates_width, errors,
                    changes->direction->weights[layer], 1, changes->key_changes);
        for (size_t b = 0; b < streams; b++) {
            const float *changed = changes->key_changes + b * width;

            if (layer == 0) {
                memcpy(changes->below_changes + (first + b) * x, changed, x * sizeof(float));
                continue;
            }
            memcpy(changes->above + (first + b) * hidden, changes->key_errors + b * width,
                   hidden * sizeof(float));
            memcpy(changes->above_changes + (first + b) * hidden, changed, hidden * sizeof(float));
        }
    }
}

static void go_back(struct changes *changes, const uint32_t *tokens)
{
    const struct kl_shape *shape = &changes->network->shape;
    const struct kl_lstm_activations *activations = changes->activations;
    struct kl_network *product = changes->product;

    for (uint32_t l = shape->n_layers - 1; l-- > 0;) {
        back_layer(changes, l);
        kl_linear_gradient(activations->pool, l, changes->rows, changes->errors[l],
                           activations->keys[l], 0, product);
        kl_multiply(activations->pool, KL_TURNED_A, shape->outputs[l], shape->inputs[l],
                    changes->rows, activations->errors[l], changes->keys[l], 1,
                    product->weights[l]);
    }
    memset(product->embedding, 0, (size_t)shape->vocabulary * shape->embedding * sizeof(float));
    for (size_t row = 0; row < changes->rows; row++)
        cblas_saxpy((int)shape->embedding, 1, changes->below_changes + row * shape->embedding, 1,
                    product->embedding + (size_t)tokens[row] * shape->embedding, 1);
}

/* Cuts a block into its parts, or, where it is NULL, only says how many numbers it takes. */
static size_t lay_out(struct changes *changes, size_t slice, float *block)
{
    const struct kl_shape *shape = &changes->network->shape;
    uint32_t last = shape->n_layers - 1;
    size_t rows = changes->rows, hidden = changes->hidden, streams = changes->activations->streams,
           widest = 0, used = 0;
    struct {
        float **at;
        size_t n;
    } parts[5 * KL_LAYERS_MAX + 16];
    size_t n_parts = 0;

#define PART(pointer, count) (parts[n_parts].at = &(pointer), parts[n_parts++].n = (count))
    for (uint32_t l = 0; l <= last; l++) {
        widest = shape->inputs[l] > widest ? shape->inputs[l] : widest;
        PART(changes->keys[l], rows * shape->inputs[l]);
        if (l == last)
            break;
        PART(changes->gates[l], 4 * rows * hidden);
        PART(changes->cells[l], (streams + rows) * hidden);
        PART(changes->errors[l], 4 * rows * hidden);
    }
    PART(changes->above, rows * hidden);
    PART(changes->above_changes, rows * hidden);
    PART(changes->below_changes, rows * shape->embedding);
    PART(changes->key_errors, streams * widest);
    PART(changes->key_changes, streams * widest);
    PART(changes->cell_errors, streams * hidden);
    PART(changes->cell_changes, streams * hidden);
    PART(changes->logits, slice * shape->outputs[last]);
    PART(changes->logit_changes, slice * shape->outputs[last]);
#undef PART
    for (size_t i = 0; i < n_parts; used += parts[i++].n)
        if (block)
            *parts[i].at = block + used;
    return used;
}

enum kl_status kl_lstm_curve(const struct kl_lstm_activations *activations,
                             const struct kl_network *network, const struct kl_minibatch *minibatch,
                             const struct kl_network *direction, struct kl_network *product,
                             float *slopes, struct kl_error *err)
{
    struct changes changes = {.activations = activations,
                              .network = network,
                              .direction = direction,
                              .product = product,
                              .rows = (size_t)activations->streams * activations->unroll,
                              .hidden = kl_lstm_cells(&network->shape)};
    size_t slice = kl_vocabulary_slice(kl_shape_n_outputs(&network->shape), changes.rows);
    float *block = NULL;
    enum kl_status status = kl_alloc(&block, lay_out(&changes, slice, NULL), sizeof *block,
                                     "second derivatives", err); /* zeros */

    if (status)
        return status;
    lay_out(&changes, slice, block);
    go_forward(&changes, minibatch->tokens);
    turn_at_logits(&changes, minibatch->targets, slice, slopes);
    go_back(&changes, minibatch->tokens);
    free(block);
    return KL_OK;
}
