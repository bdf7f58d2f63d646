#include "core/data/selection.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/base/random.h"

/* Moves the last n training samples to the validation split. */
static enum kl_status split_off(struct kl_dataset *dataset, uint32_t n, struct kl_error *err)
{
    struct kl_image_set *train = &dataset->splits[KL_SPLIT_TRAIN];
    struct kl_image_set *validation = &dataset->splits[KL_SPLIT_VALIDATION];
    size_t size = kl_dataset_image_size(dataset);
    enum kl_status status;

    if (n >= train->count)
        return kl_fail_on(err, KL_ERR_USAGE, "validation",
                          "validation %u leaves nothing to train on: %s has %u training samples", n,
                          dataset->name, train->count);
    status = kl_alloc(&validation->pixels, n, size, "the validation split", err);
    if (!status)
        status = kl_alloc(&validation->labels, n, 1, "the validation split", err);
    if (status)
        return status;
    train->count -= n;
    validation->count = n;
    memcpy(validation->pixels, train->pixels + train->count * size, n * size);
    memcpy(validation->labels, train->labels + train->count, n);
    return KL_OK;
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
                         const struct kl_selection *selection, struct kl_error *err)
{
    struct kl_image_set *train = &dataset->splits[KL_SPLIT_TRAIN];
    enum kl_status status = KL_OK;

    if (dataset->corpus &&
        (selection->validation || selection->limit || selection->label_noise > 0))
        return kl_fail_on(err, KL_ERR_USAGE, "validation",
                          "validation, limit and label_noise are for images: text is split by "
                          "test_share or test_files");
    if (dataset->corpus)
        return KL_OK;
    if (selection->validation)
        status = split_off(dataset, selection->validation, err);
    if (!status && selection->limit > train->count)
        status = kl_fail_on(err, KL_ERR_USAGE, "limit",
                            "limit %u is more than there is: %s has %u training samples",
                            selection->limit, dataset->name, train->count);
    if (status)
        return status;
    if (selection->limit)
        train->count = selection->limit;
    kl_dataset_measure(dataset);
    return selection->label_noise > 0 ? flip_labels(dataset, number, selection, err) : KL_OK;
}
