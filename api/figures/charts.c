/* Line charts: the strongest of each class, attention over training time, how the answer was
 * learned, totals per training sample. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/figures/drawing.h"
#include "api/figures/plot.h"
#include "api/words.h"
#include "core/base/memory.h"
#include "core/explain/views/bins.h"

#define HEIGHT 250.0
#define LABEL 80
#define PARTS 200 /* of a text */
#define MANY 12   /* classes that are told apart by their colours */

/* Curves of one length, side by side, whose memory is together. */
struct bundle {
    uint32_t n, n_points;
    struct kl_plot_curve *curves; /* (n) */
    char (*labels)[LABEL];        /* (n) */
    double *x;                    /* (n_points) */
    double *y;                    /* (n, n_points), NaN where there is none */
};

static enum kl_status begin(struct bundle *bundle, uint32_t n, uint32_t n_points,
                            struct kl_error *err)
{
    enum kl_status status;

    *bundle = (struct bundle){.n = n, .n_points = n_points};
    status = kl_alloc(&bundle->curves, n, sizeof *bundle->curves, "a figure", err);
    if (!status)
        status = kl_alloc(&bundle->labels, n, LABEL, "a figure", err);
    if (!status)
        status = kl_alloc(&bundle->x, n_points, sizeof(double), "a figure", err);
    if (!status)
        status = kl_alloc(&bundle->y, (size_t)n * n_points, sizeof(double), "a figure", err);
    for (uint32_t c = 0; !status && c < n; c++) {
        bundle->curves[c] = (struct kl_plot_curve){
            bundle->labels[c], kl_class_colour(c), 1.6,
            n_points,          bundle->x,          bundle->y + (size_t)c * n_points};
        for (uint32_t i = 0; i < n_points; i++)
            bundle->y[(size_t)c * n_points + i] = NAN;
    }
    return status;
}

static void end(struct bundle *bundle)
{
    free(bundle->curves);
    free(bundle->labels);
    free(bundle->x);
    free(bundle->y);
}

/* The chart of a bundle, at the drawing's place. */
static void draw(struct kl_drawing *drawing, const struct bundle *bundle, const char *x_title,
                 const char *y_title, int with_zero)
{
    struct kl_plot plot = {.x = KL_FIGURE_MARGIN + 58,
                           .y = drawing->y + 4,
                           .width = KL_FIGURE_WIDTH - 2 * KL_FIGURE_MARGIN - 66,
                           .height = HEIGHT,
                           .x_title = x_title,
                           .y_title = y_title};

    if (bundle->n_points) {
        plot.low_x = bundle->x[0];
        plot.high_x = bundle->x[bundle->n_points - 1];
    }
    if (!(plot.high_x > plot.low_x))
        plot.high_x = plot.low_x + 1;
    kl_plot_fit(&plot, bundle->curves, bundle->n, with_zero);
    kl_plot_draw(&drawing->svg, &plot, bundle->curves, bundle->n);
    drawing->y = kl_plot_legend(&drawing->svg, plot.x, plot.y + plot.height + 54, plot.width,
                                bundle->curves, bundle->n);
}

/* What a group of attention is of: a class, or how an attended text went on. */
static void name_group(const struct kl_drawing *drawing, uint32_t group, char *label)
{
    const struct kl_run *run = drawing->run;
    char token[LABEL];

    if (!kl_history_is_text(&run->history)) {
        kl_word_class(run, group, label, LABEL);
        return;
    }
    kl_word_output(
        run, group == KL_CONTINUED_AS_TARGET ? drawing->answer->target : drawing->answer->predicted,
        token, sizeof token);
    if (group == KL_CONTINUED_OTHERWISE)
        snprintf(label, LABEL, "went on otherwise");
    else
        snprintf(label, LABEL, "went on with %.60s", token);
}

static int is_told(const struct kl_drawing *drawing, uint32_t group)
{
    return !kl_history_is_text(&drawing->run->history) || group != KL_CONTINUED_AS_TARGET ||
           drawing->answer->target != drawing->answer->predicted;
}

enum kl_status kl_draw_curves(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_curves *curves = &drawing->answer->curves;
    uint32_t longest = 1, n = 0;
    struct bundle bundle;
    enum kl_status status;

    for (uint32_t g = 0; g < curves->n_groups; g++)
        longest = curves->curves[g].n > longest ? curves->curves[g].n : longest;
    status = begin(&bundle, curves->n_groups, longest, err);
    for (uint32_t i = 0; !status && i < longest; i++)
        bundle.x[i] = i + 1;
    for (uint32_t g = 0; !status && g < curves->n_groups; g++) {
        if (!is_told(drawing, g))
            continue;
        name_group(drawing, g, bundle.labels[n]);
        bundle.curves[n].colour = kl_class_colour(g);
        for (uint32_t i = 0; i < curves->curves[g].n; i++)
            bundle.y[(size_t)n * longest + i] = fabs(curves->curves[g].points[i].attention);
        n++;
    }
    if (!status) {
        bundle.n = n;
        draw(drawing, &bundle,
             kl_history_is_text(&drawing->run->history) ? "rank among those that went on so"
                                                        : "rank within the class",
             "|attention|", 1);
    }
    end(&bundle);
    return status;
}

/* Over time of many classes: by data set, whose classes are summed. */
static uint32_t line_of_group(const struct kl_drawing *drawing, uint32_t group, int by_dataset)
{
    return by_dataset ? drawing->answer->by_class[group].dataset : group;
}

/* The side of attention that a ranking asks for. */
static const struct side {
    const char *rank, *name;
    double (*of)(struct kl_signed_sum sum);
} sides[] = {{"abs", "|attention|", kl_sum_abs},
             {"positive", "positive attention", kl_sum_positive},
             {"negative", "negative attention", kl_sum_negative}};

static const struct side *find_side(const struct kl_rank *rank)
{
    for (size_t i = 0; i < sizeof sides / sizeof sides[0]; i++)
        if (!strcmp(sides[i].rank, rank->name))
            return &sides[i];
    return sides;
}

enum kl_status kl_draw_time(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_run *run = drawing->run;
    const struct kl_timeline *time = &drawing->answer->time;
    int by_dataset =
        !kl_history_is_text(&run->history) && (run->data.n_datasets > 1 || time->n_groups > MANY);
    uint32_t n = by_dataset ? run->data.n_datasets : time->n_groups;
    const struct side *side = find_side(drawing->request->query->rank);
    struct bundle bundle;
    enum kl_status status = begin(&bundle, n, time->n_bins, err);

    for (uint32_t b = 0; !status && b < time->n_bins; b++)
        bundle.x[b] = kl_bin_first_step(&run->history, b);
    for (uint32_t g = 0; !status && g < time->n_groups; g++) {
        uint32_t line = line_of_group(drawing, g, by_dataset);
        double *y = bundle.y + (size_t)line * time->n_bins;

        if (by_dataset)
            snprintf(bundle.labels[line], LABEL, "%.60s", run->data.datasets[line]->name);
        else
            name_group(drawing, g, bundle.labels[line]);
        if (!is_told(drawing, g)) {
            bundle.curves[line].label = NULL;
            continue;
        }
        for (uint32_t b = 0; b < time->n_bins; b++)
            y[b] = (isnan(y[b]) ? 0 : y[b]) + side->of(time->sums[(size_t)b * time->n_groups + g]);
    }
    if (!status) {
        char title[80];
        uint32_t width = run->history.n_steps / (time->n_bins ? time->n_bins : 1);

        snprintf(title, sizeof title, "sum of %s per %u steps", side->name, width ? width : 1);
        draw(drawing, &bundle, "training step", title, 1);
    }
    end(&bundle);
    return status;
}

/* The outputs that are told: what it says, what it should, and of images the others, in grey. */
static uint32_t choose_outputs(const struct kl_drawing *drawing, uint32_t *outputs)
{
    const struct kl_answer *answer = drawing->answer;
    uint32_t n = 0, most = kl_history_is_text(&drawing->run->history) ? 0 : answer->n_logits;

    outputs[n++] = answer->predicted;
    if (answer->target != answer->predicted)
        outputs[n++] = answer->target;
    for (uint32_t j = 0; j < most; j++)
        if (j != answer->predicted && j != answer->target)
            outputs[n++] = j;
    return n;
}

enum kl_status kl_draw_learning(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_answer *answer = drawing->answer;
    const struct kl_learning *learning = &answer->learning;
    uint32_t *outputs = NULL, n = 0;
    float *shares = NULL; /* of a text: of one point */
    uint32_t n_named = answer->target == answer->predicted ? 1 : 2;
    int is_text = kl_history_is_text(&drawing->run->history);
    struct bundle bundle = {0};
    enum kl_status status = kl_alloc(&outputs, answer->n_logits, sizeof *outputs, "a figure", err);

    if (!status) {
        n = choose_outputs(drawing, outputs);
        status = begin(&bundle, n, learning->n_points, err);
    }
    if (!status)
        status = kl_alloc(&shares, answer->n_logits, sizeof *shares, "a figure", err);
    for (uint32_t i = 0; !status && i < learning->n_points; i++) {
        const float *logits = learning->logits + (size_t)i * learning->n_logits;

        bundle.x[i] = learning->steps[i];
        if (is_text)
            kl_softmax(logits, learning->n_logits, shares);
        for (uint32_t k = 0; k < n; k++)
            bundle.y[(size_t)k * learning->n_points + i] =
                (double)(is_text ? shares : logits)[outputs[k]];
    }
    for (uint32_t k = 0; !status && k < n; k++) {
        int is_named = k < n_named;

        bundle.curves[k].colour = is_named ? kl_class_colour(outputs[k]) : KL_LINE;
        bundle.curves[k].width = is_named ? 2 : 1;
        if (is_named || k == n_named)
            kl_word_output(drawing->run, outputs[k], bundle.labels[k], LABEL);
        if (k == n_named)
            snprintf(bundle.labels[k], LABEL, "other outputs");
        if (k > n_named)
            bundle.curves[k].label = NULL;
    }
    if (!status)
        draw(drawing, &bundle, "training step",
             is_text ? "probability of the network as it was then"
                     : "logit of the network as it was then",
             is_text);
    end(&bundle);
    free(shares);
    free(outputs);
    return status;
}

static int by_falling(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;

    return (one < other) - (one > other);
}

enum kl_status kl_draw_totals(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_sample_totals *totals = &drawing->answer->samples;
    const uint32_t most = 2000; /* points of the curve */
    double *sorted = NULL;
    uint32_t n = 0, n_points;
    struct bundle bundle = {0};
    char title[120];
    enum kl_status status = kl_alloc(&sorted, totals->n, sizeof *sorted, "a figure", err);

    for (uint32_t i = 0; !status && i < totals->n; i++)
        if (totals->repetitions[i])
            sorted[n++] = totals->score[i];
    if (!status)
        qsort(sorted, n, sizeof *sorted, by_falling);
    n_points = n < most ? n : most;
    if (!status)
        status = begin(&bundle, 1, n_points, err);
    for (uint32_t i = 0; !status && i < n_points; i++) {
        uint32_t rank = n_points > 1 ? (uint32_t)((uint64_t)i * (n - 1) / (n_points - 1)) : 0;

        bundle.x[i] = rank + 1;
        bundle.y[i] = sorted[rank];
    }
    if (!status) {
        bundle.curves[0].label = NULL;
        snprintf(title, sizeof title, "total %s", drawing->request->query->rank->score_name);
        draw(drawing, &bundle, "training samples, the largest first", title, 1);
    }
    end(&bundle);
    free(sorted);
    return status;
}

/* Mean |attention| of the patterns of equal parts of the training text. */
enum kl_status kl_draw_along(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_sample_totals *totals = &drawing->answer->samples;
    uint32_t n = kl_collection_train_size(&drawing->run->data);
    uint32_t parts = n < PARTS ? n : PARTS;
    double patterns[PARTS] = {0};
    struct bundle bundle;
    enum kl_status status = begin(&bundle, 1, parts, err);

    for (uint32_t i = n; !status && i-- > 0;) {
        uint32_t p = (uint32_t)((uint64_t)i * parts / n);

        bundle.x[p] = i;
        bundle.y[p] = (isnan(bundle.y[p]) ? 0 : bundle.y[p]) + totals->sum_abs[i];
        patterns[p] += totals->repetitions[i];
    }
    for (uint32_t p = 0; !status && p < parts; p++)
        bundle.y[p] = patterns[p] > 0 ? bundle.y[p] / patterns[p] : NAN;
    if (!status) {
        bundle.curves[0].label = NULL;
        draw(drawing, &bundle, "position in the training text", "mean |attention|", 1);
    }
    end(&bundle);
    return status;
}
