#include "core/dataset.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/cifar.h"
#include "core/folder.h"
#include "core/idx.h"
#include "core/memory.h"
#include "core/strokes.h"

#define PATH_BYTES 4096

static const char *const split_names[KL_N_SPLITS] = {"train", "validation", "test"};

static const char *const fashion_classes[] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                              "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                              "Bag",         "Ankle boot"};

const char *kl_split_name(enum kl_split split)
{
    return split_names[split];
}

enum kl_status kl_split_parse(const char *name, enum kl_split *split, struct kl_error *err)
{
    for (int i = 0; i < KL_N_SPLITS; i++) {
        if (!strcmp(name, split_names[i])) {
            *split = (enum kl_split)i;
            return KL_OK;
        }
    }
    return kl_fail(err, KL_ERR_USAGE,
                   "there is no split of that name: use train, validation or test");
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

/* Names those classes that the files did not name. */
static void name_classes(struct kl_dataset *dataset)
{
    int fashion = !strcmp(dataset->name, "fashion-mnist") && dataset->n_classes == 10;

    for (uint32_t c = 0; c < dataset->n_classes; c++) {
        if (dataset->class_names[c][0])
            continue;
        if (fashion)
            snprintf(dataset->class_names[c], KL_NAME_MAX, "%s", fashion_classes[c]);
        else
            snprintf(dataset->class_names[c], KL_NAME_MAX, "%u", c);
    }
}

static int is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

/* The folder that holds the data set: the first existing of the documented places. */
static enum kl_status find_folder(const char *name, char folder[PATH_BYTES], struct kl_error *err)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (cache && *cache)
        snprintf(folder, PATH_BYTES, "%s/keylight/data/%s", cache, name);
    else
        snprintf(folder, PATH_BYTES, "%s/.cache/keylight/data/%s", home ? home : "", name);
    if (is_folder(folder))
        return KL_OK;
    snprintf(folder, PATH_BYTES, "/usr/share/datasets/%s", name);
    if (is_folder(folder))
        return KL_OK;
    return kl_fail(err, KL_ERR_NOT_FOUND,
                   "data set %s is not on this machine: fetch it with './bootstrap data', name its "
                   "folder with --data %s=FOLDER, or use --data strokes, which needs no files",
                   name, name);
}

static enum kl_status check_name(const char *name, size_t length, struct kl_error *err)
{
    if (length == 0 || length >= KL_NAME_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") < length)
        return kl_fail(err, KL_ERR_USAGE,
                       "a data set's name is 1 to %d lower-case letters, digits and '-', as in "
                       "--data fashion-mnist or --data letters=FOLDER",
                       KL_NAME_MAX - 1);
    return KL_OK;
}

static enum kl_status load_folder(struct kl_dataset *dataset, const char *folder,
                                  struct kl_image_size size, struct kl_error *err)
{
    int by_class;

    if (!is_folder(folder))
        return kl_fail(err, KL_ERR_NOT_FOUND, "cannot open the data folder %s: there is none",
                       folder);
    if (kl_cifar_is(folder))
        return kl_cifar_load(dataset, folder, err);
    by_class = kl_folder_is(folder);
    return by_class ? kl_folder_load(dataset, folder, size, err)
                    : kl_idx_load(dataset, folder, err);
}

enum kl_status kl_dataset_load(const char *spec, struct kl_image_size size, struct kl_dataset **out,
                               struct kl_error *err)
{
    const char *equals = strchr(spec, '=');
    size_t length = equals ? (size_t)(equals - spec) : strlen(spec);
    struct kl_dataset *dataset = NULL;
    char folder[PATH_BYTES];
    enum kl_status status = check_name(spec, length, err);

    if (!status)
        status = kl_alloc(&dataset, 1, sizeof *dataset, "a data set", err);
    if (status)
        return status;
    memcpy(dataset->name, spec, length);
    if (!strcmp(dataset->name, "strokes") && !equals) {
        status = kl_strokes_draw(dataset, err);
    } else if (equals) {
        status = load_folder(dataset, equals + 1, size, err);
    } else {
        status = find_folder(dataset->name, folder, err);
        if (!status)
            status = load_folder(dataset, folder, size, err);
    }
    if (!status && size.width && (size.width != dataset->width || size.height != dataset->height))
        status = kl_fail(err, KL_ERR_USAGE,
                         "--image-size resizes folders of PNG or JPEG images by class only: %s has "
                         "images of %ux%u",
                         dataset->name, dataset->width, dataset->height);
    if (status) {
        kl_dataset_free(dataset);
        return status;
    }
    name_classes(dataset);
    kl_dataset_measure(dataset);
    *out = dataset;
    return KL_OK;
}

void kl_dataset_free(struct kl_dataset *dataset)
{
    if (!dataset)
        return;
    for (int s = 0; s < KL_N_SPLITS; s++) {
        free(dataset->splits[s].pixels);
        free(dataset->splits[s].labels);
        free(dataset->splits[s].true_labels);
    }
    free(dataset);
}
