/* A command's options as one table, from which it is parsed and its help and man page are written:
 * there is no second list. After git's parse-options. */
#ifndef KL_CLI_OPTIONS_OPTIONS_H
#define KL_CLI_OPTIONS_OPTIONS_H

#include "cli/options/option.h"

/* Reads argv, whose first entry is the command's name: options set their targets, operands are
 * moved to the front of argv + 1 (*n_operands of them). After --help or --version, which print,
 * *is_done is 1. Errors: KL_ERR_USAGE. */
enum kl_status kl_options_parse(const struct kl_options *options, int argc, char **argv,
                                int *n_operands, int *is_done, struct kl_error *err);

/* Whether a setting was given, by its name. */
int kl_setting_given(const struct kl_settings_target *target, const char *name);

/* Exactly one operand must be there. Errors: KL_ERR_USAGE. */
enum kl_status kl_one_operand(char **argv, int n_operands, const char *what, const char **operand,
                              struct kl_error *err);

/* The one of the words (ended by NULL) that a mistyped one most likely means, or NULL. */
const char *kl_nearest(const char *typed, const char *const *words);

/* Texts longer than a path can be are refused. Errors: KL_ERR_USAGE, naming the option. */
enum kl_status kl_check_path(const char *option, const char *path, struct kl_error *err);

#endif
