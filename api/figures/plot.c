#include "api/figures/plot.h"

#include <math.h>
#include <stdlib.h>

#include "api/figures/drawing.h"
#include "api/words.h"
#include "core/base/unicode.h"

#define TICKS 5
#define LETTER 5.6 /* px of a letter of 10 px, about */

/* A round step of which about n make up a range: 1, 2 or 5 times a power of ten. */
static double round_step(double range, int n)
{
    double raw = range / n, power = pow(10, floor(log10(raw))), part = raw / power;

    return power * (part < 1.5 ? 1 : part < 3.5 ? 2 : part < 7.5 ? 5 : 10);
}

void kl_plot_fit(struct kl_plot *plot, const struct kl_plot_curve *curves, uint32_t n,
                 int with_zero)
{
    double low = with_zero ? 0 : INFINITY, high = with_zero ? 0 : -INFINITY, step;

    for (uint32_t c = 0; c < n; c++)
        for (uint32_t i = 0; i < curves[c].n; i++)
            if (isfinite(curves[c].y[i])) {
                low = fmin(low, curves[c].y[i]);
                high = fmax(high, curves[c].y[i]);
            }
    if (!(high > low)) {
        low = isfinite(low) ? low : 0;
        high = low + 1;
    }
    step = round_step(high - low, TICKS);
    plot->low_y = step * floor(low / step);
    plot->high_y = step * ceil(high / step);
}

static double at_x(const struct kl_plot *plot, double value)
{
    return plot->x + plot->width * (value - plot->low_x) / (plot->high_x - plot->low_x);
}

static double at_y(const struct kl_plot *plot, double value)
{
    return plot->y + plot->height * (plot->high_y - value) / (plot->high_y - plot->low_y);
}

static void draw_axes(struct kl_svg *svg, const struct kl_plot *plot)
{
    double step = round_step(plot->high_y - plot->low_y, TICKS);
    char word[KL_WORD_BYTES];

    for (double v = step * ceil(plot->low_y / step - 1e-9); v <= plot->high_y + step * 1e-9;
         v += step) {
        double value = fabs(v) < step * 1e-9 ? 0 : v;

        kl_svg_line(svg, plot->x, at_y(plot, v), plot->x + plot->width, at_y(plot, v), KL_LINE, 1);
        kl_svg_text(svg, plot->x - 6, at_y(plot, v) + 3.5, kl_letters(10, KL_SOFT, KL_END),
                    kl_word_short(value, word));
    }
    step = round_step(plot->high_x - plot->low_x, 6);
    step = step < 1 ? 1 : step; /* ranks, steps and positions are whole numbers */
    for (double v = step * ceil(plot->low_x / step - 1e-9); v <= plot->high_x + step * 1e-9;
         v += step) {
        kl_svg_line(svg, at_x(plot, v), plot->y + plot->height, at_x(plot, v),
                    plot->y + plot->height + 4, KL_PALE, 1);
        kl_svg_text(svg, at_x(plot, v), plot->y + plot->height + 15,
                    kl_letters(10, KL_SOFT, KL_MIDDLE), kl_word_count((uint64_t)(v + 0.5), word));
    }
    kl_svg_line(svg, plot->x, plot->y + plot->height, plot->x + plot->width, plot->y + plot->height,
                KL_PALE, 1);
    kl_svg_text(svg, plot->x + plot->width / 2, plot->y + plot->height + 31,
                kl_letters(11, KL_INK, KL_MIDDLE), plot->x_title);
    kl_svg_text_up(svg, plot->x - 48, plot->y + plot->height / 2, kl_letters(11, KL_INK, KL_MIDDLE),
                   plot->y_title);
}

void kl_plot_draw(struct kl_svg *svg, const struct kl_plot *plot,
                  const struct kl_plot_curve *curves, uint32_t n)
{
    draw_axes(svg, plot);
    for (uint32_t c = n; c-- > 0;) { /* the first is what matters: on top */
        double *points = malloc(2 * (curves[c].n + 1) * sizeof *points);

        if (!points) {
            if (svg->body)
                fclose(svg->body);
            svg->body = NULL;
            return;
        }
        for (uint32_t i = 0; i < curves[c].n; i++) {
            points[i] = at_x(plot, curves[c].x[i]);
            points[curves[c].n + i] = at_y(plot, curves[c].y[i]);
        }
        kl_svg_curve(svg, curves[c].n, points, points + curves[c].n, curves[c].colour,
                     curves[c].width);
        free(points);
    }
}

double kl_plot_legend(struct kl_svg *svg, double x, double y, double width,
                      const struct kl_plot_curve *curves, uint32_t n)
{
    double at = x;

    for (uint32_t c = 0; c < n; c++) {
        double length;

        if (!curves[c].label)
            continue;
        length = 34 + LETTER * 1.05 * kl_unicode_columns(curves[c].label);
        if (at > x && at + length > x + width) {
            at = x;
            y += 15;
        }
        kl_svg_rect(svg, at, y - 6, 14, 4, 2, curves[c].colour, 1);
        kl_svg_text(svg, at + 19, y, kl_letters(10, KL_INK, KL_START), curves[c].label);
        at += length;
    }
    return y + 15;
}
