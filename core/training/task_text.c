#include "core/training/task.h"

#include <stdlib.h>
#include <string.h>

#include "core/data/text/corpus.h"
#include "core/models/lstm.h"
#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/models/vocabulary_loss.h"

#define SHIFT_STREAM(epoch) (UINT64_C(1) << 35 | (epoch))

struct text {
    const struct kl_training *training;
    const struct kl_corpus *corpus;
    struct kl_lstm_activations *activations;
    struct kl_vocabulary_errors errors;
    uint32_t *samples, *tokens, *targets; /* (rows) */
};

/* Fills samples, tokens and targets of a step. The training split is cut into as many streams of
 * equal length; every pass over them begins a little later than where the streams begin, so that
 * the few tokens that fill no whole step are not always the same. Returns whether it is the first
 * step of a pass. */
static int load_minibatch(struct text *text, uint32_t step)
{
    const struct kl_training *training = text->training;
    const uint32_t *train = text->corpus->tokens[KL_SPLIT_TRAIN];
    uint32_t streams = training->batch_size, unroll = training->unroll;
    uint32_t length = (text->corpus->lengths[KL_SPLIT_TRAIN] - 1) / streams;
    uint32_t per_pass = length / unroll, part = (step - 1) % per_pass;
    struct kl_random random;
    uint32_t shift;

    kl_random_seed(&random, training->seed, SHIFT_STREAM((step - 1) / per_pass));
    shift = kl_random_below(&random, length % unroll + 1);
    for (uint32_t u = 0; u < unroll; u++) {
        for (uint32_t b = 0; b < streams; b++) {
            size_t row = (size_t)u * streams + b;
            uint32_t position = b * length + shift + part * unroll + u;

            text->samples[row] = position; /* the training split's ids begin at 0 */
            text->tokens[row] = train[position];
            text->targets[row] = train[position + 1];
        }
    }
    return part == 0;
}

static enum kl_status step(void *self, struct kl_training_state *state,
                           struct kl_step_record *record, struct kl_network *gradient,
                           struct kl_error *err)
{
    struct text *text = self;
    const struct kl_training *training = text->training;
    struct kl_lstm_activations *activations = text->activations;
    uint32_t rows = kl_training_patterns(training), last = training->shape.n_layers - 1;
    struct kl_vocabulary_loss loss;
    enum kl_status status;

    if (load_minibatch(text, record->step))
        memset(state->carried, 0, state->n_carried * sizeof(float));
    kl_lstm_forward(state->network, text->tokens, training->batch_size, training->unroll,
                    state->carried, activations);
    kl_lstm_drop(activations, training->dropout, training->seed, record->step);
    status = kl_vocabulary_loss(state->network, text->targets, activations, &text->errors, gradient,
                                &loss, err);
    if (status)
        return status;
    kl_lstm_backward(state->network, text->tokens, activations, gradient);
    record->loss = loss.loss / rows;
    record->count = rows;
    record->samples = text->samples;
    for (uint32_t l = 0; l <= last; l++) {
        record->keys[l] = activations->keys[l];
        record->errors[l] = l < last ? activations->errors[l] : text->errors.numbers;
    }
    record->indices = text->errors.indices;
    record->left_out = text->errors.left_out;
    return KL_OK;
}

static enum kl_status evaluate(void *self, const struct kl_network *network, uint32_t dataset,
                               struct kl_evaluation *evaluation, struct kl_error *err)
{
    (void)dataset; /* there is one */
    return kl_evaluate_text(network, ((struct text *)self)->corpus, evaluation, err);
}

/* What a position is predicted as depends on how much is read before it: nothing is kept. */
static enum kl_status predict(void *self, const struct kl_network *network,
                              struct kl_prediction **predictions, struct kl_error *err)
{
    (void)self;
    (void)network;
    (void)err;
    *predictions = NULL;
    return KL_OK;
}

static void end(void *self)
{
    struct text *text = self;

    kl_lstm_activations_free(text->activations);
    free(text->errors.numbers);
    free(text->errors.indices);
    free(text->errors.left_out);
    free(text->samples);
    free(text->tokens);
    free(text->targets);
    free(text);
}

static enum kl_status allocate(struct text *text, struct kl_error *err)
{
    const struct kl_training *training = text->training;
    const struct kl_shape *shape = &training->shape;
    size_t rows = kl_training_patterns(training);
    struct kl_layout layout;
    enum kl_status status = kl_lstm_activations_create(shape, training->batch_size,
                                                       training->unroll, &text->activations, err);

    kl_training_layout(training, &layout);
    text->errors.entries = layout.entries;
    if (!status && layout.errors[shape->n_layers - 1])
        status = kl_alloc(&text->errors.numbers, rows * layout.errors[shape->n_layers - 1],
                          sizeof(float), "error signals", err);
    if (!status)
        status = kl_alloc(&text->errors.indices, rows * layout.entries, sizeof(uint32_t),
                          "error signals", err);
    if (!status)
        status = kl_alloc(&text->errors.left_out, rows, sizeof(float), "error signals", err);
    if (!status)
        status = kl_alloc(&text->samples, rows, sizeof(uint32_t), "a minibatch", err);
    if (!status)
        status = kl_alloc(&text->tokens, rows, sizeof(uint32_t), "a minibatch", err);
    return status ? status : kl_alloc(&text->targets, rows, sizeof(uint32_t), "a minibatch", err);
}

enum kl_status kl_text_task(const struct kl_training *training, const struct kl_collection *data,
                            struct kl_task *task, struct kl_error *err)
{
    struct text *text = NULL;
    enum kl_status status = kl_alloc(&text, 1, sizeof *text, "the training", err);

    if (status)
        return status;
    text->training = training;
    text->corpus = data->datasets[0]->corpus;
    status = allocate(text, err);
    if (status) {
        end(text);
        return status;
    }
    *task = (struct kl_task){text, step, evaluate, predict, end};
    return KL_OK;
}
