#include <math.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/session.h"
#include "core/explain/verify.h"
#include "db/check.h"
#include "db/run.h"

#define BOUND_F32 1e-4
#define BOUND_F16 2e-3
#define BOUND_F16_ADAM 5e-3 /* which lets small gradients count as much as large ones */

static enum kl_status check_layers(struct kl_run *run, struct kl_pool *pool, struct kl_error *err)
{
    double bound = run->training.dtype == KL_F32 ? BOUND_F32
                   : run->history.adam           ? BOUND_F16_ADAM
                                                 : BOUND_F16,
           worst = 0;
    uint32_t worst_layer = 0;
    int is_partial = 0, is_rounded = 0, has_errors = 0;

    for (uint32_t l = 0; l < run->training.shape.n_layers; l++)
        has_errors |= run->history.errors[l] != NULL;
    if (!has_errors) {
        printf("No error signals are recorded: there is no dual form to check, only attention.\n");
        return KL_OK;
    }
    printf("layer      size   |W_dual - W| / |W - W_0|   largest output difference\n");
    for (uint32_t l = 0; l < run->training.shape.n_layers; l++) {
        struct kl_layer_check check;
        char size[32];
        enum kl_status status;

        if (!run->history.errors[l]) {
            printf("%5u             error signals not recorded%s\n", l + 1,
                   run->training.shape.layers ? "" : " (see train --gate-errors)");
            continue;
        }
        status = kl_layer_check(pool, &run->history, l, &check, err);
        if (status)
            return status;
        snprintf(size, sizeof size, "%ux%u", run->training.shape.inputs[l],
                 run->training.shape.outputs[l]);
        printf("%5u %9s   %24.1e   %25.1e\n", l + 1, size, check.weight_distance,
               check.output_distance);
        fflush(stdout);
        if (check.non_finite)
            return kl_fail(err, KL_ERR_DAMAGED,
                           "%s is damaged: layer %u has %llu numbers that are not finite; restore "
                           "it from a copy or train it again",
                           run->path, l + 1, (unsigned long long)check.non_finite);
        is_partial = l + 1 == run->training.shape.n_layers && run->training.error_entries;
        if (!is_partial && !(check.weight_excess <= worst)) {
            worst = check.weight_excess;
            worst_layer = l + 1;
        }
        is_rounded |= check.weight_excess <= bound && check.weight_distance > bound;
    }
    if (!(worst <= bound))
        return kl_fail(
            err, KL_ERR_INEXACT,
            "the dual form of layer %u is off by %.1e, more than %.0e allows for %s: the "
            "history and the weights of %s do not belong together, or its training went beyond "
            "what float32 tells",
            worst_layer, worst, bound, kl_dtype_name((enum kl_dtype)run->training.dtype),
            run->path);
    if (is_partial) {
        printf("Layer %u is approximate: of its error signals the target's and the %u largest "
               "others were\nrecorded, %.3g %% of their squared length left out.\n",
               run->training.shape.n_layers, run->training.error_entries - 1,
               100 * run->history.left_out);
        if (run->history.adam)
            printf("Adam divides by each weight's own gradients, so that even a little left out "
                   "counts: to have\nall recorded, train again with --error-entries 0, which takes "
                   "space (docs/adam.md).\n");
        bound = worst <= bound && run->training.records_gates ? bound : NAN;
    }
    if (is_rounded)
        printf("The weights have hardly moved: what is off is no more than float32 rounds.\n");
    if (isnan(bound))
        return KL_OK;
    printf("The dual form holds: every %slayer within %.0e (%s history).\n",
           is_partial ? "other " : "", bound, kl_dtype_name((enum kl_dtype)run->training.dtype));
    return KL_OK;
}

/* Opens a run whose rows are what was written: that is looked at first, as what is opened trusts
 * its rows and says less of them. What is no run at all is told by who opens it. */
static enum kl_status open_checked(const char *path, struct kl_session *session,
                                   struct kl_error *err)
{
    struct kl_error of_rows = {0};
    enum kl_status status = kl_check_rows(path, &of_rows);

    if (status != KL_ERR_DAMAGED && kl_session_open(path, session, err))
        return err->status;
    if (status)
        *err = of_rows;
    return status;
}

enum kl_status kl_cli_verify(int argc, char **argv, struct kl_error *err)
{
    const struct kl_option table[] = {{.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples =
            "whether the file is whole and the dual form holds\nkeylight verify quick.keylight\n",
        .command = "verify",
        .usage = "verify RUN",
        .about =
            "Checks a run file: its structure, the sizes of its chunks, that all its numbers are "
            "finite, and that the dual form rebuilt from its history is the network that it "
            "stores. Prints, per layer, |W_dual - W| / |W - W_0| and the largest difference of the "
            "layer's output over all test samples (the first tokens of a test text). Exits with 3 "
            "if the relative distance, beyond what training in float32 rounds, exceeds 1e-4 "
            "(float32 histories) or 2e-3 (float16; 5e-3 after Adam). Layers whose error signals "
            "are recorded in part are told, but not judged.",
        .options = table};
    struct kl_session session = {NULL, NULL};
    const char *path = NULL;
    int n_operands, is_done;
    enum kl_status status = kl_options_parse(&options, argc, argv, &n_operands, &is_done, err);

    if (status || is_done)
        return status;
    status = kl_one_operand(argv, n_operands, "run file", &path, err);
    if (!status)
        status = open_checked(path, &session, err);
    if (!status)
        status = kl_check_run(session.run, err);
    if (!status) {
        printf("%s: %llu patterns of %u steps, structure and fingerprint in order.\n", path,
               (unsigned long long)session.run->history.n_patterns, session.run->training.n_steps);
        status = check_layers(session.run, session.pool, err);
    }
    kl_session_close(&session);
    return status;
}
