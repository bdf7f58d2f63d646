#include "cli/output/text_output.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/utf8.h"
#include "api/answers.h"

#define BEFORE_CHARACTERS 40 /* tokens of context of a position, if they are characters */
#define AFTER_CHARACTERS 24
#define BEFORE_WORDS 8
#define AFTER_WORDS 5

/* What stands for white space: visible, of one column. */
static const char *sign(char space)
{
    return space == ' ' ? "\xe2\x90\xa3" : space == '\n' ? "\xe2\x8f\x8e" : "\xe2\x87\xa5";
}

static int is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Whether a character would move the cursor instead of being seen. */
static int is_control(const char *at)
{
    unsigned char byte = (unsigned char)*at;

    return byte < 0x20 || byte == 0x7f ||
           (byte == 0xc2 && (unsigned char)at[1] >= 0x80 && (unsigned char)at[1] < 0xa0);
}

/* One character as it may be shown; returns the columns it takes (wide ones count as one). */
static int print_character(const char *at, size_t length, int spaces)
{
    if (is_space(*at) && (spaces || *at != ' '))
        fputs(sign(*at), stdout);
    else if (is_control(at))
        putchar('?');
    else
        fwrite(at, 1, length, stdout);
    return 1;
}

static int print(const char *text, int spaces)
{
    int columns = 0;

    while (*text) {
        size_t length = kl_utf8_character(text);

        length = length ? length : 1;
        columns += print_character(text, length, spaces);
        text += length;
    }
    return columns;
}

int kl_print_token(const char *text)
{
    return print(text, 1);
}

void kl_print_passage(const struct kl_corpus *corpus, const uint32_t *tokens, const uint8_t *spaced,
                      uint32_t n, uint32_t place)
{
    for (uint32_t i = 0; i < n; i++) {
        if (spaced && spaced[i])
            putchar(' ');
        if (i == place)
            putchar('[');
        print(corpus->types[tokens[i]], i == place);
        if (i == place)
            putchar(']');
    }
}

void kl_print_text_curve(const struct kl_run *run)
{
    if (run->data.datasets[0]->splits[KL_SPLIT_TEST].count == 0) {
        printf("\nThere is no test split, so there is no training curve.\n");
        return;
    }
    printf("\n%10s   %16s   %10s   %13s\n", "step", "bits per token", "perplexity",
           "test accuracy");
    for (uint32_t i = 0; i < run->n_curve; i++)
        printf("%10u   %16.4f   %10.2f   %11.2f %%\n", run->curve[i].step,
               run->curve[i].loss / log(2), exp(run->curve[i].loss), 100 * run->curve[i].accuracy);
}

void kl_print_text_most(const struct kl_run *run, const struct kl_report *report)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    int characters = corpus->kind == KL_TOKENS_CHARACTERS;
    uint32_t before = characters ? BEFORE_CHARACTERS : BEFORE_WORDS;
    uint32_t after = characters ? AFTER_CHARACTERS : AFTER_WORDS;
    uint32_t length = corpus->lengths[KL_SPLIT_TRAIN];

    printf("\nmost attended   layer   position   share of |a|   in the top ten of\n");
    for (uint32_t l = 0; l < report->n_layers; l++) {
        for (uint32_t i = 0; i < report->n_most[l]; i++) {
            const struct kl_most_attended *most = &report->most[l * KL_REPORT_TOP + i];
            uint32_t first = most->sample < before ? 0 : most->sample - before;
            uint32_t end = length - most->sample > after ? most->sample + after : length;

            printf("%13u %7u %10u   %10.5f %%  %16.1f %%   ", i + 1, l + 1, most->sample,
                   100 * most->share, 100 * most->top_ten);
            kl_print_passage(corpus, corpus->tokens[KL_SPLIT_TRAIN] + first,
                             corpus->spaced[KL_SPLIT_TRAIN] ? corpus->spaced[KL_SPLIT_TRAIN] + first
                                                            : NULL,
                             end - first, most->sample - first);
            putchar('\n');
        }
    }
}
