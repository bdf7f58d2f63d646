#include "core/base/notes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"

#define SENTENCE_BYTES 2048

void kl_note(struct kl_notes *notes, const char *format, ...)
{
    char text[SENTENCE_BYTES], **grown = realloc(notes->sentences, (notes->n + 1) * sizeof *grown);
    va_list arguments;

    if (!grown)
        return;
    notes->sentences = grown;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    kl_utf8_repair(text);
    grown[notes->n] = strdup(text);
    notes->n += grown[notes->n] != NULL;
}

void kl_notes_clear(struct kl_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++)
        free(notes->sentences[i]);
    free(notes->sentences);
    *notes = (struct kl_notes){NULL, 0};
}
