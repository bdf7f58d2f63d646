#include "core/evaluation.h"

#include <string.h>

void kl_evaluate(const struct kl_network *network, const struct kl_collection *data,
                 uint32_t number, enum kl_split split, struct kl_batch *batch,
                 struct kl_evaluation *evaluation, struct kl_prediction *predictions)
{
    const struct kl_dataset *dataset = data->datasets[number];
    uint32_t first_output = kl_collection_first_output(data, number);
    const struct kl_image_set *set = &dataset->splits[split];
    size_t size = kl_dataset_image_size(dataset);
    uint32_t n_classes = network->widths[network->n_layers];
    const float *logits = batch->keys[network->n_layers];
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
