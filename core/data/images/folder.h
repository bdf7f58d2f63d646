/* A folder of images, one sub-folder per class:
 *
 *   FOLDER/CLASS/NAME.png          a tenth of every class becomes the test split
 *   FOLDER/train/CLASS/NAME.png    with splits of their own, by the names of core/data/split.h
 *   FOLDER/val/CLASS/NAME.png      (without test, a tenth of every class of train becomes it)
 *   FOLDER/test/CLASS/NAME.png
 *
 * Classes are numbered in the order of their names, numbers by their size. Images become one size;
 * they are grey if none of them has colour. */
#ifndef KL_CORE_DATA_IMAGES_FOLDER_H
#define KL_CORE_DATA_IMAGES_FOLDER_H

#include "core/data/dataset.h"
#include "core/data/selection.h"

/* Whether folder has sub-folders with images in them, or splits that have. */
int kl_folder_is(const char *folder);

/* Fills sizes, classes, splits, paths and notes of *dataset, as far as the selection says:
 * image_size (0 x 0: their own, if they share one of at most 64 x 64, and 32 x 32 otherwise),
 * background and split_seed. number: of the data set in its run, its random stream. On failure the
 * data set holds what kl_dataset_free releases.
 * Errors: KL_ERR_NOT_FOUND, KL_ERR_INPUT (what the folder holds instead, unreadable images, empty
 * classes), KL_ERR_MEMORY. */
enum kl_status kl_folder_load(struct kl_dataset *dataset, const char *folder, uint32_t number,
                              const struct kl_selection *selection, struct kl_error *err);

#endif
