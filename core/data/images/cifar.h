/* CIFAR-10 in its binary version (www.cs.toronto.edu/~kriz/cifar.html): files of records of 3073
 * bytes, a label from 0 to 9 and 32 x 32 pixels in three planes, red, green and blue. */
#ifndef KL_CORE_DATA_IMAGES_CIFAR_H
#define KL_CORE_DATA_IMAGES_CIFAR_H

#include "core/data/dataset.h"

/* Whether folder holds a data_batch_1.bin. */
int kl_cifar_is(const char *folder);

/* Fills sizes, classes (named after batches.meta.txt, if it is there) and both splits of *dataset
 * from data_batch_1.bin ... data_batch_5.bin (as many as there are) and test_batch.bin. On failure
 * the data set holds what kl_dataset_free releases.
 * Errors: KL_ERR_NOT_FOUND, KL_ERR_INPUT (sizes, label range), KL_ERR_IO, KL_ERR_MEMORY. */
enum kl_status kl_cifar_load(struct kl_dataset *dataset, const char *folder, struct kl_error *err);

#endif
