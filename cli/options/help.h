/* Help and man page of a command, from its table of options. Internal to
 * cli/options/options.c. */
#ifndef KL_CLI_OPTIONS_HELP_H
#define KL_CLI_OPTIONS_HELP_H

#include "cli/options/option.h"

#define KL_FLAT_MAX 96

/* One option, or one setting of a row of them. */
struct kl_flat_option {
    const struct kl_option *option;
    const struct kl_setting *setting; /* or NULL */
    uint32_t number;                  /* of the setting */
};

struct kl_flat_options {
    struct kl_flat_option list[KL_FLAT_MAX];
    size_t n;
};

const char *kl_flat_name(const struct kl_flat_option *option);

/* KL_HELP_TEXT: what --help prints. KL_HELP_MAN: its man page, from SYNOPSIS on. KL_HELP_WORDS: for
 * shells, a line each: option, value or its choices with | between them, what it does; - for no
 * value. */
enum kl_help_format { KL_HELP_TEXT, KL_HELP_MAN, KL_HELP_WORDS };

/* Of the words behind "help", as in help=man: 0, or -1 for another. */
int kl_help_format_parse(const char *text, enum kl_help_format *format);
void kl_options_print(const struct kl_options *options, const struct kl_flat_options *flat,
                      enum kl_help_format format);

#endif
