/* The wall: every training image as one cell, by class, lit by its total. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/figures/drawing.h"
#include "api/png.h"
#include "api/words.h"
#include "core/base/memory.h"

#define FULL_LIGHT 6.0 /* standard deviations, as on the page */
#define GAP 12.0

struct wall {
    double mean, deviation;
    uint32_t n;        /* training images that were shown */
    uint32_t *members; /* (samples) ids, class after class */
    uint32_t *ends;    /* (n_classes) where each class ends among members */
};

static enum kl_status sort(const struct kl_drawing *drawing, struct wall *wall,
                           struct kl_error *err)
{
    const struct kl_history *history = &drawing->run->history;
    const struct kl_sample_totals *totals = &drawing->answer->samples;
    double sum = 0, squares = 0;
    enum kl_status status =
        kl_alloc(&wall->members, totals->n, sizeof *wall->members, "a figure", err);

    if (!status)
        status = kl_alloc(&wall->ends, history->n_classes, sizeof *wall->ends, "a figure", err);
    for (uint32_t c = 0; !status && c < history->n_classes; c++) {
        for (uint32_t i = 0; i < totals->n; i++)
            if (totals->repetitions[i] && history->classes[i] == c)
                wall->members[wall->n++] = i;
        wall->ends[c] = wall->n;
    }
    for (uint32_t k = 0; k < wall->n; k++)
        sum += totals->score[wall->members[k]];
    wall->mean = wall->n ? sum / wall->n : 0;
    for (uint32_t k = 0; k < wall->n; k++)
        squares += pow(totals->score[wall->members[k]] - wall->mean, 2);
    wall->deviation = wall->n ? sqrt(squares / wall->n) : 0;
    return status;
}

/* One class's cells as a picture, columns wide. */
static enum kl_status draw_block(struct kl_drawing *drawing, const struct wall *wall,
                                 uint32_t first, uint32_t n, uint32_t columns, double x, double y,
                                 double width, double *height, struct kl_error *err)
{
    static const double dark[3] = {239, 238, 233}, lit[3] = {182, 90, 0};
    uint32_t rows = (n + columns - 1) / columns;
    uint8_t *rgb = NULL, *png = NULL;
    size_t n_bytes = 0;
    enum kl_status status = kl_alloc(&rgb, (size_t)columns * rows, 3, "a figure", err);

    *height = width * rows / columns;
    if (status)
        return status;
    memset(rgb, 255, (size_t)columns * rows * 3);
    for (uint32_t i = 0; i < n; i++) {
        double score = drawing->answer->samples.score[wall->members[first + i]];
        double light =
            wall->deviation > 0 ? (score - wall->mean) / wall->deviation / FULL_LIGHT : 0;

        light = fmax(0, fmin(1, light));
        for (size_t c = 0; c < 3; c++)
            rgb[(size_t)i * 3 + c] = (uint8_t)(dark[c] + (lit[c] - dark[c]) * light + 0.5);
    }
    status = kl_png_pixels(rgb, columns, rows, 3, &png, &n_bytes, err);
    if (!status)
        kl_svg_image(&drawing->svg, x, y, width, *height, png, n_bytes, "one class");
    free(png);
    free(rgb);
    return status;
}

static void draw_words(struct kl_drawing *drawing, const struct wall *wall)
{
    char line[300], mean[KL_WORD_BYTES], deviation[KL_WORD_BYTES], count[KL_WORD_BYTES];

    snprintf(line, sizeof line,
             "%s training images, one cell each: how far the total %s stands above the mean (%s), "
             "full at %.0f standard deviations (%s)",
             kl_word_count(wall->n, count), drawing->request->query->rank->score_name,
             kl_word_short(wall->mean, mean), FULL_LIGHT,
             kl_word_short(wall->deviation, deviation));
    drawing->y += 13 * kl_svg_paragraph(&drawing->svg, KL_FIGURE_MARGIN, drawing->y + 2,
                                        kl_letters(10, KL_SOFT, KL_START), 13, 125, line);
}

enum kl_status kl_draw_wall(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_run *run = drawing->run;
    const struct kl_history *history = &run->history;
    uint32_t per_row = history->n_classes < 10 ? history->n_classes : 10, first = 0;
    double width = (KL_FIGURE_WIDTH - 2 * KL_FIGURE_MARGIN - (per_row - 1) * GAP) / per_row,
           tallest = 0;
    struct wall wall = {0};
    enum kl_status status = sort(drawing, &wall, err);

    if (!status)
        draw_words(drawing, &wall);
    for (uint32_t c = 0; !status && c < history->n_classes; c++) {
        const struct kl_class_total *total = &drawing->answer->by_class[c];
        uint32_t n = wall.ends[c] - first, columns = (uint32_t)ceil(sqrt(n / 2.0));
        double x = KL_FIGURE_MARGIN + c % per_row * (width + GAP), height = 0;

        if (n)
            status =
                draw_block(drawing, &wall, first, n, columns, x, drawing->y, width, &height, err);
        tallest = fmax(tallest, height);
        kl_svg_text_fit(&drawing->svg, x, drawing->y + height + 12, kl_letters(9, KL_INK, KL_START),
                        kl_dataset_class_name(run->data.datasets[total->dataset], total->label),
                        (int)(width / 5));
        first = wall.ends[c];
        if (c % per_row == per_row - 1 || c == history->n_classes - 1) {
            drawing->y += tallest + 24;
            tallest = 0;
        }
    }
    free(wall.members);
    free(wall.ends);
    return status;
}
