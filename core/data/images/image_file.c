#include "core/data/images/image_file.h"

#include <stdlib.h>
#include <string.h>

#include "core/data/dataset.h"
#include "core/base/memory.h"

#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_NO_GIF
#define STBI_MAX_DIMENSIONS KL_IMAGE_SIDE_MAX
#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_STATIC
/* Reported where the file ends: functions that stb declares and this file does not use. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-but-set-variable"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wcast-qual"
#include <stb_image.h>
#include <stb_image_resize.h>
#pragma GCC diagnostic pop

static enum kl_status unreadable(const char *path, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_INPUT,
                   "%s is not a PNG or JPEG image that can be read (%s): replace it or take it out "
                   "of the folder",
                   path, stbi_failure_reason() ? stbi_failure_reason() : "unknown");
}

enum kl_status kl_image_file_size(const char *path, uint32_t *width, uint32_t *height, int *is_grey,
                                  struct kl_error *err)
{
    int w = 0, h = 0, channels = 0;

    if (!stbi_info(path, &w, &h, &channels))
        return unreadable(path, err);
    if (w < 1 || h < 1 || w > KL_IMAGE_SIDE_MAX || h > KL_IMAGE_SIDE_MAX)
        return kl_fail(err, KL_ERR_INPUT, "%s is %dx%d pixels: a side is 1 to %d", path, w, h,
                       KL_IMAGE_SIDE_MAX);
    *width = (uint32_t)w;
    *height = (uint32_t)h;
    *is_grey = channels <= 2;
    return KL_OK;
}

enum kl_status kl_image_file_read(const char *path, uint32_t width, uint32_t height,
                                  uint32_t channels, uint8_t *pixels, struct kl_error *err)
{
    int w = 0, h = 0, found = 0, n = (int)channels + 1; /* the last is transparency */
    size_t area = (size_t)width * height;
    uint8_t *image = stbi_load(path, &w, &h, &found, n), *resized = NULL;
    enum kl_status status;

    if (!image)
        return unreadable(path, err);
    status = kl_alloc(&resized, area, (size_t)n, "an image", err);
    if (!status && (uint32_t)w == width && (uint32_t)h == height) /* the filter would blur it */
        memcpy(resized, image, area * (size_t)n);
    else if (!status && !stbir_resize_uint8_generic(
                            image, w, h, 0, resized, (int)width, (int)height, 0, n, n - 1, 0,
                            STBIR_EDGE_CLAMP, STBIR_FILTER_DEFAULT, STBIR_COLORSPACE_LINEAR, NULL))
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory to resize %s", path);
    for (uint32_t c = 0; !status && c < channels; c++)
        for (size_t p = 0; p < area; p++) {
            const uint8_t *pixel = resized + p * (size_t)n;

            pixels[c * area + p] = (uint8_t)((pixel[c] * pixel[n - 1] + 127) / 255);
        }
    free(resized);
    stbi_image_free(image);
    return status;
}
