/* Training images in a row: the strips, the spotlight, and the card that a link shows. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/figures/drawing.h"
#include "api/words.h"

#define COLUMNS 10
#define GAP 8.0

/* One image with its class and a number under it, named, unless the name is NULL. */
static enum kl_status draw_hit(struct kl_drawing *drawing, const struct kl_hit *hit,
                               const char *name, double value, int is_signed, double x, double y,
                               double side, struct kl_error *err)
{
    const struct kl_run *run = drawing->run;
    struct kl_sample_place place = kl_collection_place(&run->data, hit->sample);
    const struct kl_dataset *dataset = run->data.datasets[place.dataset];
    uint32_t label = kl_collection_label(&run->data, hit->sample);
    int columns = (int)(side / 5.4) - 2;
    char number[KL_WORD_BYTES], times[24] = "";
    struct kl_svg *svg = &drawing->svg;
    enum kl_status status = kl_draw_sample(drawing, hit->sample, x, y, side, err);

    if (status)
        return status;
    kl_svg_rect(svg, x, y + side + 7, 6, 6, 3, kl_class_colour(label), 1);
    kl_svg_text_fit(svg, x + 9, y + side + 13.5, kl_letters_bold(9, KL_INK, KL_START),
                    kl_dataset_class_name(dataset, label), columns > 4 ? columns : 4);
    if (hit->repetitions > 1)
        snprintf(times, sizeof times, "\xc3\x97 %u", hit->repetitions);
    if (name)
        kl_svg_text(svg, x, y + side + 24, kl_letters(8.5, KL_SOFT, KL_START), name);
    kl_svg_text(svg, x + side, y + side + (name ? 24 : 25), kl_letters(8.5, KL_SOFT, KL_END),
                times);
    kl_svg_text(svg, x, y + side + (name ? 36 : 25),
                kl_letters(10, value < 0 ? KL_MINUS : KL_PLUS, KL_START),
                is_signed ? kl_word_signed(value, number) : kl_word_short(value, number));
    return KL_OK;
}

static enum kl_status draw_strip(struct kl_drawing *drawing, const struct kl_strip *strip, double x,
                                 double width, uint32_t columns, struct kl_error *err)
{
    double side = (width - (columns - 1) * GAP) / columns;
    int looks = strip->kind == KL_STRIP_LOOKS;
    char text[600];
    enum kl_status status = KL_OK;

    kl_strip_title(drawing->run, strip, text, sizeof text);
    kl_svg_text_fit(&drawing->svg, x, drawing->y + 12, kl_letters_bold(13, KL_INK, KL_START), text,
                    70);
    kl_strip_sentence(drawing->run, strip, text, sizeof text);
    drawing->y += 27 + 13 * (kl_svg_paragraph(&drawing->svg, x, drawing->y + 27,
                                              kl_letters(10, KL_SOFT, KL_START), 13,
                                              (int)(width / 5.2), text) -
                             1);
    drawing->y += 8;
    for (uint32_t i = 0; !status && i < strip->n && i < columns; i++)
        status = draw_hit(drawing, &strip->hits[i],
                          looks                             ? "attention"
                          : strip->hits[i].contribution < 0 ? "takes"
                                                            : "adds",
                          looks ? strip->hits[i].attention : strip->hits[i].contribution, !looks,
                          x + i * (side + GAP), drawing->y, side, err);
    drawing->y += strip->n ? side + 46 : 6;
    return status;
}

/* The logit of what it says, in words. */
static void draw_logit(struct kl_drawing *drawing, uint32_t output, double x, double y)
{
    const struct kl_answer *answer = drawing->answer;
    char name[120], guess[KL_WORD_BYTES], correction[KL_WORD_BYTES], logit[KL_WORD_BYTES],
        line[320];

    kl_word_output(drawing->run, output, name, sizeof name);
    snprintf(line, sizeof line, "logit of %s = %s (initial guess) %s (training) = %s", name,
             kl_word_short(answer->initial_guess[output], guess),
             kl_word_signed(answer->correction[output], correction),
             kl_word_short((double)answer->logits[output], logit));
    kl_svg_text_fit(&drawing->svg, x, y, kl_letters(11, KL_INK, KL_START), line, 100);
}

static enum kl_status draw_image_strips(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_answer *answer = drawing->answer;
    double side = 72, x = KL_FIGURE_MARGIN;
    enum kl_status status = kl_draw_subject(drawing, x, drawing->y, side, err);

    draw_logit(drawing, answer->predicted, x + side + 16, drawing->y + 30);
    if (answer->target != answer->predicted)
        draw_logit(drawing, answer->target, x + side + 16, drawing->y + 48);
    drawing->y += side + 18;
    for (uint32_t i = 0; !status && i < drawing->strips->n; i++)
        status = draw_strip(drawing, &drawing->strips->strips[i], x,
                            KL_FIGURE_WIDTH - 2 * KL_FIGURE_MARGIN, COLUMNS, err);
    return status;
}

enum kl_status kl_draw_strips(struct kl_drawing *drawing, struct kl_error *err)
{
    if (!kl_history_is_text(&drawing->run->history))
        return draw_image_strips(drawing, err);
    for (uint32_t i = 0; i < drawing->strips->n; i++)
        kl_draw_places(drawing, &drawing->strips->strips[i]);
    return KL_OK;
}

enum kl_status kl_draw_spotlight(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_answer *answer = drawing->answer;
    const struct kl_query *query = drawing->request->query;
    double side = (KL_FIGURE_WIDTH - 2 * KL_FIGURE_MARGIN - (COLUMNS - 1) * GAP) / COLUMNS;
    char line[300], count[KL_WORD_BYTES];
    const char *name = "";
    enum kl_status status = KL_OK;

    if (kl_history_is_text(&drawing->run->history))
        return kl_draw_text_spotlight(drawing);
    if (answer->n_hits)
        kl_ranked_value(query->rank, answer->spotlight, &name);
    snprintf(line, sizeof line, "the first %u of %s %s; under each image its %s", answer->n_hits,
             kl_word_count(answer->scores.count, count), query->by_sample ? "samples" : "patterns",
             name);
    kl_svg_text_fit(&drawing->svg, KL_FIGURE_MARGIN, drawing->y + 2,
                    kl_letters(10, KL_SOFT, KL_START), line, 125);
    drawing->y += 14;
    for (uint32_t i = 0; !status && i < answer->n_hits; i++)
        status = draw_hit(drawing, &answer->spotlight[i], NULL,
                          kl_ranked_value(query->rank, &answer->spotlight[i], &name), 1,
                          KL_FIGURE_MARGIN + i % COLUMNS * (side + GAP),
                          drawing->y + i / COLUMNS * (side + 46), side, err);
    drawing->y += ceil(answer->n_hits / (double)COLUMNS) * (side + 46);
    return status;
}

#define CARD_HEIGHT 630.0 /* the shape that chats and feeds show */

static enum kl_status draw_card_side(struct kl_drawing *drawing, struct kl_error *err)
{
    struct kl_svg *svg = &drawing->svg;
    char text[400], word[KL_WORD_BYTES];
    const struct kl_answer *answer = drawing->answer;
    enum kl_status status = KL_OK;

    kl_svg_rect(svg, 0, 0, 330, CARD_HEIGHT, 0, "#fbf4e8", 1);
    kl_svg_text(svg, 36, 52, kl_letters_bold(20, KL_PLUS, KL_START), "keylight");
    if (!kl_history_is_text(&drawing->run->history))
        status = kl_draw_subject(drawing, 36, 84, 258, err);
    kl_word_output(drawing->run, answer->predicted, text, sizeof text);
    kl_svg_text_fit(svg, 36, 394, kl_letters_bold(34, KL_INK, KL_START), text, 14);
    kl_svg_text(svg, 36, 428, kl_letters(20, KL_INK, KL_START),
                kl_word_percent((double)answer->probabilities[answer->predicted], 1, word));
    kl_name_subject(drawing, text, sizeof text);
    kl_svg_paragraph(svg, 36, 462, kl_letters(16, KL_SOFT, KL_START), 22, 32, text);
    snprintf(text, sizeof text, "run %s", drawing->run->training.name);
    kl_svg_text_fit(svg, 36, CARD_HEIGHT - 36, kl_letters(14, KL_SOFT, KL_START), text, 32);
    return status;
}

enum kl_status kl_draw_card(struct kl_drawing *drawing, struct kl_error *err)
{
    struct kl_svg *svg = &drawing->svg;
    double x = 366, side = 73, step = drawing->strips->n > 3 ? 149 : 190,
           y = drawing->strips->n > 3 ? 22 : 44;
    char text[300];
    enum kl_status status = draw_card_side(drawing, err);

    for (uint32_t i = 0; !status && i < drawing->strips->n; i++) {
        const struct kl_strip *strip = &drawing->strips->strips[i];

        kl_strip_title(drawing->run, strip, text, sizeof text);
        kl_svg_text_fit(svg, x, y + 14, kl_letters_bold(20, KL_INK, KL_START), text, 60);
        kl_strip_sentence(drawing->run, strip, text, sizeof text);
        kl_svg_text_fit(svg, x, y + 38, kl_letters(15, KL_SOFT, KL_START), text, 96);
        for (uint32_t k = 0; !status && k < strip->n; k++)
            status = kl_draw_sample(drawing, strip->hits[k].sample, x + k * (side + 9), y + 54,
                                    side, err);
        y += step;
    }
    drawing->y = CARD_HEIGHT;
    return status;
}
