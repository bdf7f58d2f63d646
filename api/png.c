#include "api/png.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "core/base/memory.h"

/* stb's own deflate is slow and weak: zlib does it. */
static unsigned char *deflate_with_zlib(unsigned char *data, int n_bytes, int *n_out, int quality)
{
    uLongf length = compressBound((uLong)n_bytes);
    unsigned char *out = malloc(length);

    (void)quality;
    if (out && compress2(out, &length, data, (uLong)n_bytes, 6) != Z_OK) {
        free(out);
        out = NULL;
    }
    *n_out = out ? (int)length : 0;
    return out;
}

#define STBIW_ZLIB_COMPRESS deflate_with_zlib
#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-function"
#include <stb_image_write.h>
#pragma GCC diagnostic pop

struct memory_file {
    uint8_t *bytes;
    size_t n_bytes;
    int failed;
};

static void append(void *context, void *data, int n_bytes)
{
    struct memory_file *file = context;
    uint8_t *grown = realloc(file->bytes, file->n_bytes + (size_t)n_bytes);

    if (!grown) {
        file->failed = 1;
        return;
    }
    memcpy(grown + file->n_bytes, data, (size_t)n_bytes);
    file->bytes = grown;
    file->n_bytes += (size_t)n_bytes;
}

enum kl_status kl_png_pixels(const uint8_t *pixels, uint32_t width, uint32_t height,
                             uint32_t channels, uint8_t **png, size_t *n_bytes,
                             struct kl_error *err)
{
    struct memory_file file = {NULL, 0, 0};

    if (!stbi_write_png_to_func(append, &file, (int)width, (int)height, (int)channels, pixels,
                                (int)(width * channels)) ||
        file.failed) {
        free(file.bytes);
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for a picture");
    }
    *png = file.bytes;
    *n_bytes = file.n_bytes;
    return KL_OK;
}

/* Copies one planar image into the interleaved canvas, enlarged. */
static void place(const struct kl_dataset *dataset, const uint8_t *image, uint32_t scale,
                  size_t canvas_width, uint8_t *corner)
{
    uint32_t width = dataset->width, height = dataset->height, channels = dataset->channels;

    for (uint32_t y = 0; y < height * scale; y++)
        for (uint32_t x = 0; x < width * scale; x++)
            for (uint32_t c = 0; c < channels; c++)
                corner[(y * canvas_width + x) * channels + c] =
                    image[((size_t)c * height + y / scale) * width + x / scale];
}

enum kl_status kl_png_sheet(const struct kl_dataset *dataset, const uint8_t *images, uint32_t n,
                            uint32_t columns, uint32_t scale, uint8_t **png, size_t *n_bytes,
                            struct kl_error *err)
{
    uint32_t rows = (n + columns - 1) / columns, channels = dataset->channels;
    uint64_t width = (uint64_t)columns * dataset->width * scale;
    uint64_t height = (uint64_t)rows * dataset->height * scale;
    uint8_t *canvas = NULL;
    enum kl_status status;

    if (width > KL_PNG_SIDE_MAX || height > KL_PNG_SIDE_MAX || width * height > KL_PNG_AREA_MAX)
        return kl_fail(
            err, KL_ERR_USAGE,
            "the picture would be %llux%llu: it has at most %d pixels, %d a side; ask for "
            "fewer samples, columns or a smaller scale",
            (unsigned long long)width, (unsigned long long)height, KL_PNG_AREA_MAX,
            KL_PNG_SIDE_MAX);
    status = kl_alloc(&canvas, width * height, channels, "a picture", err);
    if (status)
        return status;
    for (uint32_t i = 0; i < n; i++) {
        size_t x = (size_t)(i % columns) * dataset->width * scale;
        size_t y = (size_t)(i / columns) * dataset->height * scale;

        place(dataset, images + i * kl_dataset_image_size(dataset), scale, width,
              canvas + (y * width + x) * channels);
    }
    status = kl_png_pixels(canvas, (uint32_t)width, (uint32_t)height, channels, png, n_bytes, err);
    free(canvas);
    return status;
}
