/* The data sets of one run, and the ids of their samples.
 *
 * Ids count through the data sets in order, within each through the splits in order (training,
 * validation, test): id = samples of the data sets before + of the splits before + index. */
#ifndef KL_CORE_DATA_COLLECTION_H
#define KL_CORE_DATA_COLLECTION_H

#include "core/data/dataset.h"

#define KL_DATASETS_MAX 16

/* Which outputs of the network stand for the classes of which data set. */
enum kl_heads {
    KL_HEADS_SHARED,   /* label c of every data set is output c */
    KL_HEADS_SEPARATE, /* data sets have outputs of their own, one after the other */
};

struct kl_collection {
    uint32_t n_datasets;
    struct kl_dataset
        *datasets[KL_DATASETS_MAX]; /* owned by the collection; same image size, or one text */
    enum kl_heads heads;
};

struct kl_sample_place {
    uint32_t dataset; /* from 0 */
    enum kl_split split;
    uint32_t index;
};

/* Of all its data sets: a collection has one kind. */
enum kl_data_kind kl_collection_kind(const struct kl_collection *collection);

/* Samples of all data sets and splits. */
uint32_t kl_collection_size(const struct kl_collection *collection);

/* Training samples of all data sets. */
uint32_t kl_collection_train_size(const struct kl_collection *collection);

/* Outputs that a network needs: the largest number of classes, or, with separate heads, the sum. */
uint32_t kl_collection_n_outputs(const struct kl_collection *collection);

/* The output that stands for label 0 of a data set. */
uint32_t kl_collection_first_output(const struct kl_collection *collection, uint32_t dataset);

/* Refuses data sets that cannot be trained together: of different image sizes or channels, of the
 * same name, more than one text, with more outputs than KL_CLASSES_MAX. Errors: KL_ERR_USAGE. */
enum kl_status kl_collection_check(const struct kl_collection *collection, struct kl_error *err);

/* "shared", "separate"; a static string; and the reverse: 0, or -1 for any other word. */
const char *kl_heads_name(enum kl_heads heads);
int kl_heads_parse(const char *name, enum kl_heads *heads);

/* What an output stands for: the names of its classes, "5 / Sandal" where data sets share it, and
 * with its data set's name, "5 (mnist)", where several have outputs of their own. The caller frees
 * it; NULL: memory ran out. */
char *kl_collection_output_name(const struct kl_collection *collection, uint32_t output);

/* The id of a place, which must exist. */
uint32_t kl_collection_id(const struct kl_collection *collection, struct kl_sample_place place);

/* The place of an id below kl_collection_size. */
struct kl_sample_place kl_collection_place(const struct kl_collection *collection, uint32_t id);

/* The id of the position-th training sample, counted through all data sets. */
uint32_t kl_collection_train_id(const struct kl_collection *collection, uint32_t position);

/* The label of a sample within its data set, as the run was told it. */
uint32_t kl_collection_label(const struct kl_collection *collection, uint32_t id);

/* The pixels of a sample whose data set has them: (image size), the collection's. */
const uint8_t *kl_collection_pixels(const struct kl_collection *collection, uint32_t id);

/* The label of a sample as its file has it: another one if it was flipped. */
uint32_t kl_collection_true_label(const struct kl_collection *collection, uint32_t id);

/* The output that stands for a sample's label: what the network should say. */
uint32_t kl_collection_target(const struct kl_collection *collection, uint32_t id);

/* Numbers the classes of all data sets, data sets in order and labels in order: writes the class
 * number of every sample to classes (size) and returns how many classes there are. */
uint32_t kl_collection_classes(const struct kl_collection *collection, uint32_t *classes);

/* Frees the data sets in it. */
void kl_collection_clear(struct kl_collection *collection);

#endif
