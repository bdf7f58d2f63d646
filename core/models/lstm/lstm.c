/* Language models: an embedding, LSTM layers and a linear layer over the vocabulary, as a model.
 * The mathematics is in core/models/lstm/lstm_layers.h. */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/data/text/corpus.h"
#include "core/models/lstm/lstm_curvature.h"
#include "core/models/lstm/lstm_layers.h"
#include "core/models/model.h"
#include "core/models/lstm/vocabulary_loss.h"

#define TEXT_STREAMS 32
#define TEXT_UNROLL 64
#define TEXT_TOKENS 100000     /* of a long split only so many, spread over all of it; */
#define TEXT_LOGITS 1000000000 /* of large vocabularies fewer: some seconds of work */

static int fits(const struct kl_shape *shape)
{
    uint32_t last = shape->n_layers - 1, hidden = shape->inputs[last];

    if (shape->n_layers < 2 || shape->embedding < 1 || shape->vocabulary != shape->outputs[last])
        return 0;
    for (uint32_t l = 0; l < last; l++)
        if (shape->outputs[l] != 4 * hidden ||
            shape->inputs[l] != (l ? hidden : shape->embedding) + hidden)
            return 0;
    return 1;
}

static enum kl_status make_shape(const struct kl_model_settings *settings, uint32_t n_inputs,
                                 uint32_t n_outputs, struct kl_shape *out, struct kl_error *err)
{
    uint32_t n_lstm = settings->n_hidden, hidden = n_lstm ? settings->hidden[0] : 0;
    struct kl_shape shape = {.model = &kl_lstm,
                             .n_layers = n_lstm + 1,
                             .vocabulary = n_outputs,
                             .embedding = settings->embedding};
    enum kl_status status;

    (void)n_inputs; /* tokens come in and go out */
    for (uint32_t l = 1; l < n_lstm; l++)
        if (settings->hidden[l] != hidden)
            return kl_fail_on(err, KL_ERR_USAGE, "hidden",
                              "LSTM layers are all of one size, such as 200,200");
    if (hidden < 1 || hidden > KL_WIDTH_MAX / 4)
        return kl_fail_on(err, KL_ERR_USAGE, "hidden", "an LSTM layer has 1 to %d cells, not %u",
                          KL_WIDTH_MAX / 4, hidden);
    for (uint32_t l = 0; l < n_lstm && l + 1 < KL_LAYERS_MAX; l++) {
        shape.inputs[l] = (l ? hidden : settings->embedding) + hidden;
        shape.outputs[l] = 4 * hidden;
    }
    if (n_lstm < KL_LAYERS_MAX) {
        shape.inputs[n_lstm] = hidden;
        shape.outputs[n_lstm] = n_outputs;
    }
    status = kl_shape_check(&shape, err);
    if (!status)
        *out = shape;
    return status;
}

static void initialise(struct kl_network *network, enum kl_initialisation initialisation,
                       uint64_t seed)
{
    (void)initialisation; /* uniform, as PyTorch's */
    kl_lstm_initialise(network, seed);
}

struct trainer {
    struct kl_trainer_settings settings;
    struct kl_lstm_activations *activations;
    struct kl_vocabulary_errors errors;
};

static void trainer_free(void *self)
{
    struct trainer *trainer = self;

    if (!trainer)
        return;
    kl_lstm_activations_free(trainer->activations);
    free(trainer->errors.numbers);
    free(trainer->errors.indices);
    free(trainer->errors.left_out);
    free(trainer);
}

static enum kl_status trainer_create(const struct kl_trainer_settings *settings, void **out,
                                     struct kl_error *err)
{
    size_t rows = (size_t)settings->streams * settings->unroll;
    size_t width = settings->entries ? settings->entries : kl_shape_n_outputs(&settings->shape);
    struct trainer *trainer = NULL;
    enum kl_status status = kl_alloc(&trainer, 1, sizeof *trainer, "the training", err);

    if (status)
        return status;
    trainer->settings = *settings;
    trainer->errors.entries = settings->entries;
    status = kl_lstm_activations_create(&settings->shape, settings->streams, settings->unroll,
                                        &trainer->activations, err);
    if (!status)
        trainer->activations->pool = settings->pool;
    if (!status && settings->records_last)
        status =
            kl_alloc(&trainer->errors.numbers, rows * width, sizeof(float), "error signals", err);
    if (!status)
        status = kl_alloc(&trainer->errors.indices, rows * settings->entries, sizeof(uint32_t),
                          "error signals", err);
    if (!status)
        status = kl_alloc(&trainer->errors.left_out, rows, sizeof(float), "error signals", err);
    if (status)
        trainer_free(trainer);
    else
        *out = trainer;
    return status;
}

static enum kl_status step(void *self, const struct kl_network *network,
                           const struct kl_minibatch *minibatch, float *carried,
                           struct kl_network *gradient, struct kl_step_result *result,
                           struct kl_error *err)
{
    struct trainer *trainer = self;
    const struct kl_trainer_settings *settings = &trainer->settings;
    struct kl_lstm_activations *activations = trainer->activations;
    uint32_t last = network->shape.n_layers - 1;
    struct kl_vocabulary_loss loss;
    enum kl_status status;

    if (minibatch->begins)
        memset(carried, 0,
               kl_lstm_carried_size(&network->shape, settings->streams) * sizeof(float));
    kl_lstm_forward(network, minibatch->tokens, settings->streams, settings->unroll, carried,
                    activations);
    kl_lstm_drop(activations, settings->dropout, settings->seed, minibatch->step);
    status = kl_vocabulary_loss(network, minibatch->targets, minibatch->ignored, activations,
                                &trainer->errors, gradient, &loss, err);
    if (status)
        return status;
    kl_lstm_backward(network, minibatch->tokens, activations, gradient);
    result->loss = loss.loss / minibatch->n;
    for (uint32_t l = 0; l <= last; l++) {
        result->keys[l] = activations->keys[l];
        result->errors[l] = l < last ? activations->errors[l] : trainer->errors.numbers;
    }
    result->indices = trainer->errors.indices;
    result->left_out = trainer->errors.left_out;
    return KL_OK;
}

static enum kl_status curve(void *self, const struct kl_network *network,
                            const struct kl_minibatch *minibatch,
                            const struct kl_network *direction, struct kl_network *product,
                            float *slopes, struct kl_error *err)
{
    const struct trainer *trainer = self;

    return kl_lstm_curve(trainer->activations, network, minibatch, direction, product, slopes, err);
}

/* How a split is read: in streams from empty states; of a long one the first part of each. */
struct plan {
    uint32_t streams, length, used; /* tokens of a stream, and how many of them are read */
};

static struct plan plan_evaluation(uint32_t n_tokens, uint32_t n_types)
{
    struct plan plan = {n_tokens - 1 < TEXT_STREAMS ? n_tokens - 1 : TEXT_STREAMS, 0, 0};
    uint32_t most = TEXT_LOGITS / n_types;

    most = (most < TEXT_TOKENS ? most : TEXT_TOKENS) / plan.streams;
    plan.length = (n_tokens - 1) / plan.streams;
    plan.used = plan.length < most ? plan.length : most;
    return plan;
}

static enum kl_status read_streams(struct kl_pool *pool, const struct kl_network *network,
                                   const uint32_t *text, const struct plan *plan,
                                   struct kl_vocabulary_loss *sum, struct kl_error *err)
{
    uint32_t tokens[TEXT_STREAMS * TEXT_UNROLL], targets[TEXT_STREAMS * TEXT_UNROLL];
    struct kl_lstm_activations *activations = NULL;
    float *carried = NULL;
    enum kl_status status = kl_alloc(&carried, kl_lstm_carried_size(&network->shape, plan->streams),
                                     sizeof(float), "the state", err);

    if (status)
        goto out;
    status =
        kl_lstm_activations_create(&network->shape, plan->streams, TEXT_UNROLL, &activations, err);
    if (status)
        goto out;
    activations->pool = pool;
    for (uint32_t done = 0; !status && done < plan->used;) {
        uint32_t unroll = plan->used - done < TEXT_UNROLL ? plan->used - done : TEXT_UNROLL;
        struct kl_vocabulary_loss loss;

        for (uint32_t row = 0; row < unroll * plan->streams; row++) {
            uint32_t position = row % plan->streams * plan->length + done + row / plan->streams;

            tokens[row] = text[position];
            targets[row] = text[position + 1];
        }
        kl_lstm_forward(network, tokens, plan->streams, unroll, carried, activations);
        status = kl_vocabulary_loss(network, targets, NULL, activations, NULL, NULL, &loss, err);
        if (!status) {
            sum->loss += loss.loss;
            sum->correct += loss.correct;
        }
        done += unroll;
    }
out:
    kl_lstm_activations_free(activations);
    free(carried);
    return status;
}

/* Accuracy is that of the most expected token; the loss is per token. */
static enum kl_status evaluate(struct kl_pool *pool, const struct kl_network *network,
                               const struct kl_collection *data, uint32_t dataset,
                               enum kl_split split, struct kl_evaluation *evaluation,
                               struct kl_prediction *predictions, struct kl_error *err)
{
    const struct kl_corpus *corpus = data->datasets[dataset]->corpus;
    struct kl_vocabulary_loss sum = {0, 0};
    struct plan plan;
    double n;
    enum kl_status status;

    (void)predictions; /* what a position is predicted as depends on how much is read before it */
    if (corpus->lengths[split] < 2) {
        *evaluation = (struct kl_evaluation){0};
        return KL_OK;
    }
    plan = plan_evaluation(corpus->lengths[split], kl_shape_n_outputs(&network->shape));
    status = read_streams(pool, network, corpus->tokens[split], &plan, &sum, err);
    if (status)
        return status;
    n = (double)plan.used * plan.streams;
    *evaluation =
        (struct kl_evaluation){(uint32_t)sum.correct, (double)sum.correct / n, sum.loss / n};
    return KL_OK;
}

/* A text that was read, as it is needed to go back through it. */
struct inner {
    const uint32_t *tokens; /* the subject's */
    struct kl_lstm_activations *stretch;
};

static void free_inner(void *self)
{
    struct inner *inner = self;

    kl_lstm_activations_free(inner->stretch);
    free(inner);
}

/* Reads the text and copies what the layers saw at its last token. */
static enum kl_status read_subject(const struct kl_network *network,
                                   const struct kl_collection *data,
                                   const struct kl_subject *subject,
                                   struct kl_activations *activations, struct kl_error *err)
{
    const struct kl_shape *shape = &network->shape;
    size_t row = subject->n_tokens - 1;
    struct inner *inner = NULL;
    float *carried = NULL;
    enum kl_status status = kl_alloc(&inner, 1, sizeof *inner, "a text", err);

    (void)data;
    if (status)
        return status;
    activations->inner = inner; /* which owns it from here on */
    activations->free_inner = free_inner;
    inner->tokens = subject->tokens;
    status = kl_alloc(&carried, kl_lstm_carried_size(shape, 1), sizeof(float), "the state", err);
    if (!status)
        status = kl_lstm_activations_create(shape, 1, subject->n_tokens, &inner->stretch, err);
    if (!status) {
        kl_lstm_forward(network, subject->tokens, 1, subject->n_tokens, carried, inner->stretch);
        for (uint32_t l = 0; l < shape->n_layers; l++)
            memcpy(activations->keys[l], inner->stretch->keys[l] + row * shape->inputs[l],
                   shape->inputs[l] * sizeof(float));
        kl_lstm_logits(network, inner->stretch, row, 1, activations->keys[shape->n_layers]);
    }
    free(carried);
    return status;
}

static void back(const struct kl_network *network, uint32_t n, struct kl_activations *activations)
{
    const struct kl_shape *shape = &network->shape;
    const struct inner *inner = activations->inner;
    uint32_t last = shape->n_layers - 1;
    size_t row = inner->stretch->unroll - 1, hidden = shape->inputs[last];
    float *top = inner->stretch->top_errors;

    (void)n; /* one text */
    memset(top, 0, row * hidden * sizeof(float));
    cblas_sgemv(CblasRowMajor, CblasTrans, (int)shape->outputs[last], (int)hidden, 1,
                network->weights[last], (int)hidden, activations->errors[last], 1, 0,
                top + row * hidden, 1);
    kl_lstm_backward(network, inner->tokens, inner->stretch, NULL);
    for (uint32_t l = 0; l < last; l++)
        memcpy(activations->errors[l], inner->stretch->errors[l] + row * shape->outputs[l],
               shape->outputs[l] * sizeof(float));
}

struct reader {
    const struct kl_network *network;
    struct kl_lstm_activations *activations;
    float *carried;
};

static void reader_free(void *self)
{
    struct reader *reader = self;

    if (!reader)
        return;
    kl_lstm_activations_free(reader->activations);
    free(reader->carried);
    free(reader);
}

static enum kl_status reader_create(const struct kl_network *network, uint32_t most, void **out,
                                    struct kl_error *err)
{
    struct reader *reader = NULL;
    enum kl_status status = kl_alloc(&reader, 1, sizeof *reader, "a text", err);

    if (status)
        return status;
    reader->network = network;
    status = kl_alloc(&reader->carried, kl_lstm_carried_size(&network->shape, 1), sizeof(float),
                      "the state", err);
    if (!status)
        status = kl_lstm_activations_create(&network->shape, 1, most, &reader->activations, err);
    if (status)
        reader_free(reader);
    else
        *out = reader;
    return status;
}

static void reader_read(void *self, const uint32_t *tokens, uint32_t n)
{
    struct reader *reader = self;

    kl_lstm_forward(reader->network, tokens, 1, n, reader->carried, reader->activations);
}

static const float *reader_keys(const void *self, uint32_t layer)
{
    return ((const struct reader *)self)->activations->keys[layer];
}

static void reader_logits(const void *self, uint32_t first, uint32_t n, float *logits)
{
    const struct reader *reader = self;

    kl_lstm_logits(reader->network, reader->activations, first, n, logits);
}

/* The gates keep their memory. */
static uint32_t first_removable(const struct kl_shape *shape)
{
    return shape->n_layers - 1;
}

const struct kl_model kl_lstm = {
    .name = "lstm",
    .kind = KL_DATA_TEXT,
    .inner = "lstm",
    .layer_name = "lstm",
    .inner_on_demand = 1,
    .shape = make_shape,
    .fits = fits,
    .carried_size = kl_lstm_carried_size,
    .initialise = initialise,
    .trainer_create = trainer_create,
    .step = step,
    .curve = curve,
    .trainer_free = trainer_free,
    .evaluate = evaluate,
    .read = read_subject,
    .back = back,
    .reader_create = reader_create,
    .reader_read = reader_read,
    .reader_keys = reader_keys,
    .reader_logits = reader_logits,
    .reader_free = reader_free,
    .first_removable = first_removable,
};
