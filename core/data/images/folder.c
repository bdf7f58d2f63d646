#include "core/data/images/folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/unicode.h"
#include "core/base/utf8.h"
#include "core/data/draw.h"
#include "core/data/images/catalogue.h"
#include "core/data/images/image_file.h"
#include "core/data/images/listing.h"

#define TEST_SHARE 0.1
#define DEPTH_MAX 3 /* below a folder that is searched for classes */

/* How many images lie in a folder itself. */
static size_t count_images(const char *folder)
{
    struct kl_listing listing;
    struct kl_error ignored;
    size_t n = kl_list_folder(folder, &listing, &ignored) ? 0 : listing.images.n;

    kl_listing_clear(&listing);
    return n;
}

/* How many sub-folders of a folder hold images. */
static size_t count_classes(const char *folder)
{
    struct kl_listing listing;
    struct kl_error ignored;
    char path[KL_PATH_BYTES];
    size_t n = 0;

    if (!kl_list_folder(folder, &listing, &ignored))
        for (size_t i = 0; i < listing.folders.n; i++)
            n += !kl_join_path(path, folder, listing.folders.names[i], &ignored) &&
                 count_images(path) > 0;
    kl_listing_clear(&listing);
    return n;
}

/* Which sub-folders of a folder are splits: their names, or NULL. */
struct splits {
    const char *names[KL_N_SPLITS]; /* point into listing */
    struct kl_listing listing;
};

/* Errors: KL_ERR_INPUT (two folders are the same split) and those of listing. */
static enum kl_status find_splits(const char *folder, struct splits *splits, struct kl_error *err)
{
    enum kl_status status = kl_list_folder(folder, &splits->listing, err);

    memset(splits->names, 0, sizeof splits->names);
    for (size_t i = 0; !status && i < splits->listing.folders.n; i++) {
        const char *name = splits->listing.folders.names[i];
        int split = kl_split_called(name);
        char path[KL_PATH_BYTES];

        if (split < 0 || kl_join_path(path, folder, name, err) || !count_classes(path))
            continue;
        if (splits->names[split])
            status =
                kl_fail(err, KL_ERR_INPUT,
                        "%s has the folders %s and %s, which are both the %s split: leave one",
                        folder, splits->names[split], name, kl_split_name((enum kl_split)split));
        splits->names[split] = name;
    }
    return status;
}

int kl_folder_is(const char *folder)
{
    struct splits splits;
    struct kl_error ignored;
    int is;

    if (count_classes(folder))
        return 1;
    is = !find_splits(folder, &splits, &ignored) &&
         (splits.names[KL_SPLIT_TRAIN] || splits.names[KL_SPLIT_VALIDATION] ||
          splits.names[KL_SPLIT_TEST]);
    kl_listing_clear(&splits.listing);
    return is;
}

/* The first folder below that has classes, in path: 1, or 0 if there is none. */
static int find_deeper(const char *folder, int depth, char path[KL_PATH_BYTES])
{
    struct kl_listing listing;
    struct kl_error ignored;
    int found = 0;

    if (!kl_list_folder(folder, &listing, &ignored))
        for (size_t i = 0; !found && i < listing.folders.n; i++) {
            char below[KL_PATH_BYTES];

            if (kl_join_path(below, folder, listing.folders.names[i], &ignored))
                continue;
            found = count_classes(below) > 0;
            if (found)
                snprintf(path, KL_PATH_BYTES, "%s", below);
            else if (depth > 1)
                found = find_deeper(below, depth - 1, path);
        }
    kl_listing_clear(&listing);
    return found;
}

/* Says what a folder holds that has no classes with images, and what is wanted. */
static enum kl_status diagnose(const char *folder, struct kl_error *err)
{
    struct kl_listing listing;
    struct kl_endings endings = {0};
    char text[200], deeper[KL_PATH_BYTES];
    enum kl_status status = kl_list_folder(folder, &listing, err);

    if (status)
        goto out;
    kl_count_endings(&endings, &listing.others);
    for (size_t i = 0; i < listing.folders.n; i++) {
        struct kl_listing below;

        if (kl_join_path(deeper, folder, listing.folders.names[i], err))
            continue;
        if (!kl_list_folder(deeper, &below, err))
            kl_count_endings(&endings, &below.others);
        kl_listing_clear(&below);
    }
    kl_describe_endings(&endings, text, sizeof text);
    if (listing.images.n)
        status = kl_fail(err, KL_ERR_INPUT,
                         "%s holds %zu images, but no classes: put them into one sub-folder per "
                         "class, as in %.60s/cat/%.60s",
                         folder, listing.images.n, folder, listing.images.names[0]);
    else if (find_deeper(folder, DEPTH_MAX, deeper))
        status =
            kl_fail(err, KL_ERR_INPUT, "%s has its class folders further down: name %s as the data",
                    folder, deeper);
    else
        status = kl_fail(err, KL_ERR_INPUT,
                         "%s holds no images (%s%s): it should have one sub-folder per class with "
                         "%s files, or IDX files (train-images, train-labels, t10k-images and "
                         "t10k-labels), or CIFAR-10's binary batches",
                         folder, endings.total ? "but " : "it is empty", text, KL_IMAGE_FILE_KINDS);
out:
    kl_listing_clear(&listing);
    return status;
}

/* The images of one class in a folder of classes. */
static enum kl_status list_class(const char *root, const char *below, const char *class,
                                 uint32_t label, enum kl_split split,
                                 struct kl_catalogue *catalogue, struct kl_error *err)
{
    char folder[KL_PATH_BYTES], path[KL_PATH_BYTES];
    struct kl_listing listing = {0};
    enum kl_status status = kl_join_path(path, below, class, err);

    if (!status)
        status = kl_join_path(folder, root, *below ? path : class, err);
    if (!status)
        status = kl_list_folder(folder, &listing, err);
    for (size_t i = 0; !status && i < listing.images.n; i++) {
        status = kl_join_path(folder, *below ? path : class, listing.images.names[i], err);
        if (!status)
            status = kl_catalogue_add(catalogue, folder, label, split, err);
    }
    kl_count_endings(&catalogue->unread, &listing.others);
    for (size_t i = 0; !status && i < listing.folders.n; i++) {
        status = kl_join_path(folder, *below ? path : class, listing.folders.names[i], err);
        if (!status && catalogue->n_deeper++ == 0)
            snprintf(catalogue->deeper, sizeof catalogue->deeper, "%.190s", folder);
    }
    kl_listing_clear(&listing);
    return status;
}

/* The label of a class by its name, as letters look, or -1. */
static int find_class(const struct kl_dataset *dataset, const char *name)
{
    char *mine = NULL, *other = NULL, *copy = NULL;
    struct kl_error ignored;
    int label = -1;

    if (kl_copy_text(&copy, name, &ignored) || kl_unicode_compose(copy, &mine, &ignored)) {
        free(copy);
        return -1;
    }
    for (uint32_t c = 0; label < 0 && c < dataset->n_classes; c++) {
        if (!kl_unicode_compose(dataset->class_names[c], &other, &ignored) && !strcmp(mine, other))
            label = (int)c;
        free(other);
        other = NULL;
    }
    free(copy);
    free(mine);
    return label;
}

/* The classes of the training split: its sub-folders, which all hold images. */
static enum kl_status list_training(struct kl_dataset *dataset, const char *root, const char *below,
                                    struct kl_catalogue *catalogue, struct kl_error *err)
{
    char folder[KL_PATH_BYTES];
    struct kl_listing listing;
    enum kl_status status = KL_OK;

    snprintf(folder, sizeof folder, "%s%s%s", root, *below ? "/" : "", below);
    status = kl_list_folder(folder, &listing, err);
    if (!status && (listing.folders.n < 2 || listing.folders.n > KL_CLASSES_MAX))
        status = kl_fail(err, KL_ERR_INPUT,
                         "%s has %zu sub-folder%s: it should have one per class, 2 to %d", folder,
                         listing.folders.n, listing.folders.n == 1 ? "" : "s", KL_CLASSES_MAX);
    for (size_t c = 0; !status && c < listing.folders.n; c++) {
        const char *class = listing.folders.names[c];
        size_t before = catalogue->n;

        if (find_class(dataset, class) >= 0) {
            status = kl_fail(err, KL_ERR_INPUT,
                             "%s has two folders for the class %s, whose names differ only in how "
                             "their letters are composed: leave one",
                             folder, class);
            break;
        }
        status = kl_dataset_name_class(dataset, (uint32_t)c, class, err);
        dataset->n_classes = (uint32_t)c + 1;
        if (!status)
            status = list_class(root, below, class, (uint32_t)c, KL_SPLIT_TRAIN, catalogue, err);
        if (!status && catalogue->n == before)
            status = kl_fail(err, KL_ERR_INPUT, "%s/%s holds no %s images: fill it or take it away",
                             folder, class, KL_IMAGE_FILE_KINDS);
    }
    if (!status && !*below) {
        kl_count_endings(&catalogue->unread, &listing.others);
        catalogue->n_beside = listing.images.n;
    }
    kl_listing_clear(&listing);
    return status;
}

/* A split whose classes are the training split's; what holds no images is no class. */
static enum kl_status list_split(struct kl_dataset *dataset, const char *root, const char *below,
                                 enum kl_split split, struct kl_catalogue *catalogue,
                                 struct kl_error *err)
{
    char folder[KL_PATH_BYTES], path[KL_PATH_BYTES];
    struct kl_listing listing;
    enum kl_status status = kl_join_path(folder, root, below, err);

    if (status)
        return status;
    status = kl_list_folder(folder, &listing, err);
    for (size_t i = 0; !status && i < listing.folders.n; i++) {
        const char *class = listing.folders.names[i];
        int label = find_class(dataset, class);

        status = kl_join_path(path, folder, class, err);
        if (status || !count_images(path))
            continue;
        status = label < 0
                     ? kl_fail(err, KL_ERR_INPUT,
                               "%s should have sub-folders that the training split has, one per "
                               "class: it differs at '%s'",
                               folder, class)
                     : list_class(root, below, class, (uint32_t)label, split, catalogue, err);
    }
    kl_listing_clear(&listing);
    return status;
}

/* Names the folders and files beside the splits, which nobody reads. */
static void note_unused(struct kl_dataset *dataset, const struct splits *splits)
{
    const struct kl_listing *listing = &splits->listing;
    char folders[200] = "";
    size_t used = 0, n_files = listing->images.n + listing->others.n;

    for (size_t i = 0; i < listing->folders.n; i++) {
        const char *name = listing->folders.names[i];

        if (name == splits->names[0] || name == splits->names[1] || name == splits->names[2])
            continue;
        if (used < sizeof folders)
            used += (size_t)snprintf(folders + used, sizeof folders - used, "%s%s",
                                     used ? ", " : "", name);
    }
    if (used)
        kl_note(&dataset->notes, "beside the splits these folders are not used: %s", folders);
    if (n_files)
        kl_note(&dataset->notes, "%zu files that lie beside the splits are not used", n_files);
}

/* Without a test split of its own, a tenth of every class becomes one. */
static enum kl_status draw_test(struct kl_dataset *dataset, struct kl_catalogue *catalogue,
                                uint32_t number, uint64_t seed, struct kl_error *err)
{
    uint8_t *labels = NULL, *drawn = NULL;
    uint32_t n = 0, n_train, n_test;
    enum kl_status status = kl_alloc(&labels, catalogue->n, 1, "the labels", err);

    if (!status)
        status = kl_alloc(&drawn, catalogue->n, 1, "the labels", err);
    if (status)
        goto out;
    for (size_t i = 0; i < catalogue->n; i++)
        if (catalogue->entries[i].split == KL_SPLIT_TRAIN)
            labels[n++] = catalogue->entries[i].label;
    n_train = n;
    n_test = (uint32_t)(TEST_SHARE * n + 0.5);
    if (n_test < dataset->n_classes) /* one of each class, where there are so many */
        n_test = n / 4 < dataset->n_classes ? n / 4 : dataset->n_classes;
    status = kl_draw(labels, n, n_test, 0, seed, number, drawn, err);
    n = 0;
    for (size_t i = 0; !status && i < catalogue->n; i++)
        if (catalogue->entries[i].split == KL_SPLIT_TRAIN && drawn[n++])
            catalogue->entries[i].split = KL_SPLIT_TEST;
    if (!status && !n_test)
        kl_note(&dataset->notes, "there is no test split, and there are too few images for one");
    else if (!status)
        kl_note(&dataset->notes, "there is no test split: %u image%s%s become%s one", n_test,
                n_test == 1 ? "" : "s",
                n_test == (uint32_t)(TEST_SHARE * n_train + 0.5) ? ", a tenth of every class," : "",
                n_test == 1 ? "s" : "");
out:
    free(labels);
    free(drawn);
    return status;
}

/* A folder called as a split is, with images of its own, is a class only among others. */
static enum kl_status check_class_names(struct kl_dataset *dataset, const char *folder,
                                        const struct kl_listing *listing, struct kl_error *err)
{
    const char *called = NULL;
    size_t n = 0;

    for (size_t i = 0; i < listing->folders.n; i++)
        if (kl_split_called(listing->folders.names[i]) >= 0) {
            called = called ? called : listing->folders.names[i];
            n++;
        }
    if (n && n == listing->folders.n)
        return kl_fail(err, KL_ERR_INPUT,
                       "%s/%s holds images, but no classes: put them into one sub-folder per "
                       "class, as in %s/%s/cat",
                       folder, called, folder, called);
    if (n)
        kl_note(&dataset->notes,
                "the folder %s is taken for a class, because it holds images and no classes",
                called);
    return KL_OK;
}

static enum kl_status list_images(struct kl_dataset *dataset, const char *folder, uint32_t number,
                                  uint64_t seed, struct kl_catalogue *catalogue,
                                  struct kl_error *err)
{
    struct splits splits;
    const char *train;
    enum kl_status status = find_splits(folder, &splits, err);

    if (status)
        goto out;
    train = splits.names[KL_SPLIT_TRAIN];
    if (!train && !count_classes(folder)) {
        status = splits.names[KL_SPLIT_VALIDATION] || splits.names[KL_SPLIT_TEST]
                     ? kl_fail(err, KL_ERR_INPUT,
                               "%s has no folder train beside %s: add it, or name a folder of "
                               "classes",
                               folder,
                               splits.names[KL_SPLIT_TEST] ? splits.names[KL_SPLIT_TEST]
                                                           : splits.names[KL_SPLIT_VALIDATION])
                     : diagnose(folder, err);
        goto out;
    }
    status = train ? KL_OK : check_class_names(dataset, folder, &splits.listing, err);
    if (!status)
        status = list_training(dataset, folder, train ? train : "", catalogue, err);
    for (int s = KL_SPLIT_VALIDATION; !status && train && s < KL_N_SPLITS; s++)
        if (splits.names[s])
            status = list_split(dataset, folder, splits.names[s], (enum kl_split)s, catalogue, err);
    if (!status && train)
        note_unused(dataset, &splits);
    if (!status && !(train && splits.names[KL_SPLIT_TEST]))
        status = draw_test(dataset, catalogue, number, seed, err);
out:
    kl_listing_clear(&splits.listing);
    return status;
}

static void note_unread(struct kl_dataset *dataset, const struct kl_catalogue *catalogue)
{
    char text[200];

    kl_describe_endings(&catalogue->unread, text, sizeof text);
    if (catalogue->unread.total)
        kl_note(&dataset->notes, "%zu file%s not %s: %s", catalogue->unread.total,
                catalogue->unread.total == 1 ? " is" : "s are", KL_IMAGE_FILE_KINDS, text);
    if (catalogue->n_beside)
        kl_note(&dataset->notes,
                "%zu image%s beside the class folders, in none of them, and %s "
                "not used",
                catalogue->n_beside, catalogue->n_beside == 1 ? " lies" : "s lie",
                catalogue->n_beside == 1 ? "is" : "are");
    if (catalogue->n_deeper)
        kl_note(&dataset->notes, "%zu folder%s inside a class's folder and not read: %s%s",
                catalogue->n_deeper, catalogue->n_deeper == 1 ? " is" : "s are", catalogue->deeper,
                catalogue->n_deeper > 1 ? ", ..." : "");
}

enum kl_status kl_folder_load(struct kl_dataset *dataset, const char *folder, uint32_t number,
                              const struct kl_selection *selection, struct kl_error *err)
{
    struct kl_catalogue catalogue = {0};
    enum kl_status status =
        list_images(dataset, folder, number, selection->split_seed, &catalogue, err);

    if (!status)
        status = kl_catalogue_read(&catalogue, folder, selection, dataset, err);
    if (!status)
        note_unread(dataset, &catalogue);
    kl_catalogue_clear(&catalogue);
    return status;
}
