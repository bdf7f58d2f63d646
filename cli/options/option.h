/* One option of a command: core of the tables that cli/options/options.h reads. */
#ifndef KL_CLI_OPTIONS_OPTION_H
#define KL_CLI_OPTIONS_OPTION_H

#include "core/training/settings.h"

enum kl_option_type {
    KL_OPTION_END,
    KL_OPTION_HEADING,  /* help: the heading of what follows */
    KL_OPTION_FLAG,     /* target: int, set to 1 */
    KL_OPTION_TEXT,     /* target: const char *, the text itself */
    KL_OPTION_NUMBER,   /* target: uint32_t, from low to high */
    KL_OPTION_SIZE,     /* target: uint64_t, bytes: a number with an optional K, M, G or T */
    KL_OPTION_CALL,     /* call(target, value, err); value is NULL without a value name */
    KL_OPTION_SETTINGS, /* target: struct kl_settings_target: the settings of the kinds of data in
                           low, as a set */
};

struct kl_option {
    enum kl_option_type type;
    const char *name;  /* without dashes */
    const char *value; /* what stands for its value in help; NULL: it takes none */
    void *target;
    double low, high;
    enum kl_status (*call)(void *target, const char *value, struct kl_error *err);
    const char *help;
    const char *(*choice)(
        uint32_t i); /* what its value can be, by number, NULL at the end; or NULL */
};

/* The settings that options set, and which of them were given, by their numbers. */
struct kl_settings_target {
    struct kl_training *training;
    uint64_t given;
};

/* What is to be parsed. */
struct kl_options {
    const char *command;             /* "train" */
    const char *usage;               /* lines that follow "usage: keylight " */
    const char *about;               /* paragraphs, lines of any length */
    const char *examples;            /* lines in pairs: what for, and the command */
    const struct kl_option *options; /* the last is KL_OPTION_END; help and version are added */
};

#endif
