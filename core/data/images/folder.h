/* A folder of PNG and JPEG images, one sub-folder per class:
 *
 *   FOLDER/CLASS/NAME.png          every tenth image of a class, in order of names, is a test image
 *   FOLDER/train/CLASS/NAME.png    or: with splits of their own
 *   FOLDER/test/CLASS/NAME.png
 *
 * Classes are numbered in the order of their names. Images become one size, and grey if all are. */
#ifndef KL_CORE_DATA_IMAGES_FOLDER_H
#define KL_CORE_DATA_IMAGES_FOLDER_H

#include "core/data/dataset.h"

/* Whether folder has sub-folders with PNG or JPEG files in them. */
int kl_folder_is(const char *folder);

/* Fills sizes, classes and both splits of *dataset. size is the size to bring images to; 0 x 0
 * means their own, if they share one of at most 64 x 64, and 32 x 32 otherwise. On failure the data
 * set holds what kl_dataset_free releases.
 * Errors: KL_ERR_NOT_FOUND, KL_ERR_INPUT (unreadable images, empty classes), KL_ERR_MEMORY. */
enum kl_status kl_folder_load(struct kl_dataset *dataset, const char *folder,
                              struct kl_image_size size, struct kl_error *err);

#endif
