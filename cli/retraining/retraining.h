/* What the commands that train again have in common: an errand (api/errands/errand.h) from its
 * words to what is printed. */
#ifndef KL_CLI_RETRAINING_RETRAINING_H
#define KL_CLI_RETRAINING_RETRAINING_H

#include "api/errands/errand.h"
#include "cli/options/option.h"

struct kl_errand_command {
    enum kl_errand_kind kind;
    const char *path;
    const struct kl_option *options; /* of which those of text are words of the errand */
    uint32_t most; /* of those who would be missed, and those who would not, by sample */
    int json;
    const char *unit; /* what its pieces are, in the bar */
    enum kl_status (*print)(const struct kl_errand_command *command, const struct kl_errand *errand,
                            const struct kl_run *run, const struct kl_errand_result *result,
                            struct kl_error *err);
};

/* Does an errand with a bar, keeps its answer beside the run, and prints it, or its JSON. */
enum kl_status kl_errand_run(const struct kl_errand_command *command, struct kl_error *err);

#endif
