#include "core/models/evaluation.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/models/vocabulary_loss.h"

#define TEXT_STREAMS 32
#define TEXT_UNROLL 64
#define TEXT_TOKENS 100000     /* of a long test split only so many, spread over all of it; */
#define TEXT_LOGITS 1000000000 /* of large vocabularies fewer: some seconds of work */

void kl_evaluate(const struct kl_network *network, const struct kl_collection *data,
                 uint32_t number, enum kl_split split, struct kl_activations *batch,
                 struct kl_evaluation *evaluation, struct kl_prediction *predictions)
{
    const struct kl_dataset *dataset = data->datasets[number];
    uint32_t first_output = kl_collection_first_output(data, number);
    const struct kl_image_set *set = &dataset->splits[split];
    size_t size = kl_dataset_image_size(dataset);
    uint32_t n_classes = kl_shape_n_outputs(&network->shape);
    const float *logits = batch->keys[network->shape.n_layers];
    double loss = 0;

    memset(evaluation, 0, sizeof *evaluation);
    for (uint32_t first = 0; first < set->count; first += batch->capacity) {
        uint32_t n = set->count - first < batch->capacity ? set->count - first : batch->capacity;

        for (uint32_t i = 0; i < n; i++)
            kl_dataset_standardise(dataset, set->pixels + (first + i) * size,
                                   batch->keys[0] + i * size);
        kl_network_forward(network, n, batch);
        for (uint32_t i = 0; i < n; i++) {
            const float *row = logits + (size_t)i * n_classes;
            uint32_t target = first_output + set->labels[first + i],
                     predicted = kl_argmax(row, n_classes);
            float probabilities[KL_CLASSES_MAX];

            kl_softmax(row, n_classes, probabilities);
            evaluation->correct += predicted == target;
            loss += kl_cross_entropy(row, 1, n_classes, &target, NULL);
            if (predictions) {
                predictions[first + i].predicted = predicted;
                predictions[first + i].probability = probabilities[predicted];
            }
        }
    }
    if (set->count) {
        evaluation->accuracy = (double)evaluation->correct / set->count;
        evaluation->loss = loss / set->count;
    }
}

enum kl_status kl_evaluate_text(const struct kl_network *network, const struct kl_corpus *corpus,
                                struct kl_evaluation *evaluation, struct kl_error *err)
{
    const uint32_t *test = corpus->tokens[KL_SPLIT_TEST];
    uint32_t n = corpus->lengths[KL_SPLIT_TEST], streams, length, most, used, done = 0;
    uint32_t tokens[TEXT_STREAMS * TEXT_UNROLL], *targets = NULL;
    struct kl_vocabulary_loss sum = {0, 0};
    struct kl_lstm_activations *activations = NULL;
    float *carried = NULL;
    enum kl_status status;

    memset(evaluation, 0, sizeof *evaluation);
    if (n < 2)
        return KL_OK;
    streams = n - 1 < TEXT_STREAMS ? n - 1 : TEXT_STREAMS;
    length = (n - 1) / streams;
    most = TEXT_LOGITS / kl_shape_n_outputs(&network->shape);
    most = (most < TEXT_TOKENS ? most : TEXT_TOKENS) / streams;
    used = length < most ? length : most;
    status = kl_alloc(&carried, kl_lstm_carried_size(&network->shape, streams), sizeof(float),
                      "the state", err);
    if (!status)
        status =
            kl_lstm_activations_create(&network->shape, streams, TEXT_UNROLL, &activations, err);
    if (!status)
        status = kl_alloc(&targets, sizeof tokens / sizeof *tokens, sizeof *targets, "text", err);
    while (!status && done < used) {
        uint32_t unroll = used - done < TEXT_UNROLL ? used - done : TEXT_UNROLL;
        struct kl_vocabulary_loss loss;

        for (uint32_t row = 0; row < unroll * streams; row++) {
            uint32_t position = row % streams * length + done + row / streams;

            tokens[row] = test[position];
            targets[row] = test[position + 1];
        }
        kl_lstm_forward(network, tokens, streams, unroll, carried, activations);
        status = kl_vocabulary_loss(network, targets, activations, NULL, NULL, &loss, err);
        sum.loss += loss.loss;
        sum.correct += loss.correct;
        done += unroll;
    }
    evaluation->correct = (uint32_t)sum.correct;
    evaluation->accuracy = (double)sum.correct / ((double)used * streams);
    evaluation->loss = sum.loss / ((double)used * streams);
    kl_lstm_activations_free(activations);
    free(targets);
    free(carried);
    return status;
}
