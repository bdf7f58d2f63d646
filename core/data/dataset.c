#include "core/data/dataset.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/data/text/corpus.h"

const char *kl_data_kind_name(enum kl_data_kind kind)
{
    static const char *const names[] = {"images", "text", "described"};

    return names[kind];
}

enum kl_data_kind kl_dataset_kind(const struct kl_dataset *dataset)
{
    return dataset->corpus ? KL_DATA_TEXT : dataset->channels ? KL_DATA_IMAGES : KL_DATA_DESCRIBED;
}

const char *kl_dataset_class_name(const struct kl_dataset *dataset, uint32_t label)
{
    const char *name =
        dataset->corpus ? dataset->corpus->types[label] : dataset->class_names[label];

    return name ? name : "";
}

enum kl_status kl_dataset_name_class(struct kl_dataset *dataset, uint32_t label, const char *text,
                                     struct kl_error *err)
{
    char *copy = NULL;
    enum kl_status status = kl_copy_text(&copy, text, err);

    if (status)
        return status;
    free(dataset->class_names[label]);
    dataset->class_names[label] = copy;
    return KL_OK;
}

const char *kl_dataset_path(const struct kl_dataset *dataset, enum kl_split split, uint32_t index)
{
    char *const *paths = dataset->splits[split].paths;

    return paths ? paths[index] : NULL;
}

const char *kl_dataset_description(const struct kl_dataset *dataset, enum kl_split split,
                                   uint32_t index)
{
    char *const *descriptions = dataset->splits[split].descriptions;

    return descriptions ? descriptions[index] : NULL;
}

uint32_t kl_dataset_label(const struct kl_dataset *dataset, enum kl_split split, uint32_t index)
{
    return dataset->corpus ? dataset->corpus->tokens[split][index + 1]
                           : dataset->splits[split].labels[index];
}

uint32_t kl_dataset_true_label(const struct kl_dataset *dataset, enum kl_split split,
                               uint32_t index)
{
    const uint8_t *labels = dataset->splits[split].true_labels;

    return labels ? labels[index] : kl_dataset_label(dataset, split, index);
}

size_t kl_dataset_image_size(const struct kl_dataset *dataset)
{
    return (size_t)dataset->channels * dataset->height * dataset->width;
}

void kl_dataset_measure(struct kl_dataset *dataset)
{
    const struct kl_image_set *train = &dataset->splits[KL_SPLIT_TRAIN];
    size_t area = (size_t)dataset->width * dataset->height;

    for (uint32_t c = 0; c < dataset->channels; c++) {
        uint64_t sum = 0, sum_squares = 0;
        double n = (double)train->count * (double)area, mean, variance;

        for (uint32_t i = 0; i < train->count; i++) {
            const uint8_t *plane = train->pixels + ((size_t)i * dataset->channels + c) * area;

            for (size_t p = 0; p < area; p++) {
                sum += plane[p];
                sum_squares += (uint32_t)plane[p] * plane[p];
            }
        }
        mean = n > 0 ? (double)sum / n : 0;
        variance = n > 0 ? (double)sum_squares / n - mean * mean : 0;
        dataset->mean[c] = mean;
        dataset->deviation[c] = variance > 0 ? sqrt(variance) : 1;
    }
}

void kl_dataset_standardise_floats(const struct kl_dataset *dataset, float *pixels)
{
    size_t area = (size_t)dataset->width * dataset->height;

    for (uint32_t c = 0; c < dataset->channels; c++) {
        float mean = (float)dataset->mean[c], scale = (float)(1 / dataset->deviation[c]);

        for (size_t p = c * area; p < (c + 1) * area; p++)
            pixels[p] = (pixels[p] - mean) * scale;
    }
}

void kl_dataset_standardise(const struct kl_dataset *dataset, const uint8_t *pixels, float *inputs)
{
    size_t size = kl_dataset_image_size(dataset);

    for (size_t p = 0; p < size; p++)
        inputs[p] = pixels[p];
    kl_dataset_standardise_floats(dataset, inputs);
}

static void free_texts(char **texts, uint32_t n)
{
    for (uint32_t i = 0; texts && i < n; i++)
        free(texts[i]);
    free(texts);
}

void kl_dataset_free(struct kl_dataset *dataset)
{
    if (!dataset)
        return;
    for (int s = 0; s < KL_N_SPLITS; s++) {
        free(dataset->splits[s].pixels);
        free(dataset->splits[s].labels);
        free(dataset->splits[s].true_labels);
        free_texts(dataset->splits[s].paths, dataset->splits[s].count);
        free_texts(dataset->splits[s].descriptions, dataset->splits[s].count);
    }
    for (uint32_t c = 0; c < KL_CLASSES_MAX; c++)
        free(dataset->class_names[c]);
    kl_notes_clear(&dataset->notes);
    kl_corpus_free(dataset->corpus);
    free(dataset);
}
