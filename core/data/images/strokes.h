/* Strokes: a data set that needs no files. Ten classes of 28 x 28 digits, drawn with a pen along
 * line segments and arcs, each with its own slant, size, place, width and wobble. */
#ifndef KL_CORE_DATA_IMAGES_STROKES_H
#define KL_CORE_DATA_IMAGES_STROKES_H

#include "core/data/dataset.h"

#define KL_STROKES_TRAIN 6000
#define KL_STROKES_TEST 1000

/* Fills the sizes, class count and both splits of *dataset; the same images at every call.
 * Errors: KL_ERR_MEMORY. */
enum kl_status kl_strokes_draw(struct kl_dataset *dataset, struct kl_error *err);

#endif
