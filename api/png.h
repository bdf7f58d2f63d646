/* Images as PNG. */
#ifndef KL_API_PNG_H
#define KL_API_PNG_H

#include <stddef.h>
#include <stdint.h>

#include "core/data/dataset.h"

#define KL_PNG_SIDE_MAX 4096 /* pixels, as most viewers take */
#define KL_PNG_AREA_MAX                                                                            \
    6000000 /* pixels: a sheet of 256 images of 28 x 28, five times enlarged                       \
             */

/* Writes interleaved pixels, (height, width, channels), rows from the top. *png is the caller's to
 * free. Errors: KL_ERR_MEMORY. */
enum kl_status kl_png_pixels(const uint8_t *pixels, uint32_t width, uint32_t height,
                             uint32_t channels, uint8_t **png, size_t *n_bytes,
                             struct kl_error *err);

/* Draws images of one data set in a grid, row by row, each pixel enlarged to scale x scale (nearest
 * neighbour), unused places black. images: (n, channels, height, width), planar as data sets keep
 * them. *png is the caller's to free. Errors: KL_ERR_USAGE (too large), KL_ERR_MEMORY. */
enum kl_status kl_png_sheet(const struct kl_dataset *dataset, const uint8_t *images, uint32_t n,
                            uint32_t columns, uint32_t scale, uint8_t **png, size_t *n_bytes,
                            struct kl_error *err);

#endif
