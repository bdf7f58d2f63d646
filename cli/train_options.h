/* What 'keylight train' is asked to do. */
#ifndef KL_CLI_TRAIN_OPTIONS_H
#define KL_CLI_TRAIN_OPTIONS_H

#include "cli/options/options.h"

struct kl_train_request {
    struct kl_training training;        /* but for the widths that the data decide */
    struct kl_settings_target settings; /* these, and which of them were given */
    const char *data[KL_DATASETS_MAX];
    uint32_t n_data;
    const char *preset, *output, *resume, *corrections; /* or NULL */
    int force, quiet;
    int is_preset_as_it_is; /* nothing was changed of it */
    int is_preset_data;     /* no other data was named */
    int is_help;            /* help or version was asked for, and has been printed */
};

/* Reads the command line into *request, which must not move. Errors: KL_ERR_USAGE. */
enum kl_status kl_train_parse(int argc, char **argv, struct kl_train_request *request,
                              struct kl_error *err);

/* Where nobody says how many steps, and the data is not the preset's own: some twenty passes over
 * so many patterns, and no more steps than the preset's. Returns whether it changed them. */
int kl_train_fit_steps(struct kl_train_request *request, uint64_t n_patterns);

#endif
