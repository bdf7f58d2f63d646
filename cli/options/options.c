#include "cli/options/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/help.h"
#include "config.h"

#define PATH_BYTES 4096

/* The options of a table in a row, settings one by one. */
static void flatten(const struct kl_options *options, struct kl_flat_options *flat)
{
    const struct kl_setting *setting;

    flat->n = 0;
    for (const struct kl_option *option = options->options; option->type; option++) {
        if (option->type != KL_OPTION_SETTINGS) {
            flat->list[flat->n++] = (struct kl_flat_option){option, NULL, 0};
            continue;
        }
        for (uint32_t i = 0; (setting = kl_setting_at(i)); i++)
            if (setting->flag && setting->applies == (unsigned)option->low)
                flat->list[flat->n++] = (struct kl_flat_option){option, setting, i};
    }
}

static int takes_value(const struct kl_flat_option *option)
{
    return option->setting ? option->setting->type != KL_SETTING_FLAG
                           : option->option->value != NULL;
}

/* How many letters have to be changed, put in, left out or swapped with their neighbour. */
static unsigned distance(const char *a, const char *b)
{
    unsigned rows[3][64];
    size_t n = strlen(a), m = strlen(b);

    if (n >= 64 || m >= 64)
        return 64;
    for (size_t j = 0; j <= m; j++)
        rows[0][j] = (unsigned)j;
    for (size_t i = 1; i <= n; i++) {
        unsigned *row = rows[i % 3], *before = rows[(i - 1) % 3], *earlier = rows[(i + 1) % 3];

        row[0] = (unsigned)i;
        for (size_t j = 1; j <= m; j++) {
            unsigned best = before[j - 1] + (a[i - 1] != b[j - 1]);

            best = before[j] + 1 < best ? before[j] + 1 : best;
            best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                earlier[j - 2] + 1 < best)
                best = earlier[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[n % 3][m];
}

const char *kl_nearest(const char *typed, const char *const *words)
{
    unsigned most = (unsigned)strlen(typed) / 3 + 1, nearest = most + 1;
    const char *found = NULL;

    for (; *words; words++) {
        unsigned far = distance(typed, *words);

        if (far < nearest) {
            nearest = far;
            found = *words;
        }
    }
    return found;
}

static enum kl_status unknown(const struct kl_options *options, const struct kl_flat_options *flat,
                              const char *argument, struct kl_error *err)
{
    const char *words[KL_FLAT_MAX + 3], *name = argument + strspn(argument, "-"), *nearest;
    char typed[64];
    size_t n = 0;

    for (size_t i = 0; i < flat->n; i++)
        if (flat->list[i].option->type != KL_OPTION_HEADING)
            words[n++] = kl_flat_name(&flat->list[i]);
    words[n++] = "help";
    words[n++] = "version";
    words[n] = NULL;
    snprintf(typed, sizeof typed, "%.*s", (int)strcspn(name, "="), name);
    nearest = argument[1] == '-' ? kl_nearest(typed, words) : NULL;
    if (nearest)
        return kl_fail(err, KL_ERR_USAGE, "%s does not know %.60s: did you mean --%s?",
                       options->command, argument, nearest);
    return kl_fail(err, KL_ERR_USAGE, "%s does not know %.60s: see 'keylight %s --help'",
                   options->command, argument, options->command);
}

/* The option that a name means: itself, or as its only beginning. */
static const struct kl_flat_option *find(const struct kl_flat_options *flat, const char *name,
                                         size_t length)
{
    const struct kl_flat_option *found = NULL;

    for (size_t i = 0; i < flat->n; i++) {
        const char *own =
            flat->list[i].option->type == KL_OPTION_HEADING ? "" : kl_flat_name(&flat->list[i]);

        if (strncmp(own, name, length) != 0)
            continue;
        if (!own[length])
            return &flat->list[i];
        if (found)
            return NULL;
        found = &flat->list[i];
    }
    return found;
}

static enum kl_status set_number(const struct kl_option *option, const char *text,
                                 struct kl_error *err)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || (double)number < option->low ||
        (double)number > option->high)
        return kl_fail(err, KL_ERR_USAGE, "--%s is a whole number from %.0f to %.0f, not '%.40s'",
                       option->name, option->low, option->high, text);
    *(uint32_t *)option->target = (uint32_t)number;
    return KL_OK;
}

static enum kl_status set_size(const struct kl_option *option, const char *text,
                               struct kl_error *err)
{
    static const char units[] = "KMGT";
    char *end;
    double number = strtod(text, &end);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;

    if (end == text || !(number >= 0) || (*end && (!unit || end[1])) || number > 1e15)
        return kl_fail(err, KL_ERR_USAGE, "--%s is a size such as 500M or 4G, not '%.40s'",
                       option->name, text);
    *(uint64_t *)option->target =
        (uint64_t)(number * (unit ? pow(1024, (double)(unit - units + 1)) : 1));
    return KL_OK;
}

static enum kl_status set_setting(const struct kl_flat_option *option, const char *value,
                                  struct kl_error *err)
{
    struct kl_settings_target *target = option->option->target;
    char rule[KL_VALUE_BYTES];

    target->given |= UINT64_C(1) << option->number;
    if (option->setting->type == KL_SETTING_TEXT && !*value) {
        kl_setting_rule(option->setting, rule);
        return kl_fail(err, KL_ERR_USAGE, "--%s %s", option->setting->flag, rule);
    }
    return kl_setting_parse(option->setting, value ? value : "1", target->training, err);
}

static enum kl_status set(const struct kl_flat_option *flat, const char *value,
                          struct kl_error *err)
{
    const struct kl_option *option = flat->option;

    switch (option->type) {
    case KL_OPTION_FLAG:
        *(int *)option->target = 1;
        return KL_OK;
    case KL_OPTION_TEXT:
        *(const char **)option->target = value;
        return KL_OK;
    case KL_OPTION_NUMBER:
        return set_number(option, value, err);
    case KL_OPTION_SIZE:
        return set_size(option, value, err);
    case KL_OPTION_CALL:
        return option->call(option->target, value, err);
    case KL_OPTION_SETTINGS:
        return set_setting(flat, value, err);
    case KL_OPTION_END:
    case KL_OPTION_HEADING:
        break;
    }
    return KL_OK;
}

/* One argument that begins with two dashes; *i moves on where its value is the next one. */
static enum kl_status take_long(const struct kl_options *options,
                                const struct kl_flat_options *flat, int argc, char **argv, int *i,
                                int *is_done, struct kl_error *err)
{
    const char *name = argv[*i] + 2, *equals = strchr(name, '='),
               *value = equals ? equals + 1 : NULL;
    size_t length = equals ? (size_t)(equals - name) : strlen(name);
    const struct kl_flat_option *option;
    enum kl_help_format format;

    if (!strcmp(name, "version")) {
        *is_done = 1;
        puts(PACKAGE_STRING);
        return KL_OK;
    }
    if (!strncmp(name, "help", 4) && !kl_help_format_parse(name + 4, &format)) {
        *is_done = 1;
        kl_options_print(options, flat, format);
        return KL_OK;
    }
    option = length ? find(flat, name, length) : NULL;
    if (!option)
        return unknown(options, flat, argv[*i], err);
    if (!takes_value(option) && value)
        return kl_fail(err, KL_ERR_USAGE, "--%s takes no value", kl_flat_name(option));
    if (takes_value(option) && !value) {
        if (*i + 1 >= argc)
            return kl_fail(err, KL_ERR_USAGE, "%s needs a value: see 'keylight %s --help'",
                           argv[*i], options->command);
        value = argv[++*i];
    }
    return set(option, value, err);
}

enum kl_status kl_options_parse(const struct kl_options *options, int argc, char **argv,
                                int *n_operands, int *is_done, struct kl_error *err)
{
    struct kl_flat_options flat;
    int only_operands = 0, n = 0;
    enum kl_status status = KL_OK;

    flatten(options, &flat);
    *is_done = 0;
    for (int i = 1; !status && !*is_done && i < argc; i++) {
        char *argument = argv[i];

        if (only_operands || argument[0] != '-' || !argument[1]) {
            argv[1 + n++] = argument;
        } else if (!strcmp(argument, "--")) {
            only_operands = 1;
        } else if (!strcmp(argument, "-h") || !strcmp(argument, "-V")) {
            *is_done = 1;
            if (argument[1] == 'V')
                puts(PACKAGE_STRING);
            else
                kl_options_print(options, &flat, KL_HELP_TEXT);
        } else if (argument[1] == '-') {
            status = take_long(options, &flat, argc, argv, &i, is_done, err);
        } else {
            status = unknown(options, &flat, argument, err);
        }
    }
    *n_operands = n;
    return status;
}

int kl_setting_given(const struct kl_settings_target *target, const char *name)
{
    const struct kl_setting *setting;

    for (uint32_t i = 0; (setting = kl_setting_at(i)); i++)
        if (!strcmp(setting->name, name))
            return (target->given >> i & 1) != 0;
    return 0;
}

enum kl_status kl_one_operand(char **argv, int n_operands, const char *what, const char **operand,
                              struct kl_error *err)
{
    if (n_operands != 1)
        return kl_fail(err, KL_ERR_USAGE, "%s takes one %s: see 'keylight %s --help'", argv[0],
                       what, argv[0]);
    *operand = argv[1];
    return KL_OK;
}

enum kl_status kl_check_path(const char *option, const char *path, struct kl_error *err)
{
    return path && strlen(path) >= PATH_BYTES
               ? kl_fail(err, KL_ERR_USAGE, "the path of --%s is too long", option)
               : KL_OK;
}
