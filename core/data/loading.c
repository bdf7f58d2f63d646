#include "core/data/loading.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/data/images/cifar.h"
#include "core/data/images/folder.h"
#include "core/data/images/idx.h"
#include "core/base/memory.h"
#include "core/data/text/corpus_read.h"
#include "core/data/images/strokes.h"

#define PATH_BYTES 4096

static const char *const fashion_classes[] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                              "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                              "Bag",         "Ankle boot"};

/* Names those classes that the files did not name. */
static enum kl_status name_classes(struct kl_dataset *dataset, struct kl_error *err)
{
    int fashion = !strcmp(dataset->name, "fashion-mnist") && dataset->n_classes == 10;

    enum kl_status status = KL_OK;

    for (uint32_t c = 0; !status && c < dataset->n_classes; c++) {
        char digits[16];

        if (dataset->class_names[c])
            continue;
        snprintf(digits, sizeof digits, "%u", c);
        status = kl_dataset_name_class(dataset, c, fashion ? fashion_classes[c] : digits, err);
    }
    return status;
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
                   "folder, as in %s=FOLDER, or, for images, take strokes, which needs no files",
                   name, name);
}

static enum kl_status check_name(const char *name, size_t length, struct kl_error *err)
{
    if (length == 0 || length >= KL_NAME_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") < length)
        return kl_fail(err, KL_ERR_USAGE,
                       "a data set's name is 1 to %d lower-case letters, digits and '-', as in "
                       "fashion-mnist or letters=FOLDER",
                       KL_NAME_MAX - 1);
    return KL_OK;
}

static enum kl_status load_folder(struct kl_dataset *dataset, const char *folder, uint32_t number,
                                  const struct kl_selection *selection, struct kl_error *err)
{
    if (!is_folder(folder))
        return kl_fail(err, KL_ERR_NOT_FOUND, "cannot open the data folder %s: there is none",
                       folder);
    if (kl_cifar_is(folder))
        return kl_cifar_load(dataset, folder, err);
    if (!kl_folder_is(folder) && kl_idx_is(folder))
        return kl_idx_load(dataset, folder, err);
    return kl_folder_load(dataset, folder, number, selection, err);
}

/* A data set that has its name from NAME or NAME=PATH; *path is behind the sign, or NULL. */
static enum kl_status begin(const char *spec, struct kl_dataset **dataset, const char **path,
                            struct kl_error *err)
{
    const char *equals = strchr(spec, '=');
    size_t length = equals ? (size_t)(equals - spec) : strlen(spec);
    enum kl_status status = check_name(spec, length, err);

    if (!status)
        status = kl_alloc(dataset, 1, sizeof **dataset, "a data set", err);
    if (status)
        return status;
    memcpy((*dataset)->name, spec, length);
    *path = equals ? equals + 1 : NULL;
    return KL_OK;
}

enum kl_status kl_dataset_load(const char *spec, uint32_t number,
                               const struct kl_selection *selection, struct kl_dataset **out,
                               struct kl_error *err)
{
    struct kl_image_size size = selection->image_size;
    struct kl_dataset *dataset = NULL;
    const char *path = NULL;
    char folder[PATH_BYTES];
    enum kl_status status = begin(spec, &dataset, &path, err);

    if (status)
        return status;
    if (!strcmp(dataset->name, "strokes") && !path) {
        status = kl_strokes_draw(dataset, err);
    } else if (path) {
        status = load_folder(dataset, path, number, selection, err);
    } else {
        status = find_folder(dataset->name, folder, err);
        if (!status)
            status = load_folder(dataset, folder, number, selection, err);
    }
    if (!status && size.width && (size.width != dataset->width || size.height != dataset->height))
        status = kl_fail_on(err, KL_ERR_USAGE, "image_size",
                            "image_size resizes folders of images by class only: %s has "
                            "images of %ux%u",
                            dataset->name, dataset->width, dataset->height);
    if (!status)
        status = name_classes(dataset, err);
    if (status) {
        kl_dataset_free(dataset);
        return status;
    }
    kl_dataset_measure(dataset);
    *out = dataset;
    return KL_OK;
}

enum kl_status kl_text_load(const char *spec, const struct kl_corpus_settings *settings,
                            struct kl_dataset **out, struct kl_error *err)
{
    struct kl_dataset *dataset = NULL;
    const char *path = NULL;
    char folder[PATH_BYTES];
    enum kl_status status = begin(spec, &dataset, &path, err);

    if (status)
        return status;
    if (!path)
        status = find_folder(dataset->name, folder, err);
    if (!status)
        status = kl_corpus_read(path ? path : folder, settings, dataset, err);
    if (status)
        kl_dataset_free(dataset);
    else
        *out = dataset;
    return status;
}
