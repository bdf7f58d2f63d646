/* What every figure is drawn from, and the pieces that they share. Internal to api/figures/. */
#ifndef KL_API_FIGURES_DRAWING_H
#define KL_API_FIGURES_DRAWING_H

#include "api/figures/request.h"
#include "api/figures/svg.h"
#include "core/explain/strips.h"
#include "db/run.h"
#include "core/explain/text/attention_map.h"

#define KL_FIGURE_WIDTH 720.0 /* px: 190 mm, a page's width between its margins */
#define KL_FIGURE_MARGIN 24.0
#define KL_CARD_WIDTH 1200.0

struct kl_drawing {
    struct kl_svg svg;
    double y; /* where what comes next may begin */
    struct kl_run *run;
    const struct kl_figure_request *request;
    const struct kl_answer *answer;
    const struct kl_strips *strips; /* or NULL */
    struct kl_inquiry *inquiry;
    const struct kl_attention_map *map; /* or NULL */
};

/* Letters of 10 px. */
struct kl_letters kl_letters(double size, const char *colour, enum kl_anchor anchor);
struct kl_letters kl_letters_bold(double size, const char *colour, enum kl_anchor anchor);

/* What of a question a figure depends on; a set. */
enum { KL_ASKS_LAYER = 1, KL_ASKS_RANK = 2, KL_ASKS_BY = 4, KL_ASKS_CLASS = 8 };

/* The title, what was asked and what the network said, and of which run. */
void kl_draw_head(struct kl_drawing *drawing, const char *title, unsigned asks);
/* What stands for a hit under a ranking, with its own sign: its attention, its contribution, or its
 * score; *name says which. */
double kl_ranked_value(const struct kl_rank *rank, const struct kl_hit *hit, const char **name);
/* The run and the query in words: "test/fashion-mnist/12, labelled Sneaker". */
void kl_name_subject(const struct kl_drawing *drawing, char *text, size_t n_bytes);
void kl_name_verdict(const struct kl_drawing *drawing, char *text, size_t n_bytes);

/* A stored image (of an image run). Errors: KL_ERR_MEMORY, reading's. */
enum kl_status kl_draw_sample(struct kl_drawing *drawing, uint32_t sample, double x, double y,
                              double size, struct kl_error *err);
/* The image that is asked about. */
enum kl_status kl_draw_subject(struct kl_drawing *drawing, double x, double y, double size,
                               struct kl_error *err);

/* The figures: each draws from drawing->y on, and leaves it at its end. */
enum kl_status kl_draw_logits(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_strips(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_card(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_spotlight(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_places(struct kl_drawing *drawing, const struct kl_strip *strip);
enum kl_status kl_draw_text_spotlight(struct kl_drawing *drawing);
enum kl_status kl_draw_classes(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_curves(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_time(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_learning(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_totals(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_layers(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_along(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_matrix(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_matrix_datasets(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_matrix_steps(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_wall(struct kl_drawing *drawing, struct kl_error *err);
enum kl_status kl_draw_heat(struct kl_drawing *drawing, struct kl_error *err);

#endif
