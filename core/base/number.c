#include "core/base/number.h"

#include <string.h>

int kl_parse_number(const char *text, uint32_t *number)
{
    size_t length = strlen(text);
    uint32_t value = 0;

    if (length < 1 || length > 9 || strspn(text, "0123456789") != length)
        return -1;
    for (size_t i = 0; i < length; i++)
        value = 10 * value + (uint32_t)(text[i] - '0');
    *number = value;
    return 0;
}
