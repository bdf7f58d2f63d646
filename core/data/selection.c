#include "core/data/selection.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/data/draw.h"

#define NAMED 5 /* classes and files that a note names; of more it says how many */

/* Moves an image within its data set's room, or to another split's. */
static void move_image(const struct kl_dataset *dataset, struct kl_image_set *from, uint32_t i,
                       struct kl_image_set *to, uint32_t at)
{
    size_t size = kl_dataset_image_size(dataset);

    memmove(to->pixels + at * size, from->pixels + i * size, size);
    to->labels[at] = from->labels[i];
    if (from->paths) {
        char *path = from->paths[i];

        from->paths[i] = NULL;
        to->paths[at] = path;
    }
}

static void drop_image(struct kl_image_set *set, uint32_t i)
{
    if (!set->paths)
        return;
    free(set->paths[i]);
    set->paths[i] = NULL;
}

/* Takes what is drawn (count) out of the training split: to the validation split, or (to NULL)
 * away. */
static void take_out(struct kl_dataset *dataset, const uint8_t *drawn, struct kl_image_set *to)
{
    struct kl_image_set *train = &dataset->splits[KL_SPLIT_TRAIN];
    uint32_t kept = 0;

    for (uint32_t i = 0; i < train->count; i++) {
        if (!drawn[i])
            move_image(dataset, train, i, train, kept++);
        else if (to)
            move_image(dataset, train, i, to, to->count++);
        else
            drop_image(train, i);
    }
    train->count = kept;
}

static enum kl_status split_off(struct kl_dataset *dataset, uint32_t number, uint32_t n,
                                uint64_t seed, struct kl_error *err)
{
    struct kl_image_set *train = &dataset->splits[KL_SPLIT_TRAIN];
    struct kl_image_set *validation = &dataset->splits[KL_SPLIT_VALIDATION];
    size_t size = kl_dataset_image_size(dataset);
    uint8_t *drawn = NULL;
    enum kl_status status;

    if (validation->count) {
        kl_note(&dataset->notes,
                "its own validation split of %u images is used, and nothing more "
                "taken out of training for one",
                validation->count);
        return KL_OK;
    }
    if (n >= train->count)
        return kl_fail_on(err, KL_ERR_USAGE, "validation",
                          "validation %u leaves nothing to train on: %s has %u training samples", n,
                          dataset->name, train->count);
    free(validation->pixels); /* of a validation split whose images could none be read */
    free(validation->labels);
    free(validation->paths);
    *validation = (struct kl_image_set){0};
    status = kl_alloc(&validation->pixels, n, size, "the validation split", err);
    if (!status)
        status = kl_alloc(&validation->labels, n, 1, "the validation split", err);
    if (!status && train->paths)
        status = kl_alloc(&validation->paths, n, sizeof(char *), "the validation split", err);
    if (!status)
        status = kl_alloc(&drawn, train->count, 1, "the validation split", err);
    if (!status)
        status = kl_draw(train->labels, train->count, n, 0, seed, 2 * number, drawn, err);
    if (!status)
        take_out(dataset, drawn, validation);
    free(drawn);
    return status;
}

static enum kl_status keep(struct kl_dataset *dataset, uint32_t number, uint32_t n, uint64_t seed,
                           struct kl_error *err)
{
    struct kl_image_set *train = &dataset->splits[KL_SPLIT_TRAIN];
    uint8_t *drawn = NULL;
    enum kl_status status;

    if (n > train->count)
        return kl_fail_on(err, KL_ERR_USAGE, "limit",
                          "limit %u is more than there is: %s has %u training samples", n,
                          dataset->name, train->count);
    status = kl_alloc(&drawn, train->count, 1, "the limit", err);
    if (!status)
        status = kl_draw(train->labels, train->count, n, 1, seed, 2 * number + 1, drawn, err);
    for (uint32_t i = 0; !status && i < train->count; i++)
        drawn[i] = !drawn[i];
    if (!status)
        take_out(dataset, drawn, NULL);
    free(drawn);
    return status;
}

/* Names the classes of which a split that is there has nothing. */
static void note_missing(struct kl_dataset *dataset)
{
    uint32_t members[KL_N_SPLITS][KL_CLASSES_MAX] = {{0}};

    for (int s = 0; s < KL_N_SPLITS; s++)
        for (uint32_t i = 0; i < dataset->splits[s].count; i++)
            members[s][dataset->splits[s].labels[i]]++;
    for (int s = 0; s < KL_N_SPLITS; s++) {
        char names[300] = "";
        size_t used = 0;
        uint32_t n = 0;

        for (uint32_t c = 0; dataset->splits[s].count && c < dataset->n_classes; c++) {
            if (members[s][c] || members[0][c] + members[1][c] + members[2][c] == 0)
                continue;
            if (n++ < NAMED && used < sizeof names)
                used += (size_t)snprintf(names + used, sizeof names - used, "%s%s (%u in all)",
                                         used ? ", " : "", kl_dataset_class_name(dataset, c),
                                         members[0][c] + members[1][c] + members[2][c]);
        }
        if (n)
            kl_note(&dataset->notes, "the %s split has nothing of %s%s%s",
                    kl_split_name((enum kl_split)s), n > 1 ? "these classes: " : "the class ",
                    names, n > NAMED ? ", ..." : "");
    }
}

/* An image by its pixels. */
struct seen {
    uint64_t hash;
    enum kl_split split;
    uint32_t index;
};

static int by_hash(const void *a, const void *b)
{
    const struct seen *one = a, *other = b;

    if (one->hash != other->hash)
        return one->hash < other->hash ? -1 : 1;
    return one->split != other->split ? (int)one->split - (int)other->split
                                      : (one->index > other->index) - (one->index < other->index);
}

static void name_image(const struct kl_dataset *dataset, const struct seen *seen, char name[200])
{
    const char *path = kl_dataset_path(dataset, seen->split, seen->index);

    if (path)
        snprintf(name, 200, "%s", path);
    else
        snprintf(name, 200, "%s/%u", kl_split_name(seen->split), seen->index);
}

/* Counts images outside the training split that are in it, too, pixel by pixel. */
static enum kl_status note_leaks(struct kl_dataset *dataset, struct kl_error *err)
{
    size_t size = kl_dataset_image_size(dataset), n = 0, n_leaks[KL_N_SPLITS] = {0};
    uint32_t total = dataset->splits[0].count + dataset->splits[1].count + dataset->splits[2].count;
    struct seen *all = NULL, first[KL_N_SPLITS][2];
    enum kl_status status = kl_alloc(&all, total, sizeof *all, "the images", err);

    for (int s = 0; !status && s < KL_N_SPLITS; s++)
        for (uint32_t i = 0; i < dataset->splits[s].count; i++)
            all[n++] =
                (struct seen){kl_hash(KL_HASH_START, dataset->splits[s].pixels + i * size, size),
                              (enum kl_split)s, i};
    if (n)
        qsort(all, n, sizeof *all, by_hash);
    for (size_t i = 0, group = 0; i < n; i++) {
        group = all[i].hash == all[group].hash ? group : i;
        if (all[group].split != KL_SPLIT_TRAIN || all[i].split == KL_SPLIT_TRAIN ||
            memcmp(dataset->splits[all[i].split].pixels + all[i].index * size,
                   dataset->splits[KL_SPLIT_TRAIN].pixels + all[group].index * size, size) != 0)
            continue;
        if (n_leaks[all[i].split]++ == 0) {
            first[all[i].split][0] = all[i];
            first[all[i].split][1] = all[group];
        }
    }
    for (int s = 0; s < KL_N_SPLITS; s++) {
        char mine[200], other[200];

        if (!n_leaks[s])
            continue;
        name_image(dataset, &first[s][0], mine);
        name_image(dataset, &first[s][1], other);
        kl_note(&dataset->notes,
                "%zu image%s of the %s split %s in the training split, too (%s is "
                "%s): it does not measure what the network does with new ones",
                n_leaks[s], n_leaks[s] > 1 ? "s" : "", kl_split_name((enum kl_split)s),
                n_leaks[s] > 1 ? "are" : "is", mine, other);
    }
    free(all);
    return status;
}

/* The random stream is the data set's number: each has flips of its own. */
static enum kl_status flip_labels(struct kl_dataset *dataset, uint32_t number,
                                  const struct kl_selection *selection, struct kl_error *err)
{
    struct kl_image_set *train = &dataset->splits[KL_SPLIT_TRAIN];
    uint32_t n = (uint32_t)lround(selection->label_noise * train->count);
    uint32_t *order = NULL;
    struct kl_random random;
    enum kl_status status = kl_alloc(&order, train->count, sizeof *order, "the order", err);

    if (!status)
        status = kl_alloc(&train->true_labels, train->count, 1, "the true labels", err);
    if (!status) {
        memcpy(train->true_labels, train->labels, train->count);
        kl_random_seed(&random, selection->noise_seed, number);
        kl_random_permutation(&random, order, train->count);
    }
    for (uint32_t i = 0; !status && i < n; i++) {
        uint8_t *label = &train->labels[order[i]];
        uint32_t other = kl_random_below(&random, dataset->n_classes - 1);

        *label = (uint8_t)(other < *label ? other : other + 1);
    }
    free(order);
    return status;
}

enum kl_status kl_select(struct kl_dataset *dataset, uint32_t number,
                         const struct kl_selection *selection, struct kl_corrections *corrections,
                         struct kl_error *err)
{
    enum kl_status status = KL_OK;

    if (dataset->corpus &&
        (selection->validation || selection->limit || selection->label_noise > 0))
        return kl_fail_on(err, KL_ERR_USAGE, "validation",
                          "validation, limit and label_noise are for images: text is split by "
                          "test_share or test_files");
    if (dataset->corpus)
        return KL_OK;
    if (selection->validation)
        status = split_off(dataset, number, selection->validation, selection->split_seed, err);
    if (!status && selection->limit)
        status = keep(dataset, number, selection->limit, selection->split_seed, err);
    if (!status)
        status = note_leaks(dataset, err);
    if (status)
        return status;
    note_missing(dataset);
    kl_dataset_measure(dataset);
    if (selection->label_noise > 0)
        status = flip_labels(dataset, number, selection, err);
    if (!status && corrections) /* of what somebody saw: with the flips */
        status = kl_corrections_apply(corrections, dataset, err);
    return status;
}
