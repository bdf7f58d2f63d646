/* Drawings as PNG: librsvg draws them, stb_image_write writes them. */
#include <librsvg/rsvg.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/figures/svg.h"
#include "api/png.h"
#include "core/base/memory.h"

static enum kl_status draw(const char *text, size_t n_bytes, cairo_surface_t *surface, double width,
                           double height, struct kl_error *err)
{
    RsvgRectangle area = {0, 0, width, height};
    GError *error = NULL;
    RsvgHandle *handle = rsvg_handle_new_from_data((const guint8 *)text, n_bytes, &error);
    cairo_t *cairo = cairo_create(surface);
    int failed;
    enum kl_status status;

    cairo_set_source_rgb(cairo, 1, 1, 1); /* what a rounded side leaves over */
    cairo_paint(cairo);
    failed = !handle || !rsvg_handle_render_document(handle, cairo, &area, &error) ||
             cairo_status(cairo) != CAIRO_STATUS_SUCCESS;
    status = failed ? kl_fail(err, KL_ERR_MEMORY,
                              "not enough memory to draw the figure as PNG: ask for SVG")
                    : KL_OK;

    cairo_destroy(cairo);
    g_clear_error(&error);
    g_clear_object(&handle);
    return status;
}

/* cairo's pixels, blue first in memory and opaque here, as red, green and blue. */
static void take_pixels(cairo_surface_t *surface, int width, int height, uint8_t *rgb)
{
    const uint8_t *rows = cairo_image_surface_get_data(surface);
    size_t stride = (size_t)cairo_image_surface_get_stride(surface);

    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            uint32_t pixel = ((const uint32_t *)(const void *)(rows + (size_t)y * stride))[x];

            *rgb++ = (uint8_t)(pixel >> 16);
            *rgb++ = (uint8_t)(pixel >> 8);
            *rgb++ = (uint8_t)pixel;
        }
}

static double number_after(const char *text, const char *name)
{
    const char *at = strstr(text, name);

    return at ? strtod(at + strlen(name), NULL) : 0;
}

enum kl_status kl_svg_to_png(const char *text, size_t n_bytes, double scale, uint8_t **png,
                             size_t *n_png, struct kl_error *err)
{
    double exact_width = scale * number_after(text, " width=\"");
    double exact_height = scale * number_after(text, " height=\"");
    int width, height;
    cairo_surface_t *surface;
    uint8_t *rgb = NULL;
    enum kl_status status = KL_OK;

    if (!(exact_width >= 1) || !(exact_height >= 1) ||
        exact_width * exact_height > KL_FIGURE_PIXELS_MAX)
        return kl_fail(err, KL_ERR_USAGE, "the figure is too large for a PNG: ask for SVG");
    width = (int)ceil(exact_width);
    height = (int)ceil(exact_height);
    surface = cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height);
    if (cairo_surface_status(surface) != CAIRO_STATUS_SUCCESS)
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for a figure");
    if (!status)
        status = draw(text, n_bytes, surface, exact_width, exact_height, err);
    if (!status)
        status = kl_alloc(&rgb, (size_t)width * (size_t)height, 3, "a figure", err);
    if (!status) {
        cairo_surface_flush(surface);
        take_pixels(surface, width, height, rgb);
        status = kl_png_pixels(rgb, (uint32_t)width, (uint32_t)height, 3, png, n_png, err);
    }
    cairo_surface_destroy(surface);
    free(rgb);
    return status;
}
