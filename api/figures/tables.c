/* Attention by class as bars, and who taught which logit as a matrix. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/figures/drawing.h"
#include "api/words.h"
#include "core/base/memory.h"
#include "core/base/top.h"
#include "core/explain/views/bins.h"

#define ROWS_MAX 24    /* classes that are told; of more, the largest */
#define COLUMNS_MAX 12 /* logits that are told */
#define ROW 19.0
#define STEP_RANGES 10 /* rows of a matrix by time, as on the page */

/* The most classes by |attention|, in their own order where all fit: *list (returned) is the
 * caller's to free. */
static uint32_t choose_classes(const struct kl_answer *answer, uint32_t **list,
                               struct kl_error *err)
{
    struct kl_top top = {NULL, 0, ROWS_MAX};
    uint32_t n = 0;

    if (kl_alloc(&top.items, ROWS_MAX, sizeof *top.items, "a figure", err) ||
        kl_alloc(list, ROWS_MAX, sizeof **list, "a figure", err)) {
        free(top.items);
        return 0;
    }
    for (uint32_t c = 0; c < answer->n_classes; c++) {
        if (answer->n_classes <= ROWS_MAX)
            (*list)[n++] = c;
        else
            kl_top_offer(&top, answer->by_class[c].sum_abs, c);
    }
    if (answer->n_classes > ROWS_MAX) {
        kl_top_sort(&top);
        for (uint32_t i = 0; i < top.n; i++)
            (*list)[n++] = (uint32_t)top.items[i].index;
    }
    free(top.items);
    return n;
}

static void name_class(const struct kl_drawing *drawing, uint32_t class, char *name, size_t n_bytes)
{
    if (kl_history_is_text(&drawing->run->history))
        kl_word_output(drawing->run, class, name, n_bytes);
    else
        kl_word_class(drawing->run, class, name, n_bytes);
}

enum kl_status kl_draw_classes(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_answer *answer = drawing->answer;
    struct kl_svg *svg = &drawing->svg;
    double left = KL_FIGURE_MARGIN + 150, width = 380, all = 0, most = 0;
    uint32_t *list = NULL, n = choose_classes(answer, &list, err);
    char word[KL_WORD_BYTES], name[200];

    if (!list)
        return err->status;
    for (uint32_t c = 0; c < answer->n_classes; c++) {
        all += answer->by_class[c].sum_abs;
        most = fmax(most, answer->by_class[c].sum_abs);
    }
    kl_svg_text(svg, left, drawing->y + 4, kl_letters(10, KL_SOFT, KL_START),
                kl_history_is_text(&drawing->run->history)
                    ? "share of the sum of |attention|, by what followed"
                    : "share of the sum of |attention|, by training class");
    kl_svg_text(svg, KL_FIGURE_WIDTH - KL_FIGURE_MARGIN, drawing->y + 4,
                kl_letters(10, KL_SOFT, KL_END), "sum of |attention|");
    drawing->y += 14;
    for (uint32_t i = 0; i < n; i++) {
        double sum = answer->by_class[list[i]].sum_abs, y = drawing->y + i * ROW;

        name_class(drawing, list[i], name, sizeof name);
        kl_svg_text_fit(svg, left - 8, y + 12, kl_letters(11, KL_INK, KL_END), name, 24);
        kl_svg_rect(svg, left, y + 4, most > 0 ? width * sum / most : 0, 10, 2,
                    kl_class_colour(list[i]), 1);
        kl_svg_text(svg, left + (most > 0 ? width * sum / most : 0) + 6, y + 12,
                    kl_letters(10, KL_SOFT, KL_START),
                    kl_word_percent(all > 0 ? sum / all : 0, 1, word));
        kl_svg_text(svg, KL_FIGURE_WIDTH - KL_FIGURE_MARGIN, y + 12, kl_letters(10, KL_INK, KL_END),
                    kl_word_short(sum, word));
    }
    drawing->y += n * ROW + 6;
    free(list);
    return KL_OK;
}

enum kl_status kl_draw_layers(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_shape *shape = &drawing->run->training.shape;
    const struct kl_answer *whole = drawing->answer;
    struct kl_query query = *drawing->request->query;
    enum kl_status status = KL_OK;

    query.parts = KL_ANSWER_CLASSES;
    query.removal = NULL;
    for (query.layer = 1; !status && query.layer <= shape->n_layers; query.layer++) {
        struct kl_answer answer = {0};
        char line[80];

        status = kl_attend_to(drawing->inquiry, &query, &answer, err);
        if (status)
            break;
        snprintf(line, sizeof line, "Layer %u: %u inputs, %u outputs", query.layer,
                 shape->inputs[query.layer - 1], shape->outputs[query.layer - 1]);
        kl_svg_text(&drawing->svg, KL_FIGURE_MARGIN, drawing->y + 8,
                    kl_letters_bold(12, KL_INK, KL_START), line);
        drawing->y += 24;
        drawing->answer = &answer;
        status = kl_draw_classes(drawing, err);
        drawing->answer = whole;
        drawing->y += 14;
        kl_answer_clear(&answer);
    }
    return status;
}

/* The predicted output, the target, and the others, as far as there is room: in their own order. */
static uint32_t choose_logits(const struct kl_answer *answer, uint32_t outputs[COLUMNS_MAX])
{
    uint32_t n = 0, others = COLUMNS_MAX - (answer->target == answer->predicted ? 1 : 2);

    for (uint32_t j = 0; j < answer->n_logits; j++) {
        if (j != answer->predicted && j != answer->target && answer->n_logits > COLUMNS_MAX) {
            if (others == 0)
                continue;
            others--;
        }
        outputs[n++] = j;
    }
    return n;
}

static void draw_cell(struct kl_svg *svg, double x, double y, double width, double value,
                      double most)
{
    char word[KL_WORD_BYTES];

    kl_svg_rect(svg, x + 1, y + 1, width - 2, ROW - 2, 3, value < 0 ? KL_MINUS : KL_PLUS,
                most > 0 ? 0.55 * fabs(value) / most : 0);
    kl_svg_text(svg, x + width / 2, y + 13, kl_letters(9, KL_INK, KL_MIDDLE),
                kl_word_short(value, word));
}

/* The rows of a matrix: what taught, and how much of each logit. */
struct rows {
    uint32_t n;
    char (*names)[KL_NAME_MAX + 40]; /* (n) */
    double *values;                  /* (n, n_logits) */
};

static enum kl_status begin_rows(struct rows *rows, uint32_t n, uint32_t n_logits,
                                 struct kl_error *err)
{
    enum kl_status status = kl_alloc(&rows->names, n, sizeof *rows->names, "a figure", err);

    rows->n = n;
    return status ? status
                  : kl_alloc(&rows->values, (size_t)n * n_logits, sizeof(double), "a figure", err);
}

static void end_rows(struct rows *rows)
{
    free(rows->names);
    free(rows->values);
}

static enum kl_status rows_by_class(const struct kl_drawing *drawing, struct rows *rows,
                                    struct kl_error *err)
{
    const struct kl_answer *answer = drawing->answer;
    size_t m = answer->n_logits;
    uint32_t *list = NULL, n = choose_classes(answer, &list, err);
    enum kl_status status = list ? begin_rows(rows, n, answer->n_logits, err) : err->status;

    for (uint32_t i = 0; !status && i < n; i++) {
        name_class(drawing, list[i], rows->names[i], sizeof rows->names[i]);
        memcpy(rows->values + i * m, answer->contributions->by_class + list[i] * m,
               m * sizeof(double));
    }
    free(list);
    return status;
}

/* By ranges of steps (n_ranges), or (0) by data set. */
static enum kl_status rows_by_bin(const struct kl_drawing *drawing, uint32_t n_ranges,
                                  struct rows *rows, struct kl_error *err)
{
    const struct kl_run *run = drawing->run;
    const struct kl_history *history = &run->history;
    uint32_t n_bins = kl_n_bins(history), n_datasets = run->data.n_datasets;
    uint32_t size = n_ranges ? (n_bins + n_ranges - 1) / n_ranges : n_bins;
    uint32_t n = n_ranges ? (n_bins + size - 1) / size : n_datasets;
    size_t m = drawing->answer->n_logits;
    const double *from = drawing->answer->contributions->by_bin;
    enum kl_status status = begin_rows(rows, n, (uint32_t)m, err);

    if (status)
        return status;
    for (uint32_t b = 0; b < n_bins; b++)
        for (uint32_t d = 0; d < n_datasets; d++, from += m)
            for (size_t j = 0; j < m; j++)
                rows->values[(n_ranges ? b / size : d) * m + j] += from[j];
    for (uint32_t i = 0; i < n; i++) {
        uint32_t end = (i + 1) * size;

        if (n_ranges)
            snprintf(rows->names[i], sizeof rows->names[i], "steps %u to %u",
                     kl_bin_first_step(history, i * size),
                     end < n_bins ? kl_bin_first_step(history, end) - 1 : history->n_steps);
        else
            snprintf(rows->names[i], sizeof rows->names[i], "%s", run->data.datasets[i]->name);
    }
    return KL_OK;
}

/* What the columns come to: correction, initial guess, logit. Returns the y below. */
static double draw_sums(struct kl_drawing *drawing, const uint32_t *outputs, uint32_t m,
                        double left, double width, double y)
{
    static const char *const names[] = {"correction", "+ initial guess", "= logit"};
    const struct kl_answer *answer = drawing->answer;
    struct kl_svg *svg = &drawing->svg;

    kl_svg_line(svg, left, y + 2, left + m * width, y + 2, KL_PALE, 1);
    for (int row = 0; row < 3; row++) {
        y += ROW;
        kl_svg_text(svg, left - 8, y, kl_letters(10, KL_SOFT, KL_END), names[row]);
        for (uint32_t k = 0; k < m; k++) {
            double value = row == 0   ? answer->correction[outputs[k]]
                           : row == 1 ? answer->initial_guess[outputs[k]]
                                      : (double)answer->logits[outputs[k]];
            char word[KL_WORD_BYTES];

            kl_svg_text(svg, left + (k + 0.5) * width, y, kl_letters(9, KL_SOFT, KL_MIDDLE),
                        kl_word_short(value, word));
        }
    }
    return y;
}

static void draw_matrix(struct kl_drawing *drawing, const struct rows *rows, const char *what)
{
    const struct kl_answer *answer = drawing->answer;
    struct kl_svg *svg = &drawing->svg;
    uint32_t outputs[COLUMNS_MAX], m = choose_logits(answer, outputs);
    double left = KL_FIGURE_MARGIN + 130,
           width = (KL_FIGURE_WIDTH - KL_FIGURE_MARGIN - left) / (m ? m : 1), most = 0, y;
    char name[200];

    width = width > 70 ? 70 : width;
    snprintf(name, sizeof name,
             "what the training samples of each %s (rows) added to each logit (columns)", what);
    kl_svg_text(svg, KL_FIGURE_MARGIN, drawing->y + 4, kl_letters(10, KL_SOFT, KL_START), name);
    y = drawing->y + 74;
    for (uint32_t i = 0; i < rows->n; i++)
        for (uint32_t k = 0; k < m; k++)
            most = fmax(most, fabs(rows->values[(size_t)i * answer->n_logits + outputs[k]]));
    for (uint32_t k = 0; k < m; k++) {
        kl_word_output(drawing->run, outputs[k], name, sizeof name);
        kl_svg_text_up(svg, left + (k + 0.5) * width + 3.5, y - 5,
                       outputs[k] == answer->predicted ? kl_letters_bold(10, KL_INK, KL_START)
                                                       : kl_letters(10, KL_INK, KL_START),
                       name);
    }
    for (uint32_t i = 0; i < rows->n; i++, y += ROW) {
        kl_svg_text_fit(svg, left - 8, y + 13, kl_letters(10, KL_INK, KL_END), rows->names[i], 22);
        for (uint32_t k = 0; k < m; k++)
            draw_cell(svg, left + k * width, y, width,
                      rows->values[(size_t)i * answer->n_logits + outputs[k]], most);
    }
    y = draw_sums(drawing, outputs, m, left, width, y);
    kl_svg_rect(svg, left, y + 14, 12, 8, 2, KL_PLUS, 0.55);
    kl_svg_text(svg, left + 17, y + 21, kl_letters(10, KL_SOFT, KL_START), "added to the logit");
    kl_svg_rect(svg, left + 130, y + 14, 12, 8, 2, KL_MINUS, 0.55);
    kl_svg_text(svg, left + 147, y + 21, kl_letters(10, KL_SOFT, KL_START), "took from it");
    drawing->y = y + 30;
}

enum kl_status kl_draw_matrix(struct kl_drawing *drawing, struct kl_error *err)
{
    struct rows rows = {0};
    enum kl_status status = rows_by_class(drawing, &rows, err);

    if (!status)
        draw_matrix(drawing, &rows, "class");
    end_rows(&rows);
    return status;
}

enum kl_status kl_draw_matrix_datasets(struct kl_drawing *drawing, struct kl_error *err)
{
    struct rows rows = {0};
    enum kl_status status = rows_by_bin(drawing, 0, &rows, err);

    if (!status)
        draw_matrix(drawing, &rows, "data set");
    end_rows(&rows);
    return status;
}

enum kl_status kl_draw_matrix_steps(struct kl_drawing *drawing, struct kl_error *err)
{
    struct rows rows = {0};
    enum kl_status status = rows_by_bin(drawing, STEP_RANGES, &rows, err);

    if (!status)
        draw_matrix(drawing, &rows, "range of steps");
    end_rows(&rows);
    return status;
}
