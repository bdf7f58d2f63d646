/* Line charts: axes with titles and round ticks, curves, a legend. Internal to api/figures/. */
#ifndef KL_API_FIGURES_PLOT_H
#define KL_API_FIGURES_PLOT_H

#include "api/figures/svg.h"

struct kl_plot {
    double x, y, width, height; /* of the field between the axes, in px */
    double low_x, high_x, low_y, high_y;
    const char *x_title, *y_title;
};

struct kl_plot_curve {
    const char *label; /* NULL: not in the legend */
    const char *colour;
    double width;
    uint32_t n;
    const double *x, *y; /* (n) */
};

/* Widens low_y and high_y so that they hold the curves, and 0 with margin_of_zero. */
void kl_plot_fit(struct kl_plot *plot, const struct kl_plot_curve *curves, uint32_t n,
                 int with_zero);

/* Draws axes, grid, ticks, titles, and the curves over them. Errors stick to the svg. */
void kl_plot_draw(struct kl_svg *svg, const struct kl_plot *plot,
                  const struct kl_plot_curve *curves, uint32_t n);

/* Names the curves in rows from y on, in so much width; returns where they end. */
double kl_plot_legend(struct kl_svg *svg, double x, double y, double width,
                      const struct kl_plot_curve *curves, uint32_t n);

#endif
