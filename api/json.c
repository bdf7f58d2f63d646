#include "api/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/number.h"

/* Room for n more bytes and the end of the text, or NULL. */
static char *room_for(struct kl_json *json, size_t n)
{
    size_t needed = json->n_bytes + n + 1, room = json->room;
    char *text;

    if (json->has_failed)
        return NULL;
    if (needed > room) {
        room = needed > 2 * room ? needed : 2 * room;
        text = realloc(json->text, room);
        if (!text) {
            kl_json_fail(json);
            return NULL;
        }
        json->text = text;
        json->room = room;
    }
    return json->text + json->n_bytes;
}

static void put(struct kl_json *json, const char *bytes, size_t n)
{
    char *to = room_for(json, n);

    if (to) {
        memcpy(to, bytes, n);
        json->n_bytes += n;
    }
}

/* A text in its quotes. */
static void put_string(struct kl_json *json, const char *text)
{
    static const char *const short_for[256] = {
        ['"'] = "\\\"", ['\\'] = "\\\\", ['\b'] = "\\b", ['\f'] = "\\f",
        ['\n'] = "\\n", ['\r'] = "\\r",  ['\t'] = "\\t"};
    const char *plain = text;

    put(json, "\"", 1);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        char escape[8];

        if (c >= 0x20 && !short_for[c])
            continue;
        put(json, plain, (size_t)(text - plain));
        plain = text + 1;
        if (!short_for[c])
            snprintf(escape, sizeof escape, "\\u%04x", c);
        put(json, short_for[c] ? short_for[c] : escape, short_for[c] ? 2 : 6);
    }
    put(json, plain, (size_t)(text - plain));
    put(json, "\"", 1);
}

/* What stands before a value: a comma, and its name. */
static void lead(struct kl_json *json, const char *name)
{
    if (json->has_before)
        put(json, ",", 1);
    json->has_before = 1;
    if (name) {
        put_string(json, name);
        put(json, ":", 1);
    }
}

static void open_container(struct kl_json *json, const char *name, const char *opener, char closer)
{
    lead(json, name);
    put(json, opener, 1);
    if (json->depth == KL_JSON_DEPTH_MAX)
        abort(); /* no answer is so deep */
    json->closers[json->depth++] = closer;
    json->has_before = 0;
}

struct kl_json kl_json_begin(void)
{
    struct kl_json json = {0};

    open_container(&json, NULL, "{", '}');
    return json;
}

char *kl_json_finish(struct kl_json *json)
{
    while (json->depth)
        kl_json_end(json);
    if (json->has_failed)
        return NULL;
    json->text[json->n_bytes] = '\0'; /* there is always room for it */
    return json->text;
}

void kl_json_fail(struct kl_json *json)
{
    free(json->text);
    json->text = NULL;
    json->has_failed = 1;
}

void kl_json_object(struct kl_json *json, const char *name)
{
    open_container(json, name, "{", '}');
}

void kl_json_list(struct kl_json *json, const char *name)
{
    open_container(json, name, "[", ']');
}

void kl_json_end(struct kl_json *json)
{
    put(json, &json->closers[--json->depth], 1);
    json->has_before = 1;
}

void kl_json_string(struct kl_json *json, const char *name, const char *text)
{
    lead(json, name);
    put_string(json, text);
}

void kl_json_number(struct kl_json *json, const char *name, double value)
{
    char digits[KL_NUMBER_BYTES];

    lead(json, name);
    put(json, digits, kl_print_number(value, digits));
}

void kl_json_count(struct kl_json *json, const char *name, uint64_t value)
{
    char digits[24];

    lead(json, name);
    put(json, digits, (size_t)snprintf(digits, sizeof digits, "%llu", (unsigned long long)value));
}

void kl_json_bool(struct kl_json *json, const char *name, int value)
{
    lead(json, name);
    put(json, value ? "true" : "false", value ? 4 : 5);
}

void kl_json_null(struct kl_json *json, const char *name)
{
    lead(json, name);
    put(json, "null", 4);
}

void kl_json_raw(struct kl_json *json, const char *name, const char *text)
{
    lead(json, name);
    put(json, text, strlen(text));
}

void kl_json_floats(struct kl_json *json, const char *name, const float *values, uint32_t n)
{
    kl_json_list(json, name);
    for (uint32_t i = 0; i < n; i++)
        kl_json_number(json, NULL, (double)values[i]);
    kl_json_end(json);
}

void kl_json_doubles(struct kl_json *json, const char *name, const double *values, uint32_t n)
{
    kl_json_list(json, name);
    for (uint32_t i = 0; i < n; i++)
        kl_json_number(json, NULL, values[i]);
    kl_json_end(json);
}

/* Whole numbers (counts and ids) in full and fast, others with five digits: returns the length. */
static size_t print_short(double number, char *out, size_t n_bytes)
{
    char digits[20];
    size_t n = 0, length = 0;
    uint64_t rest;

    if (!isfinite(number))
        return (size_t)snprintf(out, n_bytes, "null");
    if (number != rint(number) || fabs(number) > 1e15)
        return (size_t)snprintf(out, n_bytes, "%.5g", number);
    rest = (uint64_t)fabs(number);
    do
        digits[n++] = (char)('0' + rest % 10);
    while ((rest /= 10));
    if (number < 0)
        out[length++] = '-';
    while (n)
        out[length++] = digits[--n];
    return length;
}

void kl_json_long_list(struct kl_json *json, const char *name, uint32_t n,
                       double (*value)(const void *self, uint32_t i), const void *self)
{
    char digits[KL_NUMBER_BYTES];

    kl_json_list(json, name);
    for (uint32_t i = 0; i < n; i++) {
        lead(json, NULL);
        put(json, digits, print_short(value(self, i), digits, sizeof digits));
    }
    kl_json_end(json);
}
