#include "core/data/images/catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/utf8.h"
#include "core/data/images/image_file.h"

#define OWN_SIDE_MAX 64 /* images of one size up to this keep it */
#define DEFAULT_SIDE 32
#define DARK 64 /* mean brightness of what is opaque, below which black would hide it */

enum kl_status kl_catalogue_add(struct kl_catalogue *catalogue, const char *path, uint32_t label,
                                enum kl_split split, struct kl_error *err)
{
    struct kl_catalogue_entry entry = {strdup(path), 0, (uint8_t)label, split}, *grown;

    if (catalogue->n == catalogue->room) {
        size_t room = catalogue->room ? 2 * catalogue->room : 256;

        grown = realloc(catalogue->entries, room * sizeof *grown);
        if (grown) {
            catalogue->entries = grown;
            catalogue->room = room;
        }
    }
    if (!entry.path || catalogue->n == catalogue->room) {
        free(entry.path);
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for the list of images");
    }
    catalogue->entries[catalogue->n++] = entry;
    return KL_OK;
}

void kl_catalogue_clear(struct kl_catalogue *catalogue)
{
    for (size_t i = 0; i < catalogue->n; i++)
        free(catalogue->entries[i].path);
    free(catalogue->entries);
    *catalogue = (struct kl_catalogue){0};
}

/* Images as they are read: in colour, with what is transparent of them. */
struct reading {
    struct kl_catalogue *catalogue;
    const char *folder;
    size_t n_left_out;
    char first_left_out[400]; /* what is wrong with the first */
    struct kl_dataset *dataset;
    size_t area;
    uint8_t **alphas; /* (n), each (area) or NULL */
    int has_colour;
    size_t n_transparent;
    double opaque, light; /* of transparent images: sums of what is opaque, and of its brightness */
};

/* An image that cannot be read is left out; other failures end the reading. */
static enum kl_status leave_out(struct reading *reading, struct kl_catalogue_entry *entry,
                                const struct kl_error *err)
{
    if (err->status != KL_ERR_INPUT)
        return err->status;
    entry->is_left_out = 1;
    if (reading->n_left_out++ == 0)
        snprintf(reading->first_left_out, sizeof reading->first_left_out, "%.390s", err->message);
    return KL_OK;
}

/* Decides the size, from the files' headers. */
static enum kl_status decide_size(struct reading *reading, struct kl_image_size size,
                                  struct kl_error *err)
{
    uint32_t width = 0, height = 0;
    int is_one_size = 1;

    for (size_t i = 0; i < reading->catalogue->n; i++) {
        struct kl_catalogue_entry *entry = &reading->catalogue->entries[i];
        char path[KL_PATH_BYTES];
        uint32_t w, h;

        if (kl_join_path(path, reading->folder, entry->path, err))
            return err->status;
        if (kl_image_file_size(path, &w, &h, err)) {
            if (leave_out(reading, entry, err))
                return err->status;
            continue;
        }
        is_one_size = is_one_size && (width == 0 || (w == width && h == height));
        width = w;
        height = h;
    }
    if (size.width == 0 && is_one_size && width <= OWN_SIDE_MAX && height <= OWN_SIDE_MAX)
        size = (struct kl_image_size){width, height};
    else if (size.width == 0)
        size = (struct kl_image_size){DEFAULT_SIDE, DEFAULT_SIDE};
    reading->dataset->width = size.width;
    reading->dataset->height = size.height;
    reading->area = (size_t)size.width * size.height;
    return KL_OK;
}

static enum kl_status make_room(struct reading *reading, struct kl_error *err)
{
    size_t counts[KL_N_SPLITS] = {0};
    enum kl_status status =
        kl_alloc(&reading->alphas, reading->catalogue->n, sizeof(uint8_t *), "the images", err);

    for (size_t i = 0; i < reading->catalogue->n; i++)
        counts[reading->catalogue->entries[i].split]++;
    for (int s = 0; !status && s < KL_N_SPLITS; s++) {
        struct kl_image_set *set = &reading->dataset->splits[s];

        if (counts[s] == 0)
            continue;
        status = kl_alloc(&set->pixels, counts[s], 3 * reading->area, "the images", err);
        if (!status)
            status = kl_alloc(&set->labels, counts[s], 1, "the labels", err);
        if (!status)
            status = kl_alloc(&set->paths, counts[s], sizeof *set->paths, "the names", err);
    }
    return status;
}

/* What an image tells of the set: whether it has colour, and how bright it is where it is opaque.
 */
static void measure(struct reading *reading, const uint8_t *pixels, const uint8_t *alpha)
{
    size_t area = reading->area;

    for (size_t p = 0; p < area; p++) {
        const uint8_t red = pixels[p], green = pixels[area + p], blue = pixels[2 * area + p];

        if (alpha && alpha[p] == 0) /* nobody sees its colour */
            continue;
        reading->has_colour |= red != green || green != blue;
        if (alpha) {
            reading->opaque += alpha[p];
            reading->light += alpha[p] * (0.299 * red + 0.587 * green + 0.114 * blue);
        }
    }
    reading->n_transparent += alpha != NULL;
}

static enum kl_status read_all(struct reading *reading, struct kl_error *err)
{
    enum kl_status status = KL_OK;

    for (size_t i = 0; !status && i < reading->catalogue->n; i++) {
        struct kl_catalogue_entry *entry = &reading->catalogue->entries[i];
        struct kl_image_set *set = &reading->dataset->splits[entry->split];
        uint8_t *pixels = set->pixels + set->count * 3 * reading->area;
        char path[KL_PATH_BYTES];

        if (entry->is_left_out)
            continue;
        status = kl_join_path(path, reading->folder, entry->path, err);
        if (!status && kl_image_file_read(path, reading->dataset->width, reading->dataset->height,
                                          pixels, &reading->alphas[i], err)) {
            status = leave_out(reading, entry, err);
            continue;
        }
        if (!status)
            status = kl_copy_text(&set->paths[set->count], entry->path, err);
        if (status)
            break;
        measure(reading, pixels, reading->alphas[i]);
        set->labels[set->count++] = entry->label;
    }
    return status;
}

/* White, unless another ground is asked for or white is no better: black where drawings are light
 * enough to be seen on it. */
static uint8_t choose_ground(const struct reading *reading, enum kl_ground background)
{
    if (background != KL_GROUND_AUTO)
        return background == KL_GROUND_WHITE ? 255 : 0;
    return reading->opaque > 0 && reading->light / reading->opaque >= DARK ? 0 : 255;
}

static void lay(uint8_t *pixels, const uint8_t *alpha, size_t area, uint8_t ground)
{
    for (size_t c = 0; c < 3; c++)
        for (size_t p = 0; p < area; p++)
            pixels[c * area + p] =
                (uint8_t)((pixels[c * area + p] * alpha[p] + ground * (255 - alpha[p]) + 127) /
                          255);
}

static void lay_all(struct reading *reading, enum kl_ground background)
{
    uint8_t ground = choose_ground(reading, background);
    size_t next[KL_N_SPLITS] = {0};

    for (size_t i = 0; i < reading->catalogue->n; i++) {
        enum kl_split split = reading->catalogue->entries[i].split;
        uint8_t *pixels;

        if (reading->catalogue->entries[i].is_left_out)
            continue;
        pixels = reading->dataset->splits[split].pixels + next[split]++ * 3 * reading->area;

        if (reading->alphas[i])
            lay(pixels, reading->alphas[i], reading->area, ground);
    }
    if (reading->n_transparent)
        kl_note(&reading->dataset->notes,
                "%zu image%s transparent in part and laid on %s ({background} chooses "
                "another ground)",
                reading->n_transparent, reading->n_transparent > 1 ? "s are" : " is",
                ground ? "white" : "black");
}

/* Without colour one channel is enough. */
static void keep_grey(struct reading *reading)
{
    for (int s = 0; s < KL_N_SPLITS; s++) {
        struct kl_image_set *set = &reading->dataset->splits[s];
        uint8_t *shrunk;

        for (size_t i = 1; i < set->count; i++)
            memmove(set->pixels + i * reading->area, set->pixels + i * 3 * reading->area,
                    reading->area);
        shrunk = set->count ? realloc(set->pixels, set->count * reading->area) : NULL;
        set->pixels = shrunk ? shrunk : set->pixels;
    }
}

/* Says what was left out; nothing may be left of no class. */
static enum kl_status tell_left_out(const struct reading *reading, struct kl_error *err)
{
    const struct kl_image_set *train = &reading->dataset->splits[KL_SPLIT_TRAIN];
    uint32_t members[KL_CLASSES_MAX] = {0};

    for (uint32_t i = 0; i < train->count; i++)
        members[train->labels[i]]++;
    for (uint32_t c = 0; c < reading->dataset->n_classes; c++)
        if (!members[c])
            return kl_fail(err, KL_ERR_INPUT,
                           "of the class %.100s no image is left to train on (%.300s)",
                           reading->dataset->class_names[c],
                           reading->n_left_out ? reading->first_left_out : "it has too few");
    if (reading->n_left_out)
        kl_note(&reading->dataset->notes, "%zu image%s left out, the first because %s",
                reading->n_left_out, reading->n_left_out > 1 ? "s are" : " is",
                reading->first_left_out);
    return KL_OK;
}

enum kl_status kl_catalogue_read(struct kl_catalogue *catalogue, const char *folder,
                                 const struct kl_selection *selection, struct kl_dataset *dataset,
                                 struct kl_error *err)
{
    struct reading reading = {.catalogue = catalogue, .folder = folder, .dataset = dataset};
    enum kl_status status = decide_size(&reading, selection->image_size, err);

    if (!status)
        status = make_room(&reading, err);
    if (!status)
        status = read_all(&reading, err);
    if (!status)
        status = tell_left_out(&reading, err);
    if (!status) {
        lay_all(&reading, (enum kl_ground)selection->background);
        if (!reading.has_colour)
            keep_grey(&reading);
        dataset->channels = reading.has_colour ? 3 : 1;
    }
    for (size_t i = 0; reading.alphas && i < catalogue->n; i++)
        free(reading.alphas[i]);
    free(reading.alphas);
    return status;
}
