#include "core/data/images/image_file.h"

#include <errno.h>
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "core/base/files.h"
#include "core/base/memory.h"
#include "core/data/images/gif.h"

#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_STATIC
/* Reported where the file ends: functions that stb declares and this file does not use. */
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#include <stb_image_resize.h>
#pragma GCC diagnostic pop

#define READ_BYTES (1 << 16)
#define SMALL_SIDE 64 /* up to here a size may be kept as it is: then what it looks like counts */
#define SPARE 4       /* JPEGs are decoded at no less than so many times the size wanted */

int kl_image_file_named(const char *name)
{
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".jpe",  ".jfif",
                                       ".gif", ".bmp", ".dib",  ".pnm",  ".pbm",
                                       ".pgm", ".ppm", ".tif",  ".tiff", ".webp"};
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < sizeof ends / sizeof ends[0]; i++)
        if (!strcasecmp(dot, ends[i]))
            return 1;
    return 0;
}

static enum kl_status unreadable(const char *path, const char *why, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_INPUT,
                   "%s is not an image that can be read (%.120s): replace it or take it out of the "
                   "folder",
                   path, why);
}

/* What a file is decoded for. */
struct decoding {
    uint32_t width, height; /* wanted; 0: only its header */
    int found_width, found_height;
    int is_too_large;
};

/* Called when a header is known. A large JPEG is decoded smaller, as its format allows. */
static void at_header(GdkPixbufLoader *loader, int width, int height, gpointer data)
{
    struct decoding *decoding = data;
    GdkPixbufFormat *format = gdk_pixbuf_loader_get_format(loader);
    gchar *name = format ? gdk_pixbuf_format_get_name(format) : NULL;
    int wide = (int)(decoding->width * SPARE), high = (int)(decoding->height * SPARE);

    if (decoding->found_width) { /* told again, of the size that was asked for */
        g_free(name);
        return;
    }
    decoding->found_width = width;
    decoding->found_height = height;
    decoding->is_too_large =
        width < 1 || height < 1 || width > KL_PICTURE_SIDE_MAX || height > KL_PICTURE_SIDE_MAX;
    if (decoding->is_too_large) {
        gdk_pixbuf_loader_set_size(loader, 0, 0); /* decode nothing */
    } else if (name && !strcmp(name, "jpeg") && wide && width > 2 * wide && height > 2 * high) {
        double factor = (double)wide / width > (double)high / height ? (double)wide / width
                                                                     : (double)high / height;

        gdk_pixbuf_loader_set_size(loader, (int)(factor * width) + 1, (int)(factor * height) + 1);
    }
    g_free(name);
}

static enum kl_status too_large(const char *path, const struct decoding *decoding,
                                struct kl_error *err)
{
    return kl_fail(err, KL_ERR_INPUT,
                   "%s is %d x %d pixels: a side is at most %d; make it smaller or take it out of "
                   "the folder",
                   path, decoding->found_width, decoding->found_height, KL_PICTURE_SIDE_MAX);
}

/* Feeds the file to the loader, or only as much of it as its header takes. */
static enum kl_status feed(GdkPixbufLoader *loader, const char *path, struct decoding *decoding,
                           struct kl_error *err)
{
    FILE *file = NULL;
    guchar *bytes = NULL;
    GError *error = NULL;
    size_t n = 1, total = 0;
    enum kl_status status = kl_file_open(path, &file, err);

    if (status)
        return err->status = KL_ERR_INPUT; /* as everything that is wrong with one picture */
    decoding->is_too_large = kl_gif_has_frame_above(
        file, KL_PICTURE_SIDE_MAX, &decoding->found_width, &decoding->found_height);
    status = kl_alloc(&bytes, READ_BYTES, 1, "a file", err);
    while (!status && n && !decoding->is_too_large && (decoding->width || !decoding->found_width)) {
        n = fread(bytes, 1, READ_BYTES, file);
        total += n;
        if (n && !gdk_pixbuf_loader_write(loader, bytes, n, &error))
            break;
    }
    if (!status && ferror(file))
        status = kl_fail(err, KL_ERR_INPUT, "cannot read %s: %s", path, strerror(errno));
    else if (!status && decoding->is_too_large)
        status = too_large(path, decoding, err);
    else if (!status && error)
        status = unreadable(path, error->message, err);
    else if (!status && total == 0)
        status = unreadable(path, "it is empty", err);
    g_clear_error(&error);
    free(bytes);
    fclose(file);
    return status;
}

/* Decodes a file as decoding says: *picture, as it is stored, is the caller's to unref; of a header
 * alone it is NULL. */
static enum kl_status decode(const char *path, struct decoding *decoding, GdkPixbuf **picture,
                             struct kl_error *err)
{
    GdkPixbufLoader *loader = gdk_pixbuf_loader_new();
    GdkPixbuf *found;
    GError *error = NULL;
    enum kl_status status;

    *picture = NULL;
    g_signal_connect(loader, "size-prepared", G_CALLBACK(at_header), decoding);
    status = feed(loader, path, decoding, err);
    if (status || (decoding->found_width && !decoding->width)) {
        gdk_pixbuf_loader_close(loader, NULL);
        goto out;
    }
    if (!gdk_pixbuf_loader_close(loader, &error)) /* where small files are begun only */
        status = unreadable(path, error ? error->message : "it is cut off", err);
    if (decoding->is_too_large)
        status = too_large(path, decoding, err);
    if (status)
        goto out;
    found = gdk_pixbuf_loader_get_pixbuf(loader);
    *picture = found ? g_object_ref(found) : NULL;
    if (!*picture)
        status = unreadable(path, "nothing is in it", err);
out:
    g_clear_error(&error);
    g_object_unref(loader);
    return status;
}

/* Whether it is to be turned by a quarter: EXIF's orientations 5 to 8. */
static int lies_on_its_side(GdkPixbuf *picture)
{
    const char *orientation = gdk_pixbuf_get_option(picture, "orientation");

    return orientation && *orientation >= '5' && *orientation <= '8';
}

enum kl_status kl_image_file_size(const char *path, uint32_t *width, uint32_t *height,
                                  struct kl_error *err)
{
    struct decoding decoding = {0};
    GdkPixbuf *picture = NULL;
    enum kl_status status = decode(path, &decoding, &picture, err);

    if (status)
        return status;
    *width = (uint32_t)decoding.found_width;
    *height = (uint32_t)decoding.found_height;
    if (*width != *height && *width <= SMALL_SIDE && *height <= SMALL_SIDE) {
        decoding = (struct decoding){.width = *width, .height = *height};
        status = decode(path, &decoding, &picture, err);
        if (!status && lies_on_its_side(picture)) {
            *width = (uint32_t)decoding.found_height;
            *height = (uint32_t)decoding.found_width;
        }
    }
    g_clear_object(&picture);
    return status;
}

/* Takes rows of n numbers a pixel apart into planes; the last of four is transparency. */
static enum kl_status take_planes(const uint8_t *image, size_t stride, int n, uint32_t width,
                                  uint32_t height, uint8_t *pixels, uint8_t **alpha,
                                  struct kl_error *err)
{
    size_t area = (size_t)width * height;
    uint8_t *transparency = NULL;
    int has_alpha = 0;
    enum kl_status status = n == 4 ? kl_alloc(&transparency, area, 1, "an image", err) : KL_OK;

    if (status)
        return status;
    for (uint32_t y = 0; y < height; y++)
        for (uint32_t x = 0; x < width; x++) {
            const uint8_t *pixel = image + y * stride + x * (size_t)n;
            size_t at = (size_t)y * width + x;

            for (size_t c = 0; c < 3; c++)
                pixels[c * area + at] = pixel[c];
            if (transparency) {
                transparency[at] = pixel[3];
                has_alpha |= pixel[3] != 255;
            }
        }
    if (has_alpha) {
        *alpha = transparency;
    } else {
        free(transparency);
        *alpha = NULL;
    }
    return KL_OK;
}

/* The picture at w x h pixels as it is stored; NULL: memory ran out. */
static GdkPixbuf *resize(GdkPixbuf *picture, int w, int h)
{
    const char *orientation = gdk_pixbuf_get_option(picture, "orientation");
    int n = gdk_pixbuf_get_n_channels(picture);
    GdkPixbuf *resized;

    if (gdk_pixbuf_get_width(picture) == w && gdk_pixbuf_get_height(picture) == h)
        return g_object_ref(picture); /* the filter would blur it */
    resized = gdk_pixbuf_new(GDK_COLORSPACE_RGB, n == 4, 8, w, h);
    if (resized && !stbir_resize_uint8_generic(
                       gdk_pixbuf_read_pixels(picture), gdk_pixbuf_get_width(picture),
                       gdk_pixbuf_get_height(picture), gdk_pixbuf_get_rowstride(picture),
                       gdk_pixbuf_get_pixels(resized), w, h, gdk_pixbuf_get_rowstride(resized), n,
                       n == 4 ? 3 : STBIR_ALPHA_CHANNEL_NONE, 0, STBIR_EDGE_CLAMP,
                       STBIR_FILTER_DEFAULT, STBIR_COLORSPACE_LINEAR, NULL))
        g_clear_object(&resized);
    if (resized && orientation)
        gdk_pixbuf_set_option(resized, "orientation", orientation);
    return resized;
}

enum kl_status kl_image_file_read(const char *path, uint32_t width, uint32_t height,
                                  uint8_t *pixels, uint8_t **alpha, struct kl_error *err)
{
    struct decoding decoding = {.width = width, .height = height};
    GdkPixbuf *picture = NULL, *resized, *upright = NULL;
    int is_turned;
    enum kl_status status = decode(path, &decoding, &picture, err);

    if (status)
        return status;
    is_turned = lies_on_its_side(picture);
    resized = resize(picture, (int)(is_turned ? height : width), (int)(is_turned ? width : height));
    if (resized)
        upright = gdk_pixbuf_apply_embedded_orientation(resized);
    if (upright)
        status =
            take_planes(gdk_pixbuf_read_pixels(upright), (size_t)gdk_pixbuf_get_rowstride(upright),
                        gdk_pixbuf_get_n_channels(upright), width, height, pixels, alpha, err);
    else
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory to resize %s", path);
    g_clear_object(&upright);
    g_clear_object(&resized);
    g_object_unref(picture);
    return status;
}
