#include "core/collection.h"

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

uint32_t kl_collection_n_classes(const struct kl_collection *collection)
{
    uint32_t n = 0;

    for (uint32_t d = 0; d < collection->n_datasets; d++)
        if (collection->datasets[d]->n_classes > n)
            n = collection->datasets[d]->n_classes;
    return n;
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

uint8_t kl_collection_label(const struct kl_collection *collection, uint32_t id)
{
    struct kl_sample_place place = kl_collection_place(collection, id);

    return collection->datasets[place.dataset]->splits[place.split].labels[place.index];
}

uint32_t kl_collection_classes(const struct kl_collection *collection, uint16_t *classes)
{
    uint32_t base = 0;

    for (uint32_t d = 0; d < collection->n_datasets; d++) {
        const struct kl_dataset *dataset = collection->datasets[d];

        for (int s = 0; s < KL_N_SPLITS; s++)
            for (uint32_t i = 0; i < dataset->splits[s].count; i++)
                *classes++ = (uint16_t)(base + dataset->splits[s].labels[i]);
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
