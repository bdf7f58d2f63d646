#include <stdlib.h>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/data/text/corpus.h"
#include "core/training/task.h"

#define SHIFT_STREAM(epoch) (UINT64_C(1) << 35 | (epoch))

struct text {
    const struct kl_training *training;
    const struct kl_corpus *corpus;
    uint32_t *samples, *tokens, *targets; /* (rows) */
};

/* The training split is cut into as many streams of equal length; every pass over them begins a
 * little later than where the streams begin, so that the few tokens that fill no whole step are not
 * always the same. What is carried begins anew with every pass. */
static void load(void *self, uint32_t step, struct kl_minibatch *minibatch,
                 const uint32_t **samples)
{
    struct text *text = self;
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
    *minibatch = (struct kl_minibatch){.step = step,
                                       .n = streams * unroll,
                                       .tokens = text->tokens,
                                       .targets = text->targets,
                                       .begins = part == 0};
    *samples = text->samples;
}

static void end(void *self)
{
    struct text *text = self;

    free(text->samples);
    free(text->tokens);
    free(text->targets);
    free(text);
}

enum kl_status kl_text_task(const struct kl_training *training, const struct kl_collection *data,
                            struct kl_task *task, struct kl_error *err)
{
    size_t rows = kl_training_patterns(training);
    struct text *text = NULL;
    enum kl_status status = kl_alloc(&text, 1, sizeof *text, "the training", err);

    if (status)
        return status;
    text->training = training;
    text->corpus = data->datasets[0]->corpus;
    status = kl_alloc(&text->samples, rows, sizeof(uint32_t), "a minibatch", err);
    if (!status)
        status = kl_alloc(&text->tokens, rows, sizeof(uint32_t), "a minibatch", err);
    if (!status)
        status = kl_alloc(&text->targets, rows, sizeof(uint32_t), "a minibatch", err);
    if (status) {
        end(text);
        return status;
    }
    *task = (struct kl_task){text, load, end};
    return KL_OK;
}
