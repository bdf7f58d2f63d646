/* Settings as text: the reading and writing of one. */
#include <ctype.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/utf8.h"
#include "core/training/settings.h"

static void *field_of(const struct kl_setting *setting, struct kl_training *training)
{
    return (char *)training + setting->offset;
}

static const void *read_field(const struct kl_setting *setting, const struct kl_training *training)
{
    return (const char *)training + setting->offset;
}

static enum kl_status wrong(const struct kl_setting *setting, const char *text,
                            struct kl_error *err)
{
    char rule[KL_VALUE_BYTES];

    kl_setting_rule(setting, rule);
    return kl_fail_on(err, KL_ERR_USAGE, setting->name, "%s %s, not '%.40s'", setting->name, rule,
                      text);
}

static int is_inside(const struct kl_setting *setting, double value)
{
    return (value > setting->low || (value == setting->low && !(setting->open & KL_OPEN_LOW))) &&
           (value < setting->high || (value == setting->high && !(setting->open & KL_OPEN_HIGH)));
}

static enum kl_status parse_whole(const struct kl_setting *setting, const char *text, void *field,
                                  struct kl_error *err)
{
    char *end;
    uint64_t value = strtoull(text, &end, 10); /* beyond all bounds, it is the largest number */

    if (!isdigit((unsigned char)*text) || *end)
        return kl_fail_on(err, KL_ERR_USAGE, setting->name, "%s is a whole number, not '%.40s'",
                          setting->name, text);
    if (!is_inside(setting, (double)value))
        return wrong(setting, text, err);
    if (setting->type == KL_SETTING_SEED)
        *(uint64_t *)field = value;
    else
        *(uint32_t *)field = (uint32_t)value;
    return KL_OK;
}

static enum kl_status parse_real(const struct kl_setting *setting, const char *text, double *field,
                                 struct kl_error *err)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end || isnan(value))
        return kl_fail_on(err, KL_ERR_USAGE, setting->name, "%s is a number, not '%.40s'",
                          setting->name, text);
    if (!is_inside(setting, value))
        return wrong(setting, text, err);
    *field = value;
    return KL_OK;
}

static enum kl_status parse_choice(const struct kl_setting *setting, const char *text,
                                   uint32_t *field, struct kl_error *err)
{
    const char *name;
    enum kl_token_kind kind;

    for (uint32_t i = (uint32_t)setting->low; (name = setting->choice(i)); i++) {
        if (!strcmp(name, text)) {
            *field = i;
            return KL_OK;
        }
    }
    if (!strcmp(setting->name, "tokens") && !kl_token_kind_parse(text, &kind)) { /* older words */
        *field = kind;
        return KL_OK;
    }
    return wrong(setting, text, err);
}

/* A list of whole numbers with commas between them: 0, or -1. */
static int parse_list(const struct kl_setting *setting, const char *text, uint32_t most,
                      uint32_t *numbers, uint32_t *n)
{
    const char *rest = text;

    for (*n = 0;; rest++) {
        char *end;
        unsigned long long number = strtoull(rest, &end, 10);

        if (!isdigit((unsigned char)*rest) || (*end && *end != ',') || *n == most ||
            !is_inside(setting, (double)number))
            return -1;
        numbers[(*n)++] = (uint32_t)number;
        rest = end;
        if (!*rest)
            return 0;
    }
}

static enum kl_status parse_widths(const struct kl_setting *setting, const char *text,
                                   struct kl_model_settings *field, struct kl_error *err)
{
    uint32_t widths[KL_LAYERS_MAX - 1], n = 0;

    if (strcmp(text, "none") != 0 && parse_list(setting, text, KL_LAYERS_MAX - 1, widths, &n))
        return wrong(setting, text, err);
    field->n_hidden = n;
    memcpy(field->hidden, widths, n * sizeof *widths);
    return KL_OK;
}

static enum kl_status parse_steps(const struct kl_setting *setting, const char *text,
                                  struct kl_training *training, struct kl_error *err)
{
    uint32_t steps[KL_DATASETS_MAX - 1], n = 0;

    if (*text && parse_list(setting, text, KL_DATASETS_MAX - 1, steps, &n))
        return wrong(setting, text, err);
    training->n_switches = n;
    memcpy(training->switches, steps, n * sizeof *steps);
    return KL_OK;
}

/* "32" or "32x24"; nothing: not said. */
static enum kl_status parse_size(const struct kl_setting *setting, const char *text,
                                 struct kl_image_size *field, struct kl_error *err)
{
    char *end = NULL;
    unsigned long width = strtoul(text, &end, 10), height = width;

    if (!*text) {
        *field = (struct kl_image_size){0, 0};
        return KL_OK;
    }
    if (*end == 'x' && isdigit((unsigned char)end[1]))
        height = strtoul(end + 1, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || !is_inside(setting, (double)width) ||
        !is_inside(setting, (double)height) || width * height > KL_WIDTH_MAX / 3)
        return wrong(setting, text, err);
    *field = (struct kl_image_size){(uint32_t)width, (uint32_t)height};
    return KL_OK;
}

static enum kl_status parse_text(const struct kl_setting *setting, const char *text, char *field,
                                 struct kl_error *err)
{
    char copy[KL_NAME_MAX];

    if (strlen(text) >= sizeof copy || (!*text && *setting->fallback))
        return wrong(setting, text, err);
    snprintf(copy, sizeof copy, "%s", text);
    if (kl_utf8_repair(copy))
        return kl_fail_on(err, KL_ERR_USAGE, setting->name, "%s is text in UTF-8", setting->name);
    memcpy(field, copy, sizeof copy);
    return KL_OK;
}

enum kl_status kl_setting_parse(const struct kl_setting *setting, const char *text,
                                struct kl_training *training, struct kl_error *err)
{
    void *field = field_of(setting, training);

    switch (setting->type) {
    case KL_SETTING_TEXT:
        return parse_text(setting, text, field, err);
    case KL_SETTING_REAL:
        return parse_real(setting, text, field, err);
    case KL_SETTING_CHOICE:
        return parse_choice(setting, text, field, err);
    case KL_SETTING_WIDTHS:
        return parse_widths(setting, text, field, err);
    case KL_SETTING_STEPS:
        return parse_steps(setting, text, training, err);
    case KL_SETTING_SIZE:
        return parse_size(setting, text, field, err);
    case KL_SETTING_INTEGER:
    case KL_SETTING_SEED:
    case KL_SETTING_FLAG:
        break;
    }
    return parse_whole(setting, text, field, err);
}

static void format_list(const uint32_t *numbers, uint32_t n, char text[KL_VALUE_BYTES])
{
    size_t used = 0;

    text[0] = '\0';
    for (uint32_t i = 0; i < n && used < KL_VALUE_BYTES; i++)
        used +=
            (size_t)snprintf(text + used, KL_VALUE_BYTES - used, "%s%u", i ? "," : "", numbers[i]);
}

/* The shortest digits that are read back as the same number. */
static void format_real(double value, char text[KL_VALUE_BYTES])
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, KL_VALUE_BYTES, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
}

void kl_setting_format(const struct kl_setting *setting, const struct kl_training *training,
                       char text[KL_VALUE_BYTES])
{
    const void *field = read_field(setting, training);
    const struct kl_model_settings *model = &training->model;
    const struct kl_image_size *size = &training->selection.image_size;
    const char *name;

    switch (setting->type) {
    case KL_SETTING_TEXT:
        snprintf(text, KL_VALUE_BYTES, "%s", (const char *)field);
        break;
    case KL_SETTING_REAL:
        format_real(*(const double *)field, text);
        break;
    case KL_SETTING_CHOICE:
        name = setting->choice(*(const uint32_t *)field);
        snprintf(text, KL_VALUE_BYTES, "%s", name ? name : "");
        break;
    case KL_SETTING_WIDTHS:
        format_list(model->hidden, model->n_hidden, text);
        if (!model->n_hidden)
            snprintf(text, KL_VALUE_BYTES, "none");
        break;
    case KL_SETTING_STEPS:
        format_list(training->switches, training->n_switches, text);
        break;
    case KL_SETTING_SIZE:
        text[0] = '\0';
        if (size->width)
            snprintf(text, KL_VALUE_BYTES, "%ux%u", size->width, size->height);
        break;
    case KL_SETTING_SEED:
        snprintf(text, KL_VALUE_BYTES, "%" PRIu64, *(const uint64_t *)field);
        break;
    case KL_SETTING_INTEGER:
    case KL_SETTING_FLAG:
        snprintf(text, KL_VALUE_BYTES, "%" PRIu32, *(const uint32_t *)field);
        break;
    }
}

static void rule_of_choice(const struct kl_setting *setting, char text[KL_VALUE_BYTES])
{
    uint32_t first = (uint32_t)setting->low;
    size_t used = (size_t)snprintf(text, KL_VALUE_BYTES, "is %s", setting->choice(first));

    for (uint32_t i = first + 1; setting->choice(i) && used < KL_VALUE_BYTES; i++)
        used += (size_t)snprintf(text + used, KL_VALUE_BYTES - used, "%s%s",
                                 setting->choice(i + 1) ? ", " : " or ", setting->choice(i));
}

static void rule_of_real(const struct kl_setting *setting, char text[KL_VALUE_BYTES])
{
    int used = snprintf(text, KL_VALUE_BYTES, "is %s %g",
                        setting->open & KL_OPEN_LOW ? "above" : "at least", setting->low);

    if (isfinite(setting->high))
        snprintf(text + used, KL_VALUE_BYTES - (size_t)used, " and %s %g",
                 setting->open & KL_OPEN_HIGH ? "below" : "at most", setting->high);
    else
        snprintf(text + used, KL_VALUE_BYTES - (size_t)used, ", and finite");
}

void kl_setting_rule(const struct kl_setting *setting, char text[KL_VALUE_BYTES])
{
    switch (setting->type) {
    case KL_SETTING_TEXT:
        snprintf(text, KL_VALUE_BYTES, "is 1 to %d bytes long", KL_NAME_MAX - 1);
        break;
    case KL_SETTING_REAL:
        rule_of_real(setting, text);
        break;
    case KL_SETTING_CHOICE:
        rule_of_choice(setting, text);
        break;
    case KL_SETTING_WIDTHS:
        snprintf(text, KL_VALUE_BYTES,
                 "is a list of at most %d widths from 1 to %.0f such as 256,256, or 'none'",
                 KL_LAYERS_MAX - 1, setting->high);
        break;
    case KL_SETTING_STEPS:
        snprintf(text, KL_VALUE_BYTES, "is a step, or a list of up to %d such as 3000,6000",
                 KL_DATASETS_MAX - 1);
        break;
    case KL_SETTING_SIZE:
        snprintf(text, KL_VALUE_BYTES,
                 "is a side such as 32, or WIDTHxHEIGHT, of at most %d pixels in all",
                 KL_WIDTH_MAX / 3);
        break;
    case KL_SETTING_INTEGER:
    case KL_SETTING_SEED:
    case KL_SETTING_FLAG:
        snprintf(text, KL_VALUE_BYTES, "is %.0f to %.0f", setting->low, setting->high);
        break;
    }
}

double kl_setting_number(const struct kl_setting *setting, const struct kl_training *training)
{
    const void *field = read_field(setting, training);

    switch (setting->type) {
    case KL_SETTING_REAL:
        return *(const double *)field;
    case KL_SETTING_SEED:
        return (double)*(const uint64_t *)field;
    default:
        return *(const uint32_t *)field;
    }
}

void kl_settings_default(struct kl_training *training)
{
    const struct kl_setting *setting;
    struct kl_error never; /* fallbacks are within their bounds: tests/core/test_settings.c */

    memset(training, 0, sizeof *training);
    for (uint32_t i = 0; (setting = kl_setting_at(i)); i++)
        (void)kl_setting_parse(setting, setting->fallback, training, &never);
}
