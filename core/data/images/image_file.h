/* PNG and JPEG files (stb_image), brought to one size and number of channels. */
#ifndef KL_CORE_DATA_IMAGES_IMAGE_FILE_H
#define KL_CORE_DATA_IMAGES_IMAGE_FILE_H

#include <stdint.h>

#include "core/base/error.h"

/* What a file's header says. *is_grey: it has no colour (transparency aside).
 * Errors: KL_ERR_INPUT (not an image that can be read, or a side above KL_IMAGE_SIDE_MAX). */
enum kl_status kl_image_file_size(const char *path, uint32_t *width, uint32_t *height, int *is_grey,
                                  struct kl_error *err);

/* Reads, over black where it is transparent, resizes (filtered) and writes planar bytes: pixels
 * (channels, height, width), channels 1 (grey) or 3 (RGB). Errors: KL_ERR_INPUT, KL_ERR_MEMORY. */
enum kl_status kl_image_file_read(const char *path, uint32_t width, uint32_t height,
                                  uint32_t channels, uint8_t *pixels, struct kl_error *err);

#endif
