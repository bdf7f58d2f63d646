#include "api/figures/figure.h"

#include <stdlib.h>
#include <string.h>

#include "api/figures/drawing.h"
#include "core/explain/text/attention_map.h"

#define PRINT_SCALE 3.0 /* a PNG has 288 pixels to the inch */
#define HITS_MAX 100    /* of a spotlight: a page of them */
#define HEAT_COLUMNS 24 /* positions of a heat map, and how many tokens it reads */
#define HEAT_CHARACTERS 48
#define HEAT_WORDS 32

/* OF_IMAGES: and of samples that words describe */
enum { OF_IMAGES = 1, OF_TEXT = 2, OF_BOTH = 3 };

#define ASKS_TOTALS (KL_ASKS_LAYER | KL_ASKS_RANK)
#define ASKS_ALL (KL_ASKS_LAYER | KL_ASKS_RANK | KL_ASKS_BY | KL_ASKS_CLASS)

struct kl_figure {
    const char *name, *title, *text_title; /* of a run of text, or NULL: the same */
    int kinds;                             /* OF_IMAGES, OF_TEXT */
    unsigned parts;                        /* of the answer, besides its logits */
    unsigned asks;                         /* KL_ASKS_...: what it depends on */
    int has_strips, has_map;
    int has_head; /* or all is the figure's own */
    double scale; /* of its PNG */
    enum kl_status (*draw)(struct kl_drawing *drawing, struct kl_error *err);
};

static const struct kl_figure figures[] = {
    {"strips", "What argued for the answer, and what against", NULL, OF_BOTH, 0, 0, 1, 0, 1,
     PRINT_SCALE, kl_draw_strips},
    {"answer", "The answer: probabilities and logits", NULL, OF_BOTH, 0, 0, 0, 0, 1, PRINT_SCALE,
     kl_draw_logits},
    {"card", "The answer and what argued for and against it", NULL, OF_IMAGES, 0, 0, 1, 0, 0, 1,
     kl_draw_card},
    {"spotlight", "The spotlight", NULL, OF_BOTH, KL_ANSWER_SPOTLIGHT, ASKS_ALL, 0, 0, 1,
     PRINT_SCALE, kl_draw_spotlight},
    {"classes", "Attention by class", "Attention by what followed", OF_BOTH, KL_ANSWER_CLASSES,
     KL_ASKS_LAYER, 0, 0, 1, PRINT_SCALE, kl_draw_classes},
    {"curves", "The 500 strongest of each class", "The 500 strongest of each", OF_BOTH,
     KL_ANSWER_CURVES, KL_ASKS_LAYER, 0, 0, 1, PRINT_SCALE, kl_draw_curves},
    {"time", "Attention over training time", NULL, OF_BOTH, KL_ANSWER_TIME | KL_ANSWER_CLASSES,
     KL_ASKS_LAYER, 0, 0, 1, PRINT_SCALE, kl_draw_time},
    {"layers", "Attention by class in every layer", NULL, OF_IMAGES, 0, 0, 0, 0, 1, PRINT_SCALE,
     kl_draw_layers},
    {"along", "Attention along the training text", NULL, OF_TEXT, KL_ANSWER_SAMPLES, KL_ASKS_LAYER,
     0, 0, 1, PRINT_SCALE, kl_draw_along},
    {"matrix", "Who taught which logit: classes", NULL, OF_IMAGES, KL_ANSWER_CLASSES, 0, 0, 0, 1,
     PRINT_SCALE, kl_draw_matrix},
    {"matrix-datasets", "Who taught which logit: data sets", NULL, OF_IMAGES, KL_ANSWER_CLASSES, 0,
     0, 0, 1, PRINT_SCALE, kl_draw_matrix_datasets},
    {"matrix-steps", "Who taught which logit: over time", NULL, OF_IMAGES, KL_ANSWER_CLASSES, 0, 0,
     0, 1, PRINT_SCALE, kl_draw_matrix_steps},
    {"learning", "How the answer was learned", NULL, OF_BOTH, KL_ANSWER_LEARNING, 0, 0, 0, 1,
     PRINT_SCALE, kl_draw_learning},
    {"totals", "Totals per training sample", NULL, OF_BOTH, KL_ANSWER_SAMPLES, ASKS_TOTALS, 0, 0, 1,
     PRINT_SCALE, kl_draw_totals},
    {"wall", "The wall: every training sample, lit by its total", NULL, OF_IMAGES,
     KL_ANSWER_SAMPLES | KL_ANSWER_CLASSES, ASKS_TOTALS, 0, 0, 1, PRINT_SCALE, kl_draw_wall},
    {"heat", "The passage as a heat map", NULL, OF_TEXT, 0, ASKS_TOTALS, 0, 1, 1, PRINT_SCALE,
     kl_draw_heat},
};

const struct kl_figure *kl_figure_at(uint32_t i)
{
    return i < sizeof figures / sizeof figures[0] ? &figures[i] : NULL;
}

const struct kl_figure *kl_figure_find(const char *name)
{
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        if (!strcmp(figures[i].name, name))
            return &figures[i];
    return NULL;
}

const char *kl_figure_name(const struct kl_figure *figure)
{
    return figure->name;
}

const char *kl_figure_title(const struct kl_figure *figure, enum kl_data_kind kind)
{
    return kind == KL_DATA_TEXT && figure->text_title ? figure->text_title : figure->title;
}

int kl_figure_is_of(const struct kl_figure *figure, enum kl_data_kind kind)
{
    return figure->kinds & (kind == KL_DATA_TEXT ? OF_TEXT : OF_IMAGES);
}

/* The map of what was read last, of a text. */
static enum kl_status find_map(struct kl_inquiry *inquiry, const struct kl_query *query,
                               const struct kl_run *run, struct kl_attention_map *map,
                               struct kl_error *err)
{
    const struct kl_subject *subject = &query->subject;
    uint32_t most =
        run->data.datasets[0]->corpus->kind == KL_TOKENS_CHARACTERS ? HEAT_CHARACTERS : HEAT_WORDS;
    uint32_t n = subject->n_tokens < most ? subject->n_tokens : most;
    struct kl_attention_map_query asked = {.tokens = subject->tokens,
                                           .n_before = subject->n_tokens - n,
                                           .n = n,
                                           .layer = query->layer,
                                           .rank = query->rank,
                                           .n_best = 1,
                                           .n_columns = HEAT_COLUMNS};

    if (!query->rank->row || query->rank->needs_lengths)
        return kl_fail_on(err, KL_ERR_USAGE, "rank",
                          "a heat map is ranked by abs, positive or negative");
    return kl_attention_map_find(kl_inquiry_pool(inquiry), &run->history, &asked, map, err);
}

static enum kl_status write(struct kl_drawing *drawing, const struct kl_figure_request *request,
                            uint8_t **bytes, size_t *n_bytes, struct kl_error *err)
{
    const struct kl_figure *figure = request->figure;
    enum kl_data_kind kind = kl_collection_kind(&drawing->run->data);
    char *text = NULL, title[700], subject[400];
    size_t n_text = 0;
    enum kl_status status;

    kl_name_subject(drawing, subject, sizeof subject);
    snprintf(title, sizeof title, "%s: %s", kl_figure_title(figure, kind), subject);
    status = kl_svg_end(&drawing->svg, drawing->y, title, &text, &n_text, err);
    if (status || !request->is_png) {
        *bytes = (uint8_t *)text;
        *n_bytes = n_text;
        return status;
    }
    status = kl_svg_to_png(text, n_text, figure->scale, bytes, n_bytes, err);
    free(text);
    return status;
}

enum kl_status kl_figure_draw(struct kl_run *run, struct kl_inquiry *inquiry,
                              const struct kl_figure_request *request, uint8_t **bytes,
                              size_t *n_bytes, struct kl_error *err)
{
    const struct kl_figure *figure = request->figure;
    struct kl_query query = *request->query;
    struct kl_answer answer = {0};
    struct kl_strips strips;
    struct kl_attention_map map = {0};
    struct kl_drawing drawing = {
        .y = 20, .run = run, .request = request, .answer = &answer, .inquiry = inquiry};
    enum kl_data_kind kind = kl_collection_kind(&run->data);
    struct kl_error ignored;
    enum kl_status status;

    if (!kl_figure_is_of(figure, kind))
        return kl_fail(err, KL_ERR_USAGE,
                       "'%s' is a figure of runs of %s, and this one is of %s: take another",
                       figure->name,
                       kl_data_kind_name(kind == KL_DATA_TEXT ? KL_DATA_IMAGES : KL_DATA_TEXT),
                       kl_data_kind_name(kind));
    if (query.top > HITS_MAX)
        query.top = HITS_MAX;
    query.parts = KL_ANSWER_LOGITS | figure->parts;
    query.removal = NULL;
    query.attention_alone = !query.rank->needs_dual; /* then no contribution is drawn */
    status = kl_attend_to(inquiry, &query, &answer, err);
    if (!status && figure->has_strips) {
        status = kl_strips_find(inquiry, query.target, &strips, err);
        drawing.strips = &strips;
    }
    if (!status && figure->has_map) {
        status = find_map(inquiry, &query, run, &map, err);
        drawing.map = &map;
    }
    kl_svg_begin(&drawing.svg, figure->has_head ? KL_FIGURE_WIDTH : KL_CARD_WIDTH);
    if (!status && figure->has_head)
        kl_draw_head(&drawing, kl_figure_title(figure, kind), figure->asks);
    if (!status)
        status = figure->draw(&drawing, err);
    if (!status)
        drawing.y += figure->has_head ? 14 : 0;
    if (status) {
        char *text;
        size_t n;

        if (!kl_svg_end(&drawing.svg, 0, "", &text, &n, &ignored)) /* to free it */
            free(text);
    } else {
        status = write(&drawing, request, bytes, n_bytes, err);
    }
    kl_attention_map_clear(&map);
    kl_answer_clear(&answer);
    return status;
}
