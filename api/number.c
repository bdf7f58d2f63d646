#include "api/number.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

#define DIGITS 7
#define TEN_TO_DIGITS 10000000
/* Powers of ten up to 10^22 are exact, so numbers of these sizes take one rounding. */
#define SMALLEST 1e-15
#define LARGEST 1e15

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* size = 0.d1d2d3... x 10^*point, as the whole number of its seven digits. */
static uint32_t digits_of(double size, int *point)
{
    int exponent = (int)floor(log10(size));
    int shift = DIGITS - 1 - exponent;
    double scaled = shift >= 0 ? size * powers[shift] : size / powers[-shift];
    uint32_t digits = (uint32_t)llrint(scaled);

    if (digits >= TEN_TO_DIGITS) { /* rounded up, or log10 was */
        digits = (uint32_t)llrint(scaled / 10);
        exponent++;
    } else if (digits < TEN_TO_DIGITS / 10) {
        digits = (uint32_t)llrint(scaled * 10);
        exponent--;
    }
    *point = exponent + 1;
    return digits;
}

/* The digits with a point after the first n_whole of them, without zeros at the end. */
static char *print_digits(const char *digits, int n, int n_whole, char *out)
{
    for (int i = 0; i < n || i < n_whole; i++) {
        if (i == n_whole)
            *out++ = '.';
        *out++ = i < n ? digits[i] : '0';
    }
    return out;
}

size_t kl_print_number(double value, char *out)
{
    double size = fabs(value);
    char digits[DIGITS], *end = out;
    int n = DIGITS, point;
    uint32_t rest;

    if (!isfinite(value))
        return (size_t)snprintf(out, KL_NUMBER_BYTES, "null");
    if (!(size >= SMALLEST && size < LARGEST))
        return (size_t)snprintf(out, KL_NUMBER_BYTES, "%.7g", value);
    rest = digits_of(size, &point);
    for (int i = DIGITS; i-- > 0; rest /= 10)
        digits[i] = (char)('0' + rest % 10);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    if (value < 0)
        *end++ = '-';
    if (point > DIGITS || point < -3) {
        end = print_digits(digits, n, 1, end);
        return (size_t)(end - out) +
               (size_t)snprintf(end, KL_NUMBER_BYTES - (size_t)(end - out), "e%+03d", point - 1);
    }
    if (point <= 0) {
        *end++ = '0';
        *end++ = '.';
        for (int i = point; i < 0; i++)
            *end++ = '0';
    }
    end = print_digits(digits, n, point > 0 ? point : n, end);
    *end = '\0';
    return (size_t)(end - out);
}
