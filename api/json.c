#include "api/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/number.h"

static cJSON *number(double value)
{
    char digits[KL_NUMBER_BYTES];

    kl_print_number(value, digits);
    return cJSON_CreateRaw(digits);
}

void kl_json_number(cJSON *object, const char *name, double value)
{
    cJSON_AddItemToObject(object, name, number(value));
}

void kl_json_append(cJSON *array, double value)
{
    cJSON_AddItemToArray(array, number(value));
}

/* Counts are exact. */
void kl_json_count(cJSON *object, const char *name, uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    cJSON_AddRawToObject(object, name, digits);
}

/* Printed at once: a cJSON item per number would cost several times the text. */
cJSON *kl_json_list(const double *values, uint32_t n)
{
    size_t size = KL_NUMBER_BYTES * (size_t)n + 3, used = 1;
    char *text = malloc(size);
    cJSON *list;

    if (!text)
        return NULL; /* as cJSON does when memory runs out */
    text[0] = '[';
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            text[used++] = ',';
        used += kl_print_number(values[i], text + used);
    }
    memcpy(text + used, "]", 2);
    list = cJSON_CreateRaw(text);
    free(text);
    return list;
}

void kl_json_floats(cJSON *object, const char *name, const float *values, uint32_t n)
{
    cJSON *array = cJSON_AddArrayToObject(object, name);

    for (uint32_t i = 0; i < n; i++)
        cJSON_AddItemToArray(array, number((double)values[i]));
}

void kl_json_doubles(cJSON *object, const char *name, const double *values, uint32_t n)
{
    cJSON_AddItemToObject(object, name, kl_json_list(values, n));
}

char *kl_json_finish(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);

    cJSON_Delete(object);
    return text;
}

/* Whole numbers (counts and ids) in full and fast, others with five digits: returns the length. */
static size_t print_number(double number, char *out, size_t n_bytes)
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

/* Long lists are printed at once: a cJSON item per number would cost ten times the text. */
void kl_json_long_list(cJSON *object, const char *name, uint32_t n,
                       double (*value)(const void *self, uint32_t i), const void *self)
{
    size_t size = KL_NUMBER_BYTES * (size_t)n + 3, used = 1;
    char *text = malloc(size);

    if (!text)
        return; /* as cJSON does when memory runs out; kl_json_finish then gives what it can */
    text[0] = '[';
    for (uint32_t i = 0; i < n; i++) {
        double number = value(self, i);

        if (i)
            text[used++] = ',';
        used += print_number(number, text + used, size - used);
    }
    memcpy(text + used, "]", 2);
    cJSON_AddRawToObject(object, name, text);
    free(text);
}
