#include "cli/remedy.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output/names.h"
#include "core/training/settings.h"

static void append(struct kl_error *err, const char *text, const char *path)
{
    size_t used = strlen(err->message);

    snprintf(err->message + used, sizeof err->message - used, "%s%.300s%s", text, path,
             *path ? "'" : "");
}

enum kl_status kl_remedy(struct kl_error *err, const char *path)
{
    if (err->is_told)
        return err->status;
    switch (err->status) {
    case KL_ERR_NOT_FOUND:
        append(err, ": check the name, or make it with 'keylight train --output ", path);
        break;
    case KL_ERR_UNFINISHED:
        append(err, "; go on with 'keylight train --resume ", path);
        break;
    case KL_ERR_EXISTS:
        append(err, ": name another --output, or replace it with --force", "");
        break;
    case KL_ERR_EMPTY:
        append(err, ": train it again with --force", "");
        break;
    case KL_ERR_OLDER:
        append(err, ": bring it up to date with 'keylight upgrade ", path);
        break;
    case KL_ERR_FULL:
        append(err, "; a training goes on from its last checkpoint with 'keylight train --resume ",
               path);
        break;
    case KL_ERR_DIVERGED:
        append(err, ": use a smaller --lr or a --clip", "");
        break;
    default:
        break;
    }
    return err->status;
}

/* The flag of the setting whose name a text begins with, as a word: NULL if it begins with none. */
static const char *flag_at(const char *text, size_t *length)
{
    const struct kl_setting *setting;

    *length = 0;
    while (isalnum((unsigned char)text[*length]) || text[*length] == '_')
        ++*length;
    for (uint32_t i = 0; (setting = kl_setting_at(i)); i++)
        if (strlen(setting->name) == *length && !memcmp(setting->name, text, *length))
            return setting->flag;
    return NULL;
}

/* Prints a sentence with the names of settings in braces as their flags, and, where it is about a
 * parameter, that at its beginning and others whose names are no words of a sentence. */
static void print_sentence(const char *sentence, const char *parameter, int names_settings)
{
    char *text = kl_shown(sentence);
    const char *rest = text ? text : "not enough memory";
    int is_start = *parameter != '\0';

    while (*rest) {
        size_t length;
        const char *flag = flag_at(rest + (*rest == '{'), &length);

        if (flag && *rest == '{' && rest[length + 1] == '}') {
            fprintf(stderr, "--%s", flag);
            rest += length + 2;
            continue;
        }
        flag = names_settings ? flag_at(rest, &length) : NULL;
        if (flag && (is_start || memchr(rest, '_', length)))
            fprintf(stderr, "--%s", flag);
        else if (is_start && length && length == strlen(parameter) &&
                 !memcmp(rest, parameter, length))
            fprintf(stderr, "--%.*s", (int)length, rest);
        else
            fprintf(stderr, "%.*s", (int)(length += length == 0), rest);
        rest += length;
        is_start = 0;
    }
    fputc('\n', stderr);
    free(text);
}

void kl_print_error(const struct kl_error *err)
{
    fputs("keylight: ", stderr);
    print_sentence(err->message, err->parameter, err->parameter[0] || err->status == KL_ERR_USAGE);
}

void kl_print_notes(const char *subject, const struct kl_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++) {
        fprintf(stderr, "%s: ", subject);
        print_sentence(notes->sentences[i], "", 0);
    }
}
