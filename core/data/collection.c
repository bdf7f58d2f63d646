#include "core/data/collection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kl_data_kind kl_collection_kind(const struct kl_collection *collection)
{
    return kl_dataset_kind(collection->datasets[0]);
}

uint32_t kl_collection_size(const struct kl_collection *collection)
{
    uint32_t n = 0;

    for (uint32_t d = 0; d < collection->n_datasets; d++)
        for (int s = 0; s < KL_N_SPLITS; s++)
            n += collection->datasets[d]->splits[s].count;
    return n;
}

uint32_t kl_collection_train_size(const struct kl_collection *collection)
{
    uint32_t n = 0;

    for (uint32_t d = 0; d < collection->n_datasets; d++)
        n += collection->datasets[d]->splits[KL_SPLIT_TRAIN].count;
    return n;
}

uint32_t kl_collection_n_outputs(const struct kl_collection *collection)
{
    uint32_t n = 0;

    for (uint32_t d = 0; d < collection->n_datasets; d++) {
        uint32_t end =
            kl_collection_first_output(collection, d) + collection->datasets[d]->n_classes;

        n = end > n ? end : n;
    }
    return n;
}

uint32_t kl_collection_first_output(const struct kl_collection *collection, uint32_t dataset)
{
    uint32_t first = 0;

    for (uint32_t d = 0; collection->heads == KL_HEADS_SEPARATE && d < dataset; d++)
        first += collection->datasets[d]->n_classes;
    return first;
}

/* The class of a data set that an output stands for, or NULL. */
static const char *class_of(const struct kl_collection *collection, uint32_t dataset,
                            uint32_t output)
{
    uint32_t first = kl_collection_first_output(collection, dataset);

    return output >= first && output - first < collection->datasets[dataset]->n_classes
               ? kl_dataset_class_name(collection->datasets[dataset], output - first)
               : NULL;
}

/* Whether a data set before has a class of that name for the output: two sets of digits are one. */
static int is_told(const struct kl_collection *collection, uint32_t d, uint32_t output,
                   const char *class)
{
    for (uint32_t before = 0; before < d; before++) {
        const char *other = class_of(collection, before, output);

        if (other && !strcmp(other, class))
            return 1;
    }
    return 0;
}

char *kl_collection_output_name(const struct kl_collection *collection, uint32_t output)
{
    int separate = collection->heads == KL_HEADS_SEPARATE && collection->n_datasets > 1;
    char *name = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&name, &n_bytes);
    int n_told = 0, failed;

    if (!stream)
        return NULL;
    for (uint32_t d = 0; d < collection->n_datasets; d++) {
        const char *class = class_of(collection, d, output);

        if (!class || is_told(collection, d, output, class))
            continue;
        fprintf(stream, separate ? "%s%s (%s)" : "%s%s", n_told++ ? " / " : "", class,
                collection->datasets[d]->name);
    }
    if (n_told == 0)
        fprintf(stream, "%u", output);
    failed = ferror(stream);
    failed |= fclose(stream);
    if (failed) {
        free(name);
        return NULL;
    }
    return name;
}

enum kl_status kl_collection_check(const struct kl_collection *collection, struct kl_error *err)
{
    const struct kl_dataset *first = collection->datasets[0];

    for (uint32_t d = 1; d < collection->n_datasets; d++) {
        const struct kl_dataset *other = collection->datasets[d];

        if (other->width != first->width || other->height != first->height ||
            other->channels != first->channels)
            return kl_fail(
                err, KL_ERR_USAGE,
                "data sets of one run have images of one size: %s has %ux%u with %u "
                "channels, %s has %ux%u with %u%s",
                first->name, first->width, first->height, first->channels, other->name,
                other->width, other->height, other->channels,
                other->channels != first->channels
                    ? " (save the images of one of them in grey, or in colour, as those "
                      "of the other are)"
                    : " (image_size resizes folders of images to the size of the others)");
        for (uint32_t before = 0; before < d; before++)
            if (!strcmp(collection->datasets[before]->name, other->name))
                return kl_fail(err, KL_ERR_USAGE,
                               "data set %s is given twice: name each once, or give one of them "
                               "another name, as in NAME=FOLDER",
                               other->name);
    }
    for (uint32_t d = 0; d < collection->n_datasets && collection->n_datasets > 1; d++)
        if (collection->datasets[d]->corpus)
            return kl_fail(err, KL_ERR_USAGE,
                           "a run has one text: put the files of %s and the others into one folder",
                           collection->datasets[d]->name);
    if (!first->corpus && kl_collection_n_outputs(collection) > KL_CLASSES_MAX)
        return kl_fail(err, KL_ERR_USAGE, "the data sets have %u outputs together: at most %d",
                       kl_collection_n_outputs(collection), KL_CLASSES_MAX);
    return KL_OK;
}

static const char *const heads_names[] = {"shared", "separate"};

const char *kl_heads_name(enum kl_heads heads)
{
    return heads_names[heads];
}

int kl_heads_parse(const char *name, enum kl_heads *heads)
{
    for (int i = KL_HEADS_SHARED; i <= KL_HEADS_SEPARATE; i++) {
        if (!strcmp(name, heads_names[i])) {
            *heads = (enum kl_heads)i;
            return 0;
        }
    }
    return -1;
}

uint32_t kl_collection_id(const struct kl_collection *collection, struct kl_sample_place place)
{
    uint32_t id = place.index;

    for (uint32_t d = 0; d <= place.dataset; d++)
        for (int s = 0; s < (d < place.dataset ? KL_N_SPLITS : (int)place.split); s++)
            id += collection->datasets[d]->splits[s].count;
    return id;
}

struct kl_sample_place kl_collection_place(const struct kl_collection *collection, uint32_t id)
{
    struct kl_sample_place place = {0, KL_SPLIT_TRAIN, id};

    for (uint32_t d = 0; d < collection->n_datasets; d++) {
        for (int s = 0; s < KL_N_SPLITS; s++) {
            uint32_t count = collection->datasets[d]->splits[s].count;

            if (place.index < count) {
                place.dataset = d;
                place.split = (enum kl_split)s;
                return place;
            }
            place.index -= count;
        }
    }
    return place;
}

uint32_t kl_collection_train_id(const struct kl_collection *collection, uint32_t position)
{
    struct kl_sample_place place = {0, KL_SPLIT_TRAIN, position};

    while (place.index >= collection->datasets[place.dataset]->splits[KL_SPLIT_TRAIN].count)
        place.index -= collection->datasets[place.dataset++]->splits[KL_SPLIT_TRAIN].count;
    return kl_collection_id(collection, place);
}

uint32_t kl_collection_label(const struct kl_collection *collection, uint32_t id)
{
    struct kl_sample_place place = kl_collection_place(collection, id);

    return kl_dataset_label(collection->datasets[place.dataset], place.split, place.index);
}

const uint8_t *kl_collection_pixels(const struct kl_collection *collection, uint32_t id)
{
    struct kl_sample_place place = kl_collection_place(collection, id);
    const struct kl_dataset *dataset = collection->datasets[place.dataset];

    return dataset->splits[place.split].pixels + place.index * kl_dataset_image_size(dataset);
}

uint32_t kl_collection_true_label(const struct kl_collection *collection, uint32_t id)
{
    struct kl_sample_place place = kl_collection_place(collection, id);

    return kl_dataset_true_label(collection->datasets[place.dataset], place.split, place.index);
}

uint32_t kl_collection_target(const struct kl_collection *collection, uint32_t id)
{
    return kl_collection_first_output(collection, kl_collection_place(collection, id).dataset) +
           kl_collection_label(collection, id);
}

uint32_t kl_collection_classes(const struct kl_collection *collection, uint32_t *classes)
{
    uint32_t base = 0;

    for (uint32_t d = 0; d < collection->n_datasets; d++) {
        const struct kl_dataset *dataset = collection->datasets[d];

        for (int s = 0; s < KL_N_SPLITS; s++)
            for (uint32_t i = 0; i < dataset->splits[s].count; i++)
                *classes++ = base + kl_dataset_label(dataset, (enum kl_split)s, i);
        base += dataset->n_classes;
    }
    return base;
}

void kl_collection_clear(struct kl_collection *collection)
{
    for (uint32_t d = 0; d < collection->n_datasets; d++)
        kl_dataset_free(collection->datasets[d]);
    collection->n_datasets = 0;
}
