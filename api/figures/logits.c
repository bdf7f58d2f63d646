/* The answer: how probable every output is, and of what its logit is made. */
#include <math.h>
#include <stdlib.h>

#include "api/figures/drawing.h"
#include "api/words.h"
#include "core/base/memory.h"
#include "core/base/top.h"

#define ROWS_MAX 24 /* outputs that are told; of more, the most probable */
#define ROW 19.0

/* Where a logit stands on the figure's axis. */
struct axis {
    double left, scale, low;
};

static double at(const struct axis *axis, double logit)
{
    return axis->left + (logit - axis->low) * axis->scale;
}

/* From the initial guess what training added or took, up to the logit. */
static void draw_row(struct kl_drawing *drawing, const struct axis *axis, uint32_t output, double y)
{
    const struct kl_answer *answer = drawing->answer;
    struct kl_svg *svg = &drawing->svg;
    double guess = answer->initial_guess[output], logit = (double)answer->logits[output];
    double zero = at(axis, 0), first = at(axis, guess), end = at(axis, logit);
    int has_parts = drawing->run->history.has_dual;
    char word[KL_WORD_BYTES], name[200];

    kl_word_output(drawing->run, output, name, sizeof name);
    kl_svg_text_fit(svg, KL_FIGURE_MARGIN + 130, y + 12,
                    output == answer->predicted ? kl_letters_bold(11, KL_INK, KL_END)
                                                : kl_letters(11, KL_INK, KL_END),
                    name, 22);
    kl_svg_text(svg, KL_FIGURE_MARGIN + 184, y + 12, kl_letters(10, KL_INK, KL_END),
                kl_word_percent((double)answer->probabilities[output], 1, word));
    if (has_parts) {
        kl_svg_rect(svg, fmin(zero, first), y + 3, fabs(first - zero), 5, 1, KL_PALE, 1);
        kl_svg_rect(svg, fmin(first, end), y + 9, fabs(end - first), 5, 1,
                    end < first ? KL_MINUS : KL_PLUS, 1);
    } else {
        kl_svg_rect(svg, fmin(zero, end), y + 5, fabs(end - zero), 7, 1, KL_PALE, 1);
    }
    kl_svg_text(svg, KL_FIGURE_WIDTH - KL_FIGURE_MARGIN, y + 12, kl_letters(10, KL_INK, KL_END),
                kl_word_short(logit, word));
}

static struct axis fit(const struct kl_answer *answer, const uint32_t *list, uint32_t n)
{
    double low = 0, high = 0, left = KL_FIGURE_MARGIN + 200;

    for (uint32_t i = 0; i < n; i++) {
        low = fmin(low, fmin(answer->initial_guess[list[i]], (double)answer->logits[list[i]]));
        high = fmax(high, fmax(answer->initial_guess[list[i]], (double)answer->logits[list[i]]));
    }
    return (struct axis){
        left, (KL_FIGURE_WIDTH - KL_FIGURE_MARGIN - 60 - left) / fmax(high - low, 1e-9), low};
}

static void draw_legend(struct kl_drawing *drawing, double left)
{
    static const struct {
        const char *name, *colour;
    } parts[] = {{"initial guess", KL_PALE},
                 {"what training added", KL_PLUS},
                 {"what training took", KL_MINUS}};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        kl_svg_rect(&drawing->svg, left + 140 * (double)i, drawing->y + 4, 12, 6, 1,
                    parts[i].colour, 1);
        kl_svg_text(&drawing->svg, left + 17 + 140 * (double)i, drawing->y + 11,
                    kl_letters(10, KL_SOFT, KL_START), parts[i].name);
    }
    drawing->y += 20;
}

enum kl_status kl_draw_logits(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_answer *answer = drawing->answer;
    struct kl_top top = {NULL, 0, ROWS_MAX};
    uint32_t list[ROWS_MAX], n = 0;
    struct axis axis;
    enum kl_status status = kl_alloc(&top.items, ROWS_MAX, sizeof *top.items, "a figure", err);

    if (status)
        return status;
    for (uint32_t j = 0; j < answer->n_logits; j++) {
        if (answer->n_logits <= ROWS_MAX)
            list[n++] = j;
        else
            kl_top_offer(&top, (double)answer->probabilities[j], j);
    }
    kl_top_sort(&top);
    for (uint32_t i = 0; i < top.n; i++)
        list[n++] = (uint32_t)top.items[i].index;
    free(top.items);
    axis = fit(answer, list, n);
    kl_svg_text(&drawing->svg, KL_FIGURE_MARGIN + 184, drawing->y + 4,
                kl_letters(10, KL_SOFT, KL_END), "probability");
    kl_svg_text(&drawing->svg, KL_FIGURE_WIDTH - KL_FIGURE_MARGIN, drawing->y + 4,
                kl_letters(10, KL_SOFT, KL_END), "logit");
    drawing->y += 10;
    kl_svg_line(&drawing->svg, at(&axis, 0), drawing->y, at(&axis, 0), drawing->y + n * ROW,
                KL_LINE, 1);
    for (uint32_t i = 0; i < n; i++)
        draw_row(drawing, &axis, list[i], drawing->y + i * ROW);
    drawing->y += n * ROW + 6;
    if (drawing->run->history.has_dual)
        draw_legend(drawing, axis.left);
    return KL_OK;
}
