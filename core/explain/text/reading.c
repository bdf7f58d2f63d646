#include "core/explain/text/reading.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/models/model.h"

#define SLICE 256 /* rows of logits at a time */
#define CONTINUATION_STREAM (UINT64_C(1) << 36)

static enum kl_status check_runs(const struct kl_model *model, struct kl_error *err)
{
    return model->reader_create
               ? KL_OK
               : kl_fail_on(err, KL_ERR_USAGE, "text",
                            "this network was recorded: only the framework that trained it can "
                            "run it, so that it cannot read or write here");
}

/* Judges token i + 1 by the logits that followed token i. */
static void judge(const float *logits, uint32_t n_types, uint32_t i, const uint32_t *tokens,
                  struct kl_reading *reading)
{
    if (i + 1 >= reading->n)
        return;
    reading->bits[i + 1] =
        (float)(kl_cross_entropy(logits, 1, n_types, &tokens[i + 1], NULL) / log(2));
    reading->predicted[i + 1] = kl_argmax(logits, n_types);
}

enum kl_status kl_read_text(const struct kl_network *network, const uint32_t *tokens, uint32_t n,
                            struct kl_reading *out, struct kl_error *err)
{
    uint32_t n_types = kl_shape_n_outputs(&network->shape);
    struct kl_reading reading = {.n = n};
    const struct kl_model *model = network->shape.model;
    void *reader = NULL;
    float *logits = NULL;
    enum kl_status status = check_runs(model, err);

    if (status)
        goto out;
    status = kl_alloc(&reading.bits, n, sizeof(float), "a reading", err);
    if (status)
        goto out;
    status = kl_alloc(&reading.predicted, n, sizeof(uint32_t), "a reading", err);
    if (status)
        goto out;
    status = model->reader_create(network, n, &reader, err);
    if (status)
        goto out;
    status = kl_alloc(&logits, (size_t)SLICE * n_types, sizeof(float), "logits", err);
    if (status)
        goto out;
    model->reader_read(reader, tokens, n);
    reading.bits[0] = NAN;
    for (uint32_t first = 0; first < n; first += SLICE) {
        uint32_t now = n - first < SLICE ? n - first : SLICE;

        model->reader_logits(reader, first, now, logits);
        for (uint32_t i = 0; i < now; i++)
            judge(logits + (size_t)i * n_types, n_types, first + i, tokens, &reading);
    }
out:
    if (reader)
        model->reader_free(reader);
    free(logits);
    if (status)
        kl_reading_clear(&reading);
    else
        *out = reading;
    return status;
}

enum kl_status kl_read_recorded_text(const struct kl_history *history, uint32_t sample,
                                     const uint32_t *tokens, uint32_t first, uint32_t n,
                                     struct kl_reading *out, struct kl_error *err)
{
    const struct kl_queries *queries = history->queries;
    uint32_t n_types = kl_shape_n_outputs(&history->final->shape);
    struct kl_reading reading = {.n = n};
    float *logits = NULL;
    enum kl_status status = kl_alloc(&reading.bits, n, sizeof(float), "a reading", err);

    if (!status)
        status = kl_alloc(&reading.predicted, n, sizeof(uint32_t), "a reading", err);
    if (!status)
        status = kl_alloc(&logits, n_types, sizeof *logits, "logits", err);
    for (uint32_t i = 0; !status && i < n; i++)
        reading.bits[i] = NAN;
    for (uint32_t i = first; !status && i + 1 < n; i++) {
        if (!kl_history_can_ask(history, sample + i - first))
            continue;
        status = queries->logits(queries->self, sample + i - first, logits, err);
        if (!status)
            judge(logits, n_types, i, tokens, &reading);
    }
    free(logits);
    if (status)
        kl_reading_clear(&reading);
    else
        *out = reading;
    return status;
}

void kl_reading_clear(struct kl_reading *reading)
{
    free(reading->bits);
    free(reading->predicted);
    memset(reading, 0, sizeof *reading);
}

/* Draws a token from softmax(logits / temperature) without the unknown one; logits are scratch. */
static uint32_t draw(float *logits, uint32_t n_types, uint32_t unknown, double temperature,
                     struct kl_random *random)
{
    uint32_t best;
    double sum = 0, left;

    if (n_types > 1)
        logits[unknown] = -INFINITY;
    best = kl_argmax(logits, n_types);
    if (temperature <= 0)
        return best;
    for (uint32_t j = 0; j < n_types; j++)
        sum += exp(((double)logits[j] - logits[best]) / temperature);
    left = kl_random_uniform(random) * sum;
    for (uint32_t j = 0; j < n_types; j++) {
        left -= exp(((double)logits[j] - logits[best]) / temperature);
        if (left < 0)
            return j;
    }
    return best;
}

enum kl_status kl_continue(const struct kl_network *network, const struct kl_corpus *corpus,
                           const uint32_t *tokens, uint32_t n, const struct kl_continuing *how,
                           uint32_t *written, struct kl_error *err)
{
    uint32_t n_types = kl_shape_n_outputs(&network->shape);
    const struct kl_model *model = network->shape.model;
    void *reader = NULL;
    float *logits = NULL;
    struct kl_random random;
    enum kl_status status = check_runs(model, err);

    if (!status)
        status = model->reader_create(network, n, &reader, err);
    if (!status)
        status = kl_alloc(&logits, n_types, sizeof(float), "logits", err);
    kl_random_seed(&random, how->seed, CONTINUATION_STREAM);
    for (uint32_t i = 0; !status && i < how->n; i++) {
        if (i == 0)
            model->reader_read(reader, tokens, n);
        else
            model->reader_read(reader, &written[i - 1], 1);
        model->reader_logits(reader, i == 0 ? n - 1 : 0, 1, logits);
        written[i] = draw(logits, n_types, corpus->unknown, how->temperature, &random);
    }
    if (reader)
        model->reader_free(reader);
    free(logits);
    return status;
}
