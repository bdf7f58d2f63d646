#include "core/base/unicode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unigbrk.h>
#include <uninorm.h>
#include <unistr.h>
#include <uniwidth.h>

#include "core/base/memory.h"

#define ENCODING                                                                                   \
    "UTF-8" /* widths of ambiguous letters are those of a terminal that is not East Asian's */

enum kl_status kl_unicode_compose(const char *text, char **out, struct kl_error *err)
{
    size_t n_bytes = 0;
    uint8_t *composed =
        u8_normalize(UNINORM_NFC, (const uint8_t *)text, strlen(text) + 1, NULL, &n_bytes);

    if (!composed)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory for a text");
    *out = (char *)composed;
    return KL_OK;
}

int kl_unicode_is_utf16(const void *bytes, size_t n_bytes)
{
    return n_bytes >= 2 && (!memcmp(bytes, "\xff\xfe", 2) || !memcmp(bytes, "\xfe\xff", 2));
}

enum kl_status kl_unicode_from_utf16(const void *bytes, size_t n_bytes, char **out,
                                     struct kl_error *err)
{
    const uint8_t *byte = bytes;
    int is_big = byte[0] == 0xfe;
    size_t n = n_bytes / 2 - 1, n_out = 0;
    uint16_t *units = NULL;
    uint8_t *text;
    enum kl_status status;

    if (n_bytes % 2)
        return kl_fail(err, KL_ERR_INPUT, "it ends in the middle of a letter");
    status = kl_alloc(&units, n + 1, sizeof *units, "a text", err);
    if (status)
        return status;
    for (size_t i = 0; i < n; i++) {
        const uint8_t *at = byte + 2 * (i + 1);

        units[i] = (uint16_t)(is_big ? at[0] << 8 | at[1] : at[1] << 8 | at[0]);
        if (units[i] == 0) {
            free(units);
            return kl_fail(err, KL_ERR_INPUT, "it has characters of 0");
        }
    }
    text = u16_to_u8(units, n + 1, NULL, &n_out);
    free(units);
    if (!text)
        return errno == ENOMEM ? kl_fail(err, KL_ERR_MEMORY, "not enough memory for a text")
                               : kl_fail(err, KL_ERR_INPUT, "it has half a letter");
    *out = (char *)text;
    return KL_OK;
}

int kl_unicode_columns(const char *text)
{
    int columns = u8_strwidth((const uint8_t *)text, ENCODING);

    return columns < 0 ? 0 : columns;
}

size_t kl_unicode_fit(const char *text, int columns)
{
    const uint8_t *start = (const uint8_t *)text, *end = start + strlen(text), *at = start;

    while (at < end) {
        const uint8_t *next = u8_grapheme_next(at, end);
        int width = u8_width(at, (size_t)(next - at), ENCODING);

        if (width > columns)
            break;
        columns -= width;
        at = next;
    }
    return (size_t)(at - start);
}
