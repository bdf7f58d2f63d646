/* IDX files, the format of MNIST and its kin (yann.lecun.com/exdb/mnist): a big-endian header
 * (0, 0, type, number of dimensions; then each dimension as 32 bits) and the numbers. Read here:
 * unsigned bytes, images of 3 dimensions (count, height, width), labels of 1, plain or gzipped. */
#ifndef KL_CORE_DATA_IMAGES_IDX_H
#define KL_CORE_DATA_IMAGES_IDX_H

#include "core/data/dataset.h"

/* Whether a folder holds a file that is called as IDX files of images are. */
int kl_idx_is(const char *folder);

/* Fills the sizes, class count and both splits of *dataset from the four files in folder:
 * {train,t10k or test}-{images,labels}: regular files of the exact names first, then of names that
 * begin so, with or without .gz. On failure the data set holds what
 * kl_dataset_free releases.
 * Errors: KL_ERR_NOT_FOUND (folder or file), KL_ERR_INPUT (magic, sizes, counts, label range),
 * KL_ERR_IO, KL_ERR_MEMORY. */
enum kl_status kl_idx_load(struct kl_dataset *dataset, const char *folder, struct kl_error *err);

#endif
