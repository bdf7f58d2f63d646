/* Image files (gdk-pixbuf: PNG, JPEG, GIF, BMP, PNM, TIFF, WebP), as every viewer shows them,
 * brought to one size. */
#ifndef KL_CORE_DATA_IMAGES_IMAGE_FILE_H
#define KL_CORE_DATA_IMAGES_IMAGE_FILE_H

#include <stdint.h>

#include "core/base/error.h"

#ifndef KL_PICTURE_SIDE_MAX       /* fuzzing says less: most of its time would go into resizing */
#define KL_PICTURE_SIDE_MAX 20000 /* of a file; one is decoded at a time, in at most 1.6 GB */
#endif

/* Whether a file's name ends as those of images that can be read do; and these ends, in words. */
int kl_image_file_named(const char *name);
#define KL_IMAGE_FILE_KINDS "PNG, JPEG, GIF, BMP, PNM, TIFF or WebP"

/* What a file's header says: its size as it will be seen (a camera's "turn me" is obeyed).
 * Errors: KL_ERR_INPUT (not an image that can be read, or a side above KL_PICTURE_SIDE_MAX). */
enum kl_status kl_image_file_size(const char *path, uint32_t *width, uint32_t *height,
                                  struct kl_error *err);

/* Reads the first picture of a file and brings it to the size by averaging areas: pixels (3,
 * height, width), red, green and blue. Where something of it is transparent, *alpha is (height,
 * width), 255 for opaque, the caller's to free; NULL otherwise. Files are read one at a time: not
 * thread-safe. Errors: KL_ERR_INPUT, KL_ERR_MEMORY. */
enum kl_status kl_image_file_read(const char *path, uint32_t width, uint32_t height,
                                  uint8_t *pixels, uint8_t **alpha, struct kl_error *err);

#endif
