/* What a person should know about something that went well: sentences, in order. */
#ifndef KL_CORE_BASE_NOTES_H
#define KL_CORE_BASE_NOTES_H

#include <stddef.h>

/* All zeros is none. */
struct kl_notes {
    char **sentences; /* (n) UTF-8 without a full stop */
    size_t n;
};

/* Adds one, as printf does. Where memory ends, it is left out. */
__attribute__((format(printf, 2, 3))) void kl_note(struct kl_notes *notes, const char *format, ...);

void kl_notes_clear(struct kl_notes *notes);

#endif
