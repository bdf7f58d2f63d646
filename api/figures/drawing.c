#include "api/figures/drawing.h"

#include <stdlib.h>
#include <string.h>

#include "api/png.h"
#include "api/words.h"
#include "core/base/memory.h"
#include "core/base/unicode.h"
#include "core/base/utf8.h"
#include "core/data/text/corpus.h"

#define TOLD_CHARACTERS 60 /* of a text that was typed */
#define TOLD_WORDS 10
#define ENLARGED 4 /* times, so that viewers that blur keep pixels square */

struct kl_letters kl_letters(double size, const char *colour, enum kl_anchor anchor)
{
    return (struct kl_letters){.size = size, .colour = colour, .anchor = anchor};
}

struct kl_letters kl_letters_bold(double size, const char *colour, enum kl_anchor anchor)
{
    return (struct kl_letters){.size = size, .colour = colour, .is_bold = 1, .anchor = anchor};
}

/* The end of a text that was typed. */
static void name_typed(const struct kl_drawing *drawing, char *text, size_t n_bytes)
{
    const struct kl_corpus *corpus = drawing->run->data.datasets[0]->corpus;
    const struct kl_subject *subject = &drawing->request->query->subject;
    int is_spaced = corpus->kind != KL_TOKENS_CHARACTERS;
    uint32_t told = is_spaced ? TOLD_WORDS : TOLD_CHARACTERS, n = subject->n_tokens;
    size_t used =
        (size_t)snprintf(text, n_bytes, "after \xe2\x80\x9c%s", n > told ? "\xe2\x80\xa6" : "");

    for (uint32_t i = n > told ? n - told : 0; i < n && used < n_bytes; i++)
        used += (size_t)snprintf(text + used, n_bytes - used, "%s%s", is_spaced ? " " : "",
                                 corpus->types[subject->tokens[i]]);
    if (used < n_bytes)
        snprintf(text + used, n_bytes - used, "\xe2\x80\x9d");
}

void kl_name_subject(const struct kl_drawing *drawing, char *text, size_t n_bytes)
{
    const struct kl_run *run = drawing->run;
    int64_t sample = drawing->request->sample;
    struct kl_sample_place place;
    const struct kl_dataset *dataset;
    size_t used;

    if (sample < 0 && kl_history_is_text(&run->history)) {
        name_typed(drawing, text, n_bytes);
        return;
    }
    if (sample < 0) {
        snprintf(text, n_bytes, "a %s that was given",
                 drawing->request->query->subject.recorded ? "sample" : "picture");
        return;
    }
    kl_word_sample(run, (uint32_t)sample, text, n_bytes);
    used = strlen(text);
    place = kl_collection_place(&run->data, (uint32_t)sample);
    dataset = run->data.datasets[place.dataset];
    if (!kl_history_is_text(&run->history))
        snprintf(text + used, n_bytes - used, ", labelled %s",
                 kl_dataset_class_name(dataset, kl_collection_label(&run->data, (uint32_t)sample)));
}

void kl_name_verdict(const struct kl_drawing *drawing, char *text, size_t n_bytes)
{
    const struct kl_answer *answer = drawing->answer;
    char said[200], share[KL_WORD_BYTES];

    kl_word_output(drawing->run, answer->predicted, said, sizeof said);
    kl_word_percent((double)answer->probabilities[answer->predicted], 1, share);
    snprintf(text, n_bytes,
             kl_history_is_text(&drawing->run->history) ? "it expects %s (%s)" : "it says %s (%s)",
             said, share);
}

/* Of what the figure is: the run, and of its question what it depends on. */
static void name_question(const struct kl_drawing *drawing, unsigned asks, char *text,
                          size_t n_bytes)
{
    const struct kl_run *run = drawing->run;
    const struct kl_query *query = drawing->request->query;
    const struct kl_answer *answer = drawing->answer;
    char patterns[KL_WORD_BYTES], name[200];
    size_t used;

    kl_word_count(answer->n_patterns, patterns);
    used = (size_t)snprintf(text, n_bytes, "run %s (%s), %s patterns", run->training.name,
                            run->fingerprint, patterns);
    if (run->history.n_missing)
        used += (size_t)snprintf(text + used, n_bytes - used, ", %.3g %% of its history",
                                 100 * kl_history_share(&run->history));
    if (asks & KL_ASKS_LAYER && (!(asks & KL_ASKS_RANK) || query->rank->uses_layer))
        used += (size_t)snprintf(text + used, n_bytes - used, "; layer %u of %u", query->layer,
                                 run->training.shape.n_layers);
    if (asks & KL_ASKS_RANK) {
        kl_word_output(run, query->logit < 0 ? answer->predicted : (uint32_t)query->logit, name,
                       sizeof name);
        used += (size_t)snprintf(text + used, n_bytes - used, "; ranking: %s", query->rank->label);
        if (query->rank->takes_logit)
            used += (size_t)snprintf(text + used, n_bytes - used, " (%s)", name);
    }
    if (asks & KL_ASKS_BY)
        used += (size_t)snprintf(text + used, n_bytes - used, "; by %s",
                                 query->by_sample ? "sample" : "pattern");
    if (asks & KL_ASKS_CLASS && query->only_class != KL_ANY_CLASS) {
        kl_word_class(run, (uint32_t)query->only_class, name, sizeof name);
        snprintf(text + used, n_bytes - used, "; of %s only", name);
    }
}

double kl_ranked_value(const struct kl_rank *rank, const struct kl_hit *hit, const char **name)
{
    int of_attention = rank->row && !rank->needs_lengths,
        of_contribution = rank->needs_dual && rank->uses_layer;

    *name = of_attention ? "attention" : of_contribution ? "contribution" : rank->score_name;
    return of_attention ? hit->attention : of_contribution ? hit->contribution : hit->score;
}

void kl_draw_head(struct kl_drawing *drawing, const char *title, unsigned asks)
{
    struct kl_svg *svg = &drawing->svg;
    char subject[400], verdict[260], line[1000];

    kl_svg_text(svg, KL_FIGURE_MARGIN, drawing->y + 16, kl_letters_bold(15, KL_INK, KL_START),
                title);
    kl_name_subject(drawing, subject, sizeof subject);
    kl_name_verdict(drawing, verdict, sizeof verdict);
    snprintf(line, sizeof line, "%s: %s", subject, verdict);
    kl_svg_text_fit(svg, KL_FIGURE_MARGIN, drawing->y + 33, kl_letters(11, KL_INK, KL_START), line,
                    110);
    name_question(drawing, asks, line, sizeof line);
    drawing->y += 51 + 13 * kl_svg_paragraph(svg, KL_FIGURE_MARGIN, drawing->y + 47,
                                             kl_letters(10, KL_SOFT, KL_START), 13, 125, line);
}

static enum kl_status draw_image(struct kl_drawing *drawing, const struct kl_dataset *dataset,
                                 const uint8_t *pixels, const char *alternative, double x, double y,
                                 double size, struct kl_error *err)
{
    uint32_t side = dataset->width > dataset->height ? dataset->width : dataset->height;
    double width = size * dataset->width / side, height = size * dataset->height / side;
    uint8_t *png = NULL;
    size_t n_bytes = 0;
    enum kl_status status =
        kl_png_sheet(dataset, pixels, 1, 1, side > 128 ? 1 : ENLARGED, &png, &n_bytes, err);

    if (!status)
        kl_svg_image(&drawing->svg, x + (size - width) / 2, y + (size - height) / 2, width, height,
                     png, n_bytes, alternative);
    free(png);
    return status;
}

#define WORDS 7.0 /* px, of a description */

/* As many lines of a description as fit into a square. */
static void draw_words(struct kl_drawing *drawing, const char *text, double x, double y,
                       double size)
{
    int columns = (int)(size / (0.56 * WORDS)) - 2, left = (int)(size / (WORDS + 1.5)) - 1;
    double line = y + WORDS + 3;

    kl_svg_rect(&drawing->svg, x, y, size, size, 3, KL_SOFT, 0.12);
    while (*text && left > 0 && columns > 0) {
        char part[400];
        size_t n_bytes = strcspn(text, "\n"), fits;
        int n;

        snprintf(part, sizeof part, "%.*s", (int)n_bytes, text);
        if (strchr(part, '\t'))
            *strchr(part, '\t') = ' ';
        kl_utf8_repair(part);
        fits = kl_unicode_fit(part, columns * left);
        part[fits] = '\0';
        n = kl_svg_paragraph(&drawing->svg, x + 4, line, kl_letters(WORDS, KL_INK, KL_START),
                             WORDS + 1.5, columns, part);
        left -= n;
        line += n * (WORDS + 1.5);
        text += n_bytes + (text[n_bytes] == '\n');
    }
}

enum kl_status kl_draw_sample(struct kl_drawing *drawing, uint32_t sample, double x, double y,
                              double size, struct kl_error *err)
{
    struct kl_run *run = drawing->run;
    struct kl_sample_place place = kl_collection_place(&run->data, sample);
    uint8_t *pixels = NULL;
    const char *words =
        kl_dataset_description(run->data.datasets[place.dataset], place.split, place.index);
    char name[KL_NAME_MAX + 40];
    enum kl_status status;

    if (words) {
        draw_words(drawing, words, x, y, size);
        return KL_OK;
    }
    status = kl_alloc(&pixels, kl_dataset_image_size(run->data.datasets[0]), 1, "an image", err);
    kl_word_sample(run, sample, name, sizeof name);
    if (!status)
        status = kl_run_image(run, sample, pixels, err);
    if (!status)
        status =
            draw_image(drawing, run->data.datasets[place.dataset], pixels, name, x, y, size, err);
    free(pixels);
    return status;
}

enum kl_status kl_draw_subject(struct kl_drawing *drawing, double x, double y, double size,
                               struct kl_error *err)
{
    const struct kl_subject *subject = &drawing->request->query->subject;

    if (subject->recorded) { /* nobody knows what it looks like */
        kl_svg_rect(&drawing->svg, x, y, size, size, 3, KL_SOFT, 0.12);
        return KL_OK;
    }
    if (kl_collection_kind(&drawing->run->data) == KL_DATA_DESCRIBED)
        return kl_draw_sample(drawing, subject->stored - 1, x, y, size, err);
    return draw_image(drawing, drawing->run->data.datasets[subject->dataset], subject->pixels,
                      "what is asked about", x, y, size, err);
}
