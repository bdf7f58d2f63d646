/* The data sets of one run, and the ids of their samples.
 *
 * Ids count through the data sets in order, the training split before the test split:
 * id = samples of the data sets before + (test ? training samples : 0) + index. */
#ifndef KL_CORE_COLLECTION_H
#define KL_CORE_COLLECTION_H

#include "core/dataset.h"

#define KL_DATASETS_MAX 16

struct kl_collection {
    uint32_t n_datasets;
    struct kl_dataset *datasets[KL_DATASETS_MAX]; /* owned by the collection; same image size */
};

struct kl_sample_place {
    uint32_t dataset; /* from 0 */
    enum kl_split split;
    uint32_t index;
};

/* Samples of all data sets and splits. */
uint32_t kl_collection_size(const struct kl_collection *collection);

/* Training samples of all data sets. */
uint32_t kl_collection_train_size(const struct kl_collection *collection);

/* Outputs that a network needs: the largest number of classes. */
uint32_t kl_collection_n_classes(const struct kl_collection *collection);

/* The id of a place, which must exist. */
uint32_t kl_collection_id(const struct kl_collection *collection, struct kl_sample_place place);

/* The place of an id below kl_collection_size. */
struct kl_sample_place kl_collection_place(const struct kl_collection *collection, uint32_t id);

/* The id of the position-th training sample, counted through all data sets. */
uint32_t kl_collection_train_id(const struct kl_collection *collection, uint32_t position);

/* The label of a sample. */
uint8_t kl_collection_label(const struct kl_collection *collection, uint32_t id);

/* Numbers the classes of all data sets, data sets in order and labels in order: writes the class
 * number of every sample to classes (size) and returns how many classes there are. */
uint32_t kl_collection_classes(const struct kl_collection *collection, uint16_t *classes);

/* Frees the data sets in it. */
void kl_collection_clear(struct kl_collection *collection);

#endif
