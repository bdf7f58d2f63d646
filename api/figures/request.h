/* Which figure is wanted, of what. */
#ifndef KL_API_FIGURES_REQUEST_H
#define KL_API_FIGURES_REQUEST_H

#include "core/explain/attention.h"

struct kl_figure; /* one kind of figure: api/figures/figure.h */

struct kl_figure_request {
    const struct kl_figure *figure;
    int is_png;                   /* or SVG */
    int64_t sample;               /* the stored sample that is asked about; -1: what was given */
    const struct kl_query *query; /* its parts are the figure's own */
};

#endif
