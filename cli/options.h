/* Command line options: a thin layer over getopt_long with this project's messages. */
#ifndef KL_CLI_OPTIONS_H
#define KL_CLI_OPTIONS_H

#include <getopt.h>
#include <stdint.h>

#include "core/base/error.h"

/* As getopt_long with long options only: the option's val, -1 at the end, or '?' after having
 * filled *err. Options 'h' and 'V' print help or the version and return -2. */
int kl_next_option(int argc, char **argv, const struct option *options, const char *help,
                   struct kl_error *err);

/* Every command's own options end with these. */
#define KL_COMMON_OPTIONS                                                                          \
    {"help", no_argument, NULL, 'h'},                                                              \
    {                                                                                              \
        "version", no_argument, NULL, 'V'                                                          \
    }

/* Numbers of an option. Errors: KL_ERR_USAGE, naming the option and the range. */
enum kl_status kl_option_integer(const char *option, const char *text, uint64_t low, uint64_t high,
                                 uint64_t *value, struct kl_error *err);
enum kl_status kl_option_real(const char *option, const char *text, double *value,
                              struct kl_error *err);

/* A size in bytes: a number with an optional K, M, G or T (powers of 1024). */
enum kl_status kl_option_size(const char *option, const char *text, uint64_t *bytes,
                              struct kl_error *err);

/* Exactly one operand must be left, or at least one. Errors: KL_ERR_USAGE. */
enum kl_status kl_one_operand(int argc, char **argv, const char *what, const char **operand,
                              struct kl_error *err);

/* The words of kl_parse_rank (api/parameters.h). */
struct kl_query;
enum kl_status kl_option_rank(const char *text, struct kl_query *query, struct kl_error *err);

#endif
