#include "core/base/utf8.h"

#include <string.h>

#include "core/base/memory.h"

size_t kl_utf8_character(const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t length = 0;

    if (at[0] < 0x80)
        return 1;
    if (at[0] >= 0xc2 && at[0] < 0xe0)
        length = 2;
    else if (at[0] >= 0xe0 && at[0] < 0xf0)
        length = 3;
    else if (at[0] >= 0xf0 && at[0] <= 0xf4)
        length = 4;
    for (size_t i = 1; i < length; i++)
        if ((at[i] & 0xc0) != 0x80) /* the final NUL, too */
            return 0;
    /* Overlong forms, surrogates, and beyond the last code point. */
    if ((at[0] == 0xe0 && at[1] < 0xa0) || (at[0] == 0xed && at[1] > 0x9f) ||
        (at[0] == 0xf0 && at[1] < 0x90) || (at[0] == 0xf4 && at[1] > 0x8f))
        return 0;
    return length;
}

size_t kl_utf8_clean(char *text)
{
    const char *from = strncmp(text, "\xef\xbb\xbf", 3) ? text : text + 3;
    char *to = text;

    while (*from) {
        size_t length = kl_utf8_character(from);

        if (length == 0)
            return (size_t)(from - text) + 1;
        if (from[0] == '\r' && from[1] == '\n')
            from++;
        memmove(to, from, length);
        to += length;
        from += length;
    }
    *to = '\0';
    return 0;
}

unsigned kl_utf8_repair(char *text)
{
    unsigned char *at = (unsigned char *)text;
    unsigned replaced = 0;

    while (*at) {
        size_t length = kl_utf8_character((const char *)at);

        if (length == 0) {
            *at = '?';
            replaced++;
        }
        at += length ? length : 1;
    }
    return replaced;
}

enum kl_status kl_copy_text(char **copy, const char *text, struct kl_error *err)
{
    size_t n_bytes = strlen(text) + 1;
    enum kl_status status = kl_alloc(copy, n_bytes, 1, "a name", err);

    if (status)
        return status;
    memcpy(*copy, text, n_bytes);
    kl_utf8_repair(*copy);
    return KL_OK;
}
