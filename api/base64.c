#include "api/base64.h"

#include <string.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void kl_base64_put(FILE *file, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i += 3) {
        uint32_t three = (uint32_t)bytes[i] << 16 | (i + 1 < n ? (uint32_t)bytes[i + 1] << 8 : 0) |
                         (i + 2 < n ? bytes[i + 2] : 0);

        putc(letters[three >> 18], file);
        putc(letters[three >> 12 & 63], file);
        putc(i + 1 < n ? letters[three >> 6 & 63] : '=', file);
        putc(i + 2 < n ? letters[three & 63] : '=', file);
    }
}

static int value_of(char letter)
{
    const char *at = letter ? strchr(letters, letter) : NULL;

    return at ? (int)(at - letters) : -1;
}

int64_t kl_base64_read(const char *text, size_t length, uint8_t *bytes)
{
    size_t n = 0, filling = 0;

    if (length % 4)
        return -1;
    while (filling < 2 && filling < length && text[length - 1 - filling] == '=')
        filling++;
    for (size_t i = 0; i < length; i += 4) {
        uint32_t word = 0;

        for (size_t j = 0; j < 4; j++) {
            int value = i + j >= length - filling ? 0 : value_of(text[i + j]);

            if (value < 0)
                return -1;
            word = word << 6 | (uint32_t)value;
        }
        for (int shift = 16; shift >= 0; shift -= 8)
            bytes[n++] = (uint8_t)(word >> shift);
    }
    return (int64_t)(n - filling);
}
