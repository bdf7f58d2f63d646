/* Places of a text: the concordance of strips and spotlight, and the passage as a heat map. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/figures/drawing.h"
#include "api/words.h"
#include "core/base/unicode.h"
#include "core/base/utf8.h"
#include "core/data/text/corpus.h"

#define LINE 17.0
#define LETTER 6.0 /* px of a letter of 10 px in the figure's mono type */
#define BEFORE 44  /* columns left and right of the token */
#define AFTER 30
#define TOKEN 24 /* columns of the token itself */
#define LINE_BYTES 600

/* One character of a text that a figure shows in a line, white space as one space; columns and
 * bytes are what it takes. */
static size_t character(const char *text, char letter[8], int *columns)
{
    size_t length = kl_utf8_character(text);

    length = length ? length : 1; /* half a character is escaped when it is written */
    snprintf(letter, 8, "%.*s", (int)length, (unsigned char)*text <= ' ' ? " " : text);
    *columns = kl_unicode_columns(letter);
    return length;
}

/* The texts of training tokens from first on, whole characters, of at most so many columns. */
static void join(const struct kl_corpus *corpus, uint32_t first, uint32_t end, int columns,
                 char text[LINE_BYTES])
{
    const uint8_t *spaced = corpus->spaced[KL_SPLIT_TRAIN];
    size_t used = 0;

    for (uint32_t i = first; i < end && columns > 0; i++) {
        const char *type = corpus->types[corpus->tokens[KL_SPLIT_TRAIN][i]];

        if (spaced && spaced[i] && used + 8 < LINE_BYTES) {
            text[used++] = ' ';
            columns--;
        }
        while (*type && used + 8 < LINE_BYTES) {
            char letter[8];
            int wide;
            size_t length = character(type, letter, &wide);

            columns -= wide;
            if (columns < 0)
                break;
            used += (size_t)snprintf(text + used, 8, "%s", letter);
            type += length;
        }
    }
    text[used] = '\0';
}

/* The same, but what stands directly before end: filled from the back, down to begin. Returns where
 * in text it begins. */
static const char *join_before(const struct kl_corpus *corpus, uint32_t begin, uint32_t end,
                               int columns, char text[LINE_BYTES])
{
    const uint8_t *spaced = corpus->spaced[KL_SPLIT_TRAIN];
    char *at = &text[LINE_BYTES - 1];

    *at = '\0';
    for (uint32_t i = end; i-- > begin && columns > 0;) {
        const char *type = corpus->types[corpus->tokens[KL_SPLIT_TRAIN][i]];

        for (const char *last = type + strlen(type); last > type && at - text > 8;) {
            char letter[8];
            int wide;

            for (last--; last > type && ((unsigned char)*last & 0xc0) == 0x80;)
                last--;
            character(last, letter, &wide);
            columns -= wide;
            if (columns < 0)
                break;
            at -= strlen(letter);
            memcpy(at, letter, strlen(letter));
        }
        if (spaced && spaced[i] && columns-- > 0 && at - text > 8)
            *--at = ' ';
    }
    return at;
}

/* One line: what stands before, the token, what followed, and a number. */
static void draw_place(struct kl_drawing *drawing, const struct kl_hit *hit, double value,
                       const char *name)
{
    const struct kl_corpus *corpus = drawing->run->data.datasets[0]->corpus;
    const struct kl_document *document = kl_corpus_document(corpus, KL_SPLIT_TRAIN, hit->sample);
    uint32_t begin = document ? document->first : 0;
    uint32_t end = document ? document->first + document->count : corpus->lengths[KL_SPLIT_TRAIN];
    uint32_t at = hit->sample;
    double centre = KL_FIGURE_MARGIN + BEFORE * LETTER + 8, right, y = drawing->y + 12;
    struct kl_letters plain = kl_letters(10, KL_SOFT, KL_START),
                      lit = kl_letters_bold(10, KL_INK, KL_START);
    char text[LINE_BYTES], token[200], number[KL_WORD_BYTES], line[80];
    struct kl_svg *svg = &drawing->svg;
    int columns;

    plain.is_mono = lit.is_mono = 1;
    plain.anchor = KL_END;
    kl_svg_text(svg, centre - 4, y, plain, join_before(corpus, begin, at, BEFORE, text));
    kl_word_token(corpus->types[corpus->tokens[KL_SPLIT_TRAIN][at]], token, sizeof token);
    columns = kl_unicode_columns(token);
    columns = columns < 1 ? 1 : columns > TOKEN ? TOKEN : columns;
    kl_svg_rect(svg, centre - 2, y - 10, columns * LETTER + 4, 13, 2, KL_LIT, 0.35);
    kl_svg_text_fit(svg, centre, y, lit, token, TOKEN);
    plain.anchor = KL_START;
    right = centre + columns * LETTER + 4;
    join(corpus, at + 1, end, AFTER, text);
    kl_svg_text(svg, right, y, plain, text);
    snprintf(line, sizeof line, "%s %s", name, kl_word_signed(value, number));
    kl_svg_text(svg, KL_FIGURE_WIDTH - KL_FIGURE_MARGIN, y,
                kl_letters(10, value < 0 ? KL_MINUS : KL_PLUS, KL_END), line);
    drawing->y += LINE;
}

enum kl_status kl_draw_places(struct kl_drawing *drawing, const struct kl_strip *strip)
{
    int looks = strip->kind == KL_STRIP_LOOKS;
    char text[600];

    kl_strip_title(drawing->run, strip, text, sizeof text);
    kl_svg_text_fit(&drawing->svg, KL_FIGURE_MARGIN, drawing->y + 12,
                    kl_letters_bold(13, KL_INK, KL_START), text, 70);
    kl_strip_sentence(drawing->run, strip, text, sizeof text);
    kl_svg_text_fit(&drawing->svg, KL_FIGURE_MARGIN, drawing->y + 28,
                    kl_letters(10, KL_SOFT, KL_START), text, 125);
    drawing->y += 36;
    for (uint32_t i = 0; i < strip->n; i++)
        draw_place(drawing, &strip->hits[i],
                   looks ? strip->hits[i].attention : strip->hits[i].contribution,
                   looks                             ? "attention"
                   : strip->hits[i].contribution < 0 ? "takes"
                                                     : "adds");
    drawing->y += 14;
    return KL_OK;
}

enum kl_status kl_draw_text_spotlight(struct kl_drawing *drawing)
{
    const struct kl_answer *answer = drawing->answer;
    const struct kl_query *query = drawing->request->query;
    char line[300], count[KL_WORD_BYTES];
    const char *name = "";

    if (answer->n_hits)
        kl_ranked_value(query->rank, answer->spotlight, &name);
    snprintf(line, sizeof line, "the first %u of %s %s; at the end of each line its %s",
             answer->n_hits, kl_word_count(answer->scores.count, count),
             query->by_sample ? "positions" : "showings", name);
    kl_svg_text_fit(&drawing->svg, KL_FIGURE_MARGIN, drawing->y + 2,
                    kl_letters(10, KL_SOFT, KL_START), line, 125);
    drawing->y += 12;
    for (uint32_t i = 0; i < answer->n_hits; i++)
        draw_place(drawing, &answer->spotlight[i],
                   kl_ranked_value(query->rank, &answer->spotlight[i], &name), "");
    return KL_OK;
}

/* How far an attention stands above its token's mean, as the map's rank counts. */
static double deviations(const struct kl_drawing *drawing, uint32_t token, double attention)
{
    const struct kl_attention_map *map = drawing->map;
    float score = (float)attention;

    drawing->request->query->rank->row(&score, 1, 0);
    return map->deviation[token] > 0 ? ((double)score - map->mean[token]) / map->deviation[token]
                                     : 0;
}

enum kl_status kl_draw_heat(struct kl_drawing *drawing, struct kl_error *err)
{
    const struct kl_attention_map *map = drawing->map;
    const struct kl_corpus *corpus = drawing->run->data.datasets[0]->corpus;
    const struct kl_subject *subject = &drawing->request->query->subject;
    const uint32_t *tokens = subject->tokens + subject->n_tokens - map->n;
    double left = KL_FIGURE_MARGIN + 190,
           cell = (KL_FIGURE_WIDTH - KL_FIGURE_MARGIN - left) / (map->n ? map->n : 1), y;
    struct kl_svg *svg = &drawing->svg;
    struct kl_letters mono = kl_letters(9, KL_INK, KL_END), upright;
    int is_upright = corpus->kind == KL_TOKENS_CHARACTERS, longest = 0;
    char text[LINE_BYTES], name[80];

    (void)err;
    mono.is_mono = 1;
    upright = mono;
    upright.anchor = KL_MIDDLE;
    kl_svg_text(
        svg, KL_FIGURE_MARGIN, drawing->y + 2, kl_letters(10, KL_SOFT, KL_START),
        "rows: training positions that stand out most; columns: tokens of the passage, read in "
        "order");
    y = drawing->y + 16;
    for (uint32_t c = 0; c < map->n_columns; c++) {
        uint32_t at = map->columns[c].sample;

        kl_svg_text(svg, left - 6, y + 10, mono, join_before(corpus, 0, at + 1, 32, text));
        for (uint32_t i = 0; i < map->n; i++) {
            double above =
                deviations(drawing, i, (double)map->attention[(size_t)i * map->n_columns + c]);

            kl_svg_rect(svg, left + i * cell + 0.5, y + 0.5, cell - 1, 13, 1, KL_LIT,
                        fmax(0, fmin(1, above / 6)));
        }
        y += 14;
    }
    for (uint32_t i = 0; i < map->n; i++) {
        kl_word_token(corpus->types[tokens[i]], name, sizeof name);
        longest = kl_unicode_columns(name) > longest ? kl_unicode_columns(name) : longest;
        if (is_upright)
            kl_svg_text(svg, left + (i + 0.5) * cell, y + 11, upright, name);
        else
            kl_svg_text_up(svg, left + (i + 0.5) * cell + 3, y + 6, mono, name);
    }
    y += is_upright ? 28 : 20 + 5.5 * longest;
    kl_svg_text(svg, left, y, kl_letters(10, KL_SOFT, KL_START),
                "colour: standard deviations above the mean of the whole history, full at 6");
    drawing->y = y + 12;
    return KL_OK;
}
