/* Drawings as SVG 1.1 on white, in px of 1/96 inch. A writer whose error sticks: callers append
 * without checking, and ask once at the end. Texts may be hostile: they are escaped. Internal to
 * api/figures/. */
#ifndef KL_API_FIGURES_SVG_H
#define KL_API_FIGURES_SVG_H

#include <stdint.h>
#include <stdio.h>

#include "core/base/error.h"

struct kl_svg {
    FILE *body; /* NULL once memory ran out */
    char *text;
    size_t n_bytes;
    double width;
};

/* Colours of the page's light theme. */
#define KL_INK "#17181b"
#define KL_SOFT "#5c5f66"
#define KL_LINE "#e0ded7"
#define KL_PALE "#a9a8a4"
#define KL_PLUS "#b65a00"
#define KL_MINUS "#1f66ad"
#define KL_LIT "#d67814"

/* The fixed hue of a class, ten in turn. */
const char *kl_class_colour(uint32_t class);

enum kl_anchor { KL_START, KL_MIDDLE, KL_END };

struct kl_letters {
    double size; /* px */
    const char *colour;
    int is_bold, is_mono;
    enum kl_anchor anchor;
};

/* Begins a drawing; kl_svg_end ends it, whatever happened. */
void kl_svg_begin(struct kl_svg *svg, double width);

/* A line of text with its baseline at y. */
void kl_svg_text(struct kl_svg *svg, double x, double y, struct kl_letters letters,
                 const char *text);
/* The same, cut to so many columns of a terminal (a letter of 10 px is some 5.6 px wide). */
void kl_svg_text_fit(struct kl_svg *svg, double x, double y, struct kl_letters letters,
                     const char *text, int columns);
/* A text turned by a quarter, reading upwards, with its baseline at x. */
void kl_svg_text_up(struct kl_svg *svg, double x, double y, struct kl_letters letters,
                    const char *text);
/* Several lines of at most so many columns, broken at spaces; returns how many there are. */
int kl_svg_paragraph(struct kl_svg *svg, double x, double y, struct kl_letters letters,
                     double leading, int columns, const char *text);

void kl_svg_rect(struct kl_svg *svg, double x, double y, double width, double height, double radius,
                 const char *colour, double opacity);
void kl_svg_line(struct kl_svg *svg, double x1, double y1, double x2, double y2, const char *colour,
                 double width);
/* n points; a NaN ends a line and begins another. */
void kl_svg_curve(struct kl_svg *svg, uint32_t n, const double *x, const double *y,
                  const char *colour, double width);
/* A PNG, kept sharp where it is enlarged. */
void kl_svg_image(struct kl_svg *svg, double x, double y, double width, double height,
                  const uint8_t *png, size_t n_bytes, const char *alternative);

/* The whole drawing, so high, called title: *text (n_bytes and a NUL) is the caller's to free.
 * Errors: KL_ERR_MEMORY. */
enum kl_status kl_svg_end(struct kl_svg *svg, double height, const char *title, char **text,
                          size_t *n_bytes, struct kl_error *err);

/* A PNG of more pixels is nobody's figure: 2160 wide, that is 1.2 m of paper. */
#define KL_FIGURE_PIXELS_MAX 32e6

/* Draws an SVG of kl_svg_end as a PNG, each px enlarged to scale: *png is the caller's to free.
 * Thread-safe. Errors: KL_ERR_USAGE (too large), KL_ERR_MEMORY. */
enum kl_status kl_svg_to_png(const char *text, size_t n_bytes, double scale, uint8_t **png,
                             size_t *n_png, struct kl_error *err);

#endif
