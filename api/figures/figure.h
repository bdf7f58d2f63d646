/* Views as figures to take away: SVG or PNG, light, at print size, with axes, units and legend, the
 * run and the query named in the picture. What `keylight figure` writes and the API serves. */
#ifndef KL_API_FIGURES_FIGURE_H
#define KL_API_FIGURES_FIGURE_H

#include "api/figures/request.h"
#include "db/run.h"

/* Number i of the figures, NULL behind the last; that of a name ("curves"), or NULL. */
const struct kl_figure *kl_figure_at(uint32_t i);
const struct kl_figure *kl_figure_find(const char *name);

const char *kl_figure_name(const struct kl_figure *figure);
const char *kl_figure_title(const struct kl_figure *figure, enum kl_data_kind kind);
/* Whether it is there of a kind of data. */
int kl_figure_is_of(const struct kl_figure *figure, enum kl_data_kind kind);

/* Draws a figure of an inquiry's subject: *bytes (n_bytes) is the caller's to free. Thread-safe.
 * Errors: KL_ERR_USAGE (the run has no such figure), KL_ERR_MEMORY, those of kl_attend_to. */
enum kl_status kl_figure_draw(struct kl_run *run, struct kl_inquiry *inquiry,
                              const struct kl_figure_request *request, uint8_t **bytes,
                              size_t *n_bytes, struct kl_error *err);

#endif
