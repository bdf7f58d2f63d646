#include "core/data/images/folder.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/data/images/image_file.h"
#include "core/base/memory.h"
#include "core/base/utf8.h"

#define PATH_BYTES 4096
#define TEST_EVERY 10   /* without splits of their own, every tenth image of a class */
#define OWN_SIDE_MAX 64 /* images of one size up to this keep it */
#define DEFAULT_SIDE 32
#define FILES_MAX 10000000 /* of one class: more is a mistake */

struct names {
    char **names; /* sorted; owned */
    size_t n;
};

static void clear_names(struct names *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->names[i]);
    free(list->names);
    *list = (struct names){NULL, 0};
}

static int is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int is_image_name(const char *name)
{
    const char *dot = strrchr(name, '.');

    return dot &&
           (!strcasecmp(dot, ".png") || !strcasecmp(dot, ".jpg") || !strcasecmp(dot, ".jpeg"));
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum kl_status add_name(struct names *list, const char *name, struct kl_error *err)
{
    char **grown, *copy = NULL;
    enum kl_status status = kl_alloc(&copy, strlen(name) + 1, 1, "a file name", err);

    if (status)
        return status;
    if ((list->n & (list->n - 1)) == 0) { /* at every power of two, room for twice as many */
        grown = realloc(list->names, (list->n ? 2 * list->n : 1) * sizeof *grown);
        if (!grown) {
            free(copy);
            return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the names of the images");
        }
        list->names = grown;
    }
    memcpy(copy, name, strlen(name));
    list->names[list->n++] = copy;
    return KL_OK;
}

/* The names in a folder, of sub-folders or of images, sorted. */
static enum kl_status list_folder(const char *folder, int folders, struct names *list,
                                  struct kl_error *err)
{
    DIR *dir = opendir(folder);
    const struct dirent *entry;
    char path[PATH_BYTES + 257];
    enum kl_status status = KL_OK;

    *list = (struct names){NULL, 0};
    if (!dir)
        return kl_fail(err, KL_ERR_NOT_FOUND, "cannot open the data folder %s: %s", folder,
                       strerror(errno));
    while (!status && list->n < FILES_MAX && (entry = readdir(dir))) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.' && (folders ? is_folder(path) : is_image_name(entry->d_name)))
            status = add_name(list, entry->d_name, err);
    }
    closedir(dir);
    if (list->n)
        qsort(list->names, list->n, sizeof *list->names, compare_names);
    return status;
}

static int has_images(const char *folder)
{
    struct names images;
    struct kl_error ignored;
    int found = !list_folder(folder, 0, &images, &ignored) && images.n > 0;

    clear_names(&images);
    return found;
}

/* Whether some sub-folder of folder holds images. */
static int has_classes(const char *folder)
{
    struct names classes;
    struct kl_error ignored;
    char path[PATH_BYTES + 257];
    int found = 0;

    if (!list_folder(folder, 1, &classes, &ignored))
        for (size_t i = 0; !found && i < classes.n; i++) {
            snprintf(path, sizeof path, "%s/%s", folder, classes.names[i]);
            found = has_images(path);
        }
    clear_names(&classes);
    return found;
}

static void split_path(char path[PATH_BYTES], const char *folder, enum kl_split split)
{
    snprintf(path, PATH_BYTES, "%s/%s", folder, kl_split_name(split));
}

int kl_folder_is(const char *folder)
{
    char path[PATH_BYTES];

    split_path(path, folder, KL_SPLIT_TRAIN);
    return has_classes(folder) || has_classes(path);
}

/* One image of the set: where it is and what it is. */
struct entry {
    char *path; /* owned */
    uint8_t label;
    enum kl_split split;
};

struct catalogue {
    struct entry *entries;
    size_t n, capacity;
};

static void clear_catalogue(struct catalogue *catalogue)
{
    for (size_t i = 0; i < catalogue->n; i++)
        free(catalogue->entries[i].path);
    free(catalogue->entries);
}

static enum kl_status add_entry(struct catalogue *catalogue, const char *path, uint32_t label,
                                enum kl_split split, struct kl_error *err)
{
    struct entry entry = {NULL, (uint8_t)label, split};
    enum kl_status status;

    if (catalogue->n == catalogue->capacity) {
        size_t capacity = catalogue->capacity ? 2 * catalogue->capacity : 256;
        struct entry *grown = realloc(catalogue->entries, capacity * sizeof *grown);

        if (!grown)
            return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the list of images");
        catalogue->entries = grown;
        catalogue->capacity = capacity;
    }
    status = kl_alloc(&entry.path, strlen(path) + 1, 1, "a path", err);
    if (status)
        return status;
    memcpy(entry.path, path, strlen(path));
    catalogue->entries[catalogue->n++] = entry;
    return KL_OK;
}

/* The images of one class in root; split KL_N_SPLITS means every tenth is a test image. */
static enum kl_status list_class(const char *root, const char *class, uint32_t label,
                                 enum kl_split split, struct catalogue *catalogue,
                                 struct kl_error *err)
{
    char folder[PATH_BYTES + 257], path[PATH_BYTES + 514];
    struct names images;
    enum kl_status status;

    snprintf(folder, sizeof folder, "%s/%s", root, class);
    status = list_folder(folder, 0, &images, err);
    for (size_t i = 0; !status && i < images.n; i++) {
        int is_test = split == KL_N_SPLITS && i % TEST_EVERY == TEST_EVERY - 1;

        snprintf(path, sizeof path, "%s/%s", folder, images.names[i]);
        status = add_entry(catalogue, path, label,
                           split != KL_N_SPLITS ? split
                           : is_test            ? KL_SPLIT_TEST
                                                : KL_SPLIT_TRAIN,
                           err);
    }
    clear_names(&images);
    return status;
}

static enum kl_status name_classes(struct kl_dataset *dataset, const char *root,
                                   struct names *classes, struct kl_error *err)
{
    enum kl_status status = list_folder(root, 1, classes, err);

    if (!status && (classes->n < 2 || classes->n > KL_CLASSES_MAX))
        status = kl_fail(err, KL_ERR_INPUT,
                         "%s has %zu sub-folders: it should have one per class, 2 to %d", root,
                         classes->n, KL_CLASSES_MAX);
    dataset->n_classes = (uint32_t)classes->n;
    for (size_t c = 0; !status && c < classes->n; c++) {
        snprintf(dataset->class_names[c], KL_NAME_MAX, "%.*s", KL_NAME_MAX - 1, classes->names[c]);
        kl_utf8_repair(dataset->class_names[c]);
    }
    return status;
}

/* Whether the test split has the classes of the training split. */
static enum kl_status same_classes(const char *test, const struct names *classes,
                                   struct kl_error *err)
{
    struct names others;
    char path[PATH_BYTES + 257];
    size_t n = 0;
    enum kl_status status = list_folder(test, 1, &others, err);

    for (size_t c = 0; c < others.n; c++) { /* what holds no images is no class */
        snprintf(path, sizeof path, "%s/%s", test, others.names[c]);
        if (has_images(path))
            others.names[n++] = others.names[c];
        else
            free(others.names[c]);
    }
    others.n = n;
    for (size_t c = 0; !status && (c < classes->n || c < others.n); c++) {
        const char *mine = c < classes->n ? classes->names[c] : NULL;
        const char *other = c < others.n ? others.names[c] : NULL;

        if (!mine || !other || strcmp(mine, other) != 0)
            status = kl_fail(err, KL_ERR_INPUT,
                             "%s should have the sub-folders that train has, one per class: it "
                             "differs at '%s'",
                             test, mine && (!other || strcmp(mine, other) < 0) ? mine : other);
    }
    clear_names(&others);
    return status;
}

/* Lists the whole folder: classes from the training split's sub-folders. */
static enum kl_status list_images(struct kl_dataset *dataset, const char *folder,
                                  struct catalogue *catalogue, struct kl_error *err)
{
    char train[PATH_BYTES], test[PATH_BYTES];
    struct names classes = {NULL, 0};
    int has_splits;
    enum kl_status status;

    split_path(train, folder, KL_SPLIT_TRAIN);
    split_path(test, folder, KL_SPLIT_TEST);
    has_splits = has_classes(train);
    status = name_classes(dataset, has_splits ? train : folder, &classes, err);
    if (!status && has_splits && !is_folder(test))
        status = kl_fail(err, KL_ERR_NOT_FOUND, "%s has a folder train but no folder test", folder);
    for (size_t c = 0; !status && c < classes.n; c++) {
        size_t before = catalogue->n;

        status = list_class(has_splits ? train : folder, classes.names[c], (uint32_t)c,
                            has_splits ? KL_SPLIT_TRAIN : KL_N_SPLITS, catalogue, err);
        if (!status && catalogue->n == before)
            status = kl_fail(err, KL_ERR_INPUT,
                             "%s/%s holds no PNG or JPEG images: fill it or "
                             "take it away",
                             has_splits ? train : folder, classes.names[c]);
    }
    if (!status && has_splits)
        status = same_classes(test, &classes, err);
    for (size_t c = 0; !status && has_splits && c < classes.n; c++)
        status = list_class(test, classes.names[c], (uint32_t)c, KL_SPLIT_TEST, catalogue, err);
    clear_names(&classes);
    return status;
}

/* Decides the size and whether all is grey, from the files' headers. */
static enum kl_status decide_size(struct kl_dataset *dataset, const struct catalogue *catalogue,
                                  struct kl_image_size size, struct kl_error *err)
{
    uint32_t width = 0, height = 0;
    int all_grey = 1, one_size = 1;

    for (size_t i = 0; i < catalogue->n; i++) {
        uint32_t w, h;
        int grey;
        enum kl_status status = kl_image_file_size(catalogue->entries[i].path, &w, &h, &grey, err);

        if (status)
            return status;
        all_grey = all_grey && grey;
        one_size = one_size && (i == 0 || (w == width && h == height));
        width = w;
        height = h;
    }
    if (size.width == 0 && one_size && width <= OWN_SIDE_MAX && height <= OWN_SIDE_MAX)
        size = (struct kl_image_size){width, height};
    else if (size.width == 0)
        size = (struct kl_image_size){DEFAULT_SIDE, DEFAULT_SIDE};
    dataset->width = size.width;
    dataset->height = size.height;
    dataset->channels = all_grey ? 1 : 3;
    return KL_OK;
}

static enum kl_status read_images(struct kl_dataset *dataset, const struct catalogue *catalogue,
                                  struct kl_error *err)
{
    size_t image_size = kl_dataset_image_size(dataset), counts[KL_N_SPLITS] = {0};
    enum kl_status status = KL_OK;

    for (size_t i = 0; i < catalogue->n; i++)
        counts[catalogue->entries[i].split]++;
    for (int s = 0; !status && s < KL_N_SPLITS; s++) {
        if (counts[s] == 0)
            continue;
        status = kl_alloc(&dataset->splits[s].pixels, counts[s], image_size, "the images", err);
        if (!status)
            status = kl_alloc(&dataset->splits[s].labels, counts[s], 1, "the labels", err);
    }
    for (size_t i = 0; !status && i < catalogue->n; i++) {
        const struct entry *entry = &catalogue->entries[i];
        struct kl_image_set *set = &dataset->splits[entry->split];

        status = kl_image_file_read(entry->path, dataset->width, dataset->height, dataset->channels,
                                    set->pixels + set->count * image_size, err);
        set->labels[set->count++] = entry->label;
    }
    return status;
}

enum kl_status kl_folder_load(struct kl_dataset *dataset, const char *folder,
                              struct kl_image_size size, struct kl_error *err)
{
    struct catalogue catalogue = {NULL, 0, 0};
    enum kl_status status;

    if (strlen(folder) > PATH_BYTES - 32)
        return kl_fail(err, KL_ERR_USAGE, "the path of the data folder is too long");
    status = list_images(dataset, folder, &catalogue, err);
    if (!status)
        status = decide_size(dataset, &catalogue, size, err);
    if (!status)
        status = read_images(dataset, &catalogue, err);
    if (!status && dataset->splits[KL_SPLIT_TEST].count == 0)
        status = kl_fail(err, KL_ERR_INPUT,
                         "%s gives no test images: a class needs ten images (every tenth becomes "
                         "one), or make folders train and test with the classes below them",
                         folder);
    clear_catalogue(&catalogue);
    return status;
}
