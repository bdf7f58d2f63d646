#include "api/words.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/data/text/corpus.h"

#define MINUS "\xe2\x88\x92"
#define SPACE "\xc2\xa0" /* that no line breaks at */

/* With commas between thousands. */
static void group(uint64_t value, char *text)
{
    char digits[24];
    size_t n = (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value), used = 0;

    for (size_t i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
}

const char *kl_word_count(uint64_t value, char word[KL_WORD_BYTES])
{
    group(value, word);
    return word;
}

/* 1.2e-05 as 1.2e-5. */
static void shorten_exponent(double size, char *text, size_t n_bytes)
{
    char number[32], *e;

    snprintf(number, sizeof number, "%.1e", size);
    e = strchr(number, 'e');
    *e = '\0';
    snprintf(text, n_bytes, "%.8se%d", number, atoi(e + 1));
}

const char *kl_word_short(double value, char word[KL_WORD_BYTES])
{
    double size = fabs(value);
    char text[32];

    if (isnan(value))
        snprintf(text, sizeof text, "unknown");
    else if (isinf(value))
        snprintf(text, sizeof text, "infinite");
    else if (size == 0)
        snprintf(text, sizeof text, "0");
    else if (size >= 1e6 && size < 1e12)
        snprintf(text, sizeof text, "%.*fM", size >= 1e8 ? 0 : size >= 1e7 ? 1 : 2, size / 1e6);
    else if (size >= 1e12 || size < 1e-4)
        shorten_exponent(size, text, sizeof text);
    else if (size >= 1e4)
        snprintf(text, sizeof text, "%.*fk", size >= 1e5 ? 0 : 1, size / 1000);
    else if (size >= 1000)
        group((uint64_t)(size + 0.5), text);
    else
        snprintf(text, sizeof text, "%.*f",
                 size >= 100   ? 0
                 : size >= 10  ? 1
                 : size >= 1   ? 2
                 : size >= 0.1 ? 3
                               : 4,
                 size);
    snprintf(word, KL_WORD_BYTES, "%s%s", value < 0 ? MINUS : "", text);
    return word;
}

const char *kl_word_signed(double value, char word[KL_WORD_BYTES])
{
    kl_word_short(value, word);
    if (value > 0) {
        memmove(word + 1, word, strlen(word) + 1);
        word[0] = '+';
    }
    return word;
}

const char *kl_word_percent(double share, int digits, char word[KL_WORD_BYTES])
{
    snprintf(word, KL_WORD_BYTES, "%.*f" SPACE "%%", digits, 100 * share);
    return word;
}

void kl_word_sample(const struct kl_run *run, uint32_t sample, char *name, size_t n_bytes)
{
    struct kl_sample_place place = kl_collection_place(&run->data, sample);

    snprintf(name, n_bytes, "%s/%s/%u", kl_split_name(place.split),
             run->data.datasets[place.dataset]->name, place.index);
}

void kl_word_token(const char *token, char *name, size_t n_bytes)
{
    size_t used = 0;

    for (name[0] = '\0'; *token && used + 8 < n_bytes;) {
        size_t length = kl_utf8_character(token);
        const char *sign = *token == ' '    ? "\xe2\x90\xa3"
                           : *token == '\n' ? "\xe2\x8f\x8e"
                           : *token == '\t' ? "\xe2\x87\xa5"
                                            : NULL;

        length = length ? length : 1;
        used += (size_t)snprintf(name + used, n_bytes - used, "%.*s",
                                 sign ? (int)strlen(sign) : (int)length, sign ? sign : token);
        token += length;
    }
}

void kl_word_output(const struct kl_run *run, uint32_t output, char *name, size_t n_bytes)
{
    if (kl_history_is_text(&run->history)) {
        char token[190];

        kl_word_token(run->data.datasets[0]->corpus->types[output], token, sizeof token);
        snprintf(name, n_bytes, "\xe2\x80\x9c%s\xe2\x80\x9d", token);
    } else {
        char *text = kl_collection_output_name(&run->data, output);

        snprintf(name, n_bytes, "%s", text ? text : "?");
        free(text);
    }
}

void kl_word_class(const struct kl_run *run, uint32_t number, char *name, size_t n_bytes)
{
    const struct kl_collection *data = &run->data;
    uint32_t d = 0;

    while (d + 1 < data->n_datasets && number >= data->datasets[d]->n_classes)
        number -= data->datasets[d++]->n_classes;
    snprintf(name, n_bytes, data->n_datasets > 1 ? "%s (%s)" : "%s",
             kl_dataset_class_name(data->datasets[d], number), data->datasets[d]->name);
}

void kl_strip_title(const struct kl_run *run, const struct kl_strip *strip, char *text,
                    size_t n_bytes)
{
    int is_text = kl_history_is_text(&run->history);
    char output[200];

    kl_word_output(run, strip->output, output, sizeof output);
    switch (strip->kind) {
    case KL_STRIP_LOOKS:
        snprintf(text, n_bytes, is_text ? "It reads from" : "It looks at");
        break;
    case KL_STRIP_AGAINST:
        snprintf(text, n_bytes, "Against %s", output);
        break;
    case KL_STRIP_LABEL:
        snprintf(text, n_bytes, is_text ? "For %s, which follows" : "For %s, its label", output);
        break;
    default:
        snprintf(text, n_bytes, "For %s", output);
    }
}

void kl_strip_sentence(const struct kl_run *run, const struct kl_strip *strip, char *text,
                       size_t n_bytes)
{
    int is_one = strip->n == 1, takes = strip->sum < 0, all_take = strip->correction < 0;
    char output[200], these[32], sum[KL_WORD_BYTES], all[KL_WORD_BYTES], n_all[KL_WORD_BYTES],
        end[80], back[KL_WORD_BYTES];

    kl_word_output(run, strip->output, output, sizeof output);
    kl_word_signed(strip->sum, sum);
    kl_word_signed(strip->correction, all);
    kl_word_count(strip->n_samples, n_all);
    snprintf(these, sizeof these, is_one ? "his one" : "hese %u", strip->n);
    if (strip->kind == KL_STRIP_LOOKS && isnan(strip->sum)) {
        snprintf(text, n_bytes, "The largest |attention| of %s.", n_all);
        return;
    }
    if (strip->kind == KL_STRIP_LOOKS) {
        snprintf(text, n_bytes,
                 "The largest |attention| of %s. To look is not to argue: t%s %s%s %s %s %s.",
                 n_all, these, takes ? "take" : "add", is_one ? "s" : "", sum,
                 takes ? "from" : "to", output);
        return;
    }
    if (strip->n == 0) {
        snprintf(text, n_bytes, "Nothing that was trained on %s %s.",
                 strip->kind == KL_STRIP_AGAINST ? "takes from" : "adds to", output);
        return;
    }
    if (takes != all_take)
        snprintf(end, sizeof end, "the rest outweighs them");
    else if (fabs(strip->sum) > fabs(strip->correction))
        snprintf(end, sizeof end, "the others %s back %s", takes ? "give" : "take",
                 kl_word_short(fabs(strip->sum - strip->correction), back));
    else
        snprintf(end, sizeof end, "%.0f" SPACE "%% of the correction",
                 100 * strip->sum / strip->correction);
    snprintf(text, n_bytes, "T%s %s%s %s %s %s; all %s together %s %s: %s.", these,
             takes ? "take" : "add", is_one ? "s" : "", sum, takes ? "from" : "to", output, n_all,
             all_take ? "take" : "add", all, end);
}
