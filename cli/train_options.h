/* What 'keylight train' is asked to do. */
#ifndef KL_CLI_TRAIN_OPTIONS_H
#define KL_CLI_TRAIN_OPTIONS_H

#include "core/training/training.h"

struct kl_train_request {
    struct kl_training training; /* but for the widths that the data decide */
    const char *data[KL_DATASETS_MAX];
    uint32_t n_data;
    enum kl_heads heads;
    struct kl_image_size image_size; /* 0 x 0: not said */
    const char *output, *resume;     /* or NULL */
    int force, quiet, has_settings, has_snapshot_steps, has_error_entries, has_switch, is_named,
        is_preset_as_it_is;
    int has_lr, has_momentum, has_tokens, has_text_flag, has_noise_seed,
        has_heads; /* flags that were given */
    int is_help;   /* help or version was asked for, and has been printed */
};

/* Reads the command line. Errors: KL_ERR_USAGE. */
enum kl_status kl_train_parse(int argc, char **argv, struct kl_train_request *request,
                              struct kl_error *err);

#endif
