#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"
#include "core/explain/attention.h"
#include "api/parameters.h"

int kl_next_option(int argc, char **argv, const struct option *options, const char *help,
                   struct kl_error *err)
{
    int option;

    opterr = 0;
    option = getopt_long(argc, argv, ":", options, NULL);
    switch (option) {
    case 'h':
        fputs(help, stdout);
        return -2;
    case 'V':
        puts(PACKAGE_STRING);
        return -2;
    case ':':
        kl_fail(err, KL_ERR_USAGE, "%.60s needs a value: see 'keylight %s --help'",
                argv[optind - 1], argv[0]);
        return '?';
    case '?':
        kl_fail(err, KL_ERR_USAGE, "keylight %s does not know %.60s: see 'keylight %s --help'",
                argv[0], argv[optind - 1], argv[0]);
        return '?';
    default:
        return option;
    }
}

enum kl_status kl_option_integer(const char *option, const char *text, uint64_t low, uint64_t high,
                                 uint64_t *value, struct kl_error *err)
{
    char *end;
    unsigned long long number;

    errno = 0;
    number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)*text) || *end || errno || number < low || number > high)
        return kl_fail(err, KL_ERR_USAGE, "--%s is a whole number from %llu to %llu, not '%.40s'",
                       option, (unsigned long long)low, (unsigned long long)high, text);
    *value = number;
    return KL_OK;
}

enum kl_status kl_option_real(const char *option, const char *text, double *value,
                              struct kl_error *err)
{
    char *end;
    double number = strtod(text, &end);

    if (end == text || *end || !isfinite(number))
        return kl_fail(err, KL_ERR_USAGE, "--%s is a number, not '%.40s'", option, text);
    *value = number;
    return KL_OK;
}

enum kl_status kl_option_size(const char *option, const char *text, uint64_t *bytes,
                              struct kl_error *err)
{
    static const char units[] = "KMGT";
    char *end;
    double number = strtod(text, &end);
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;

    if (end == text || !(number >= 0) || (*end && (!unit || end[1])) || number > 1e15)
        return kl_fail(err, KL_ERR_USAGE, "--%s is a size such as 500M or 4G, not '%.40s'", option,
                       text);
    *bytes = (uint64_t)(number * (unit ? pow(1024, (double)(unit - units + 1)) : 1));
    return KL_OK;
}

enum kl_status kl_one_operand(int argc, char **argv, const char *what, const char **operand,
                              struct kl_error *err)
{
    if (argc - optind != 1)
        return kl_fail(err, KL_ERR_USAGE, "keylight %s takes one %s: see 'keylight %s --help'",
                       argv[0], what, argv[0]);
    *operand = argv[optind];
    return KL_OK;
}

enum kl_status kl_option_rank(const char *text, struct kl_query *query, struct kl_error *err)
{
    if (kl_parse_rank(text, query))
        return kl_fail(err, KL_ERR_USAGE,
                       "--rank is abs, positive, negative, cosine, logit, effect, logit:OUTPUT, "
                       "effect:OUTPUT, helped or harmed, not '%.40s'",
                       text);
    return KL_OK;
}
