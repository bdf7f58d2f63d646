#include "cli/output/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/unicode.h"
#include "core/base/utf8.h"

#define WORDS_COLUMNS 60 /* of a description in a table */
#define ELLIPSIS "\xe2\x80\xa6"

char *kl_shown(const char *name)
{
    char *text = malloc(3 * strlen(name) + 1), *to = text;

    for (const char *at = name; text && *at;) {
        size_t length = kl_utf8_character(at);
        unsigned char byte = (unsigned char)*at;

        if (byte < 0x20 || byte == 0x7f) {
            *to++ = '\xe2';
            *to++ = '\x90';
            *to++ = byte == 0x7f ? '\xa1' : (char)(0x80 + byte);
            at++;
        } else if (length == 0 || (byte == 0xc2 && (unsigned char)at[1] < 0xa0)) {
            *to++ = '?';
            at += length ? length : 1;
        } else {
            memcpy(to, at, length);
            to += length;
            at += length;
        }
    }
    if (text)
        *to = '\0';
    return text;
}

void kl_print_name(const char *name, int columns)
{
    char *text = kl_shown(name);
    int width = text ? kl_unicode_columns(text) : 0;

    if (text && columns && width > columns) {
        size_t n_bytes = kl_unicode_fit(text, columns - 1);

        text[n_bytes] = '\0';
        printf("%s" ELLIPSIS, text);
        width = kl_unicode_columns(text) + 1;
    } else if (text) {
        fputs(text, stdout);
    }
    for (; width < columns; width++)
        putchar(' ');
    free(text);
}

/* The beginning of a description in one line: of a row of a table name: value; name: value. */
static void print_description(const char *words)
{
    char beginning[4 * WORDS_COLUMNS];
    size_t n = 0;

    for (; *words && n < sizeof beginning - 3; words++) {
        if (*words == '\t' || *words == '\n') {
            beginning[n++] = *words == '\t' ? ':' : ';';
            beginning[n++] = ' ';
        } else {
            beginning[n++] = *words;
        }
    }
    beginning[n] = '\0';
    kl_utf8_repair(beginning);
    kl_print_name(beginning, kl_unicode_columns(beginning) > WORDS_COLUMNS ? WORDS_COLUMNS : 0);
}

int kl_print_words(const char *before, const struct kl_dataset *dataset, enum kl_split split,
                   uint32_t index)
{
    const char *path = kl_dataset_path(dataset, split, index);
    const char *description = kl_dataset_description(dataset, split, index);

    if (!path && !description)
        return 0;
    fputs(before, stdout);
    if (path)
        kl_print_name(path, 0);
    else
        print_description(description);
    return 1;
}
