#include <math.h>
#include <stdio.h>

#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/session.h"
#include "core/explain/verify/layers.h"
#include "core/explain/verify/keys.h"
#include "core/explain/verify/replay.h"
#include "core/explain/verify/signals.h"
#include "db/check.h"
#include "db/run.h"

#define BOUND_F32 1e-4
#define BOUND_F16 2e-3
#define BOUND_F16_ADAM 5e-3 /* which lets small gradients count as much as large ones */
#define BOUND_SIGNALS 1e-2
#define BOUND_KEYS 2e-3

/* What the layers were found to be. */
struct findings {
    double bound;
    double worst, worst_snapshot; /* beyond what float32 rounds */
    uint32_t worst_layer, worst_snapshot_layer, worst_snapshot_step;
    int is_rounded; /* some weights hardly moved */
    int is_partial; /* the last layer's error signals are approximate */
    int is_missing; /* some layer's are not there */
};

static double bound_of(const struct kl_run *run)
{
    if (run->training.dtype == KL_F32)
        return BOUND_F32;
    return run->history.adam ? BOUND_F16_ADAM : BOUND_F16;
}

static enum kl_status check_snapshots(const struct kl_run *run, struct kl_pool *pool, uint32_t l,
                                      struct findings *findings, struct kl_error *err)
{
    struct kl_layer_replay replay = {0};
    enum kl_status status = kl_layer_replay(pool, &run->history,
                                            kl_training_optimiser(&run->training), l, &replay, err);

    if (status || replay.step == 0) {
        puts("");
        return status;
    }
    printf("   %17.1e\n", replay.distance);
    if (replay.excess > findings->worst_snapshot) {
        findings->worst_snapshot = replay.excess;
        findings->worst_snapshot_layer = l + 1;
        findings->worst_snapshot_step = replay.step;
    }
    findings->is_rounded |= replay.excess <= findings->bound && replay.distance > findings->bound;
    return KL_OK;
}

static enum kl_status check_layer(const struct kl_run *run, struct kl_pool *pool, uint32_t l,
                                  struct findings *findings, struct kl_error *err)
{
    const struct kl_shape *shape = &run->training.shape;
    int is_partial = l + 1 == shape->n_layers && run->training.error_entries;
    struct kl_layer_check check;
    char size[32];
    enum kl_status status;

    if (!run->history.errors[l]) {
        printf("%5u             error signals not recorded%s\n", l + 1,
               shape->layers ? "" : " (see train --gate-errors)");
        findings->is_missing = 1;
        return KL_OK;
    }
    status = kl_layer_check(pool, &run->history, l, &check, err);
    if (status)
        return status;
    snprintf(size, sizeof size, "%ux%u", shape->inputs[l], shape->outputs[l]);
    printf("%5u %9s   %24.1e   %25.1e", l + 1, size, check.weight_distance, check.output_distance);
    fflush(stdout);
    if (check.non_finite) {
        puts("");
        return kl_fail(err, KL_ERR_DAMAGED,
                       "%s is damaged: layer %u has %llu numbers that are not finite; restore it "
                       "from a copy or train it again",
                       run->path, l + 1, (unsigned long long)check.non_finite);
    }
    if (is_partial) {
        puts("");
        findings->is_partial = 1;
        return KL_OK;
    }
    if (check.weight_excess > findings->worst) {
        findings->worst = check.weight_excess;
        findings->worst_layer = l + 1;
    }
    findings->is_rounded |=
        check.weight_excess <= findings->bound && check.weight_distance > findings->bound;
    return check_snapshots(run, pool, l, findings, err);
}

static enum kl_status judge(const struct kl_run *run, const struct findings *findings,
                            struct kl_error *err)
{
    const char *dtype = kl_dtype_name((enum kl_dtype)run->training.dtype);

    const char *few = run->history.adam && run->training.dtype == KL_F16
                          ? "; or it is a few steps of Adam, for which float16 is not enough: "
                            "train again with --dtype float32"
                          : "";

    if (findings->worst > findings->bound)
        return kl_fail(
            err, KL_ERR_INEXACT,
            "the dual form of layer %u is off by %.1e, more than %.0e allows for %s: the "
            "history and the weights of %s do not belong together, or its training went beyond "
            "what float32 tells%s",
            findings->worst_layer, findings->worst, findings->bound, dtype, run->path, few);
    if (findings->worst_snapshot > findings->bound)
        return kl_fail(err, KL_ERR_INEXACT,
                       "layer %u of the snapshot of step %u is off by %.1e from what the recorded "
                       "gradients make of it, more than %.0e allows for %s: that snapshot of %s "
                       "and its history do not belong together%s",
                       findings->worst_snapshot_layer, findings->worst_snapshot_step,
                       findings->worst_snapshot, findings->bound, dtype, run->path, few);
    return KL_OK;
}

/* The last layer's error signals, where it is known what they were made by. */
static enum kl_status check_signals(const struct kl_run *run, struct kl_pool *pool,
                                    struct kl_error *err)
{
    struct kl_signals_check check;
    enum kl_status status;

    if (!run->history.has_dual || kl_run_is_recorded(run))
        return KL_OK;
    status = kl_signals_check(pool, &run->history, &check, err);
    if (status)
        return status;
    if (check.excess > BOUND_SIGNALS)
        return kl_fail(err, KL_ERR_INEXACT,
                       "the last layer's error signals of step %u are off by %.1e, beyond what "
                       "rounding explains, from what the weights before it make of its keys; %.0e "
                       "is allowed: the history and the weights of %s do not belong together",
                       check.step, check.excess, BOUND_SIGNALS, run->path);
    if (run->history.snapshots.n)
        printf("The last layer's error signals are what the weights make of its keys: in the first "
               "step, and in\nthose after the %u snapshots.\n",
               run->history.snapshots.n);
    else
        printf("The last layer's error signals are what the weights make of its keys: in the first "
               "step.\n");
    return KL_OK;
}

/* What inner layers passed on, where it is known what it was made by. */
static enum kl_status check_keys(const struct kl_run *run, struct kl_pool *pool,
                                 struct kl_error *err)
{
    struct kl_reading reading = {run->training.batch_size, run->training.dropout};
    struct kl_keys_check check;
    enum kl_status status;

    if (kl_run_is_recorded(run))
        return KL_OK;
    status = kl_keys_check(pool, &run->history, reading, &check, err);
    if (status || check.step == 0)
        return status;
    if (check.excess > BOUND_KEYS)
        return kl_fail(err, KL_ERR_INEXACT,
                       "what layer %u saw and passed on in step %u is off by %.1e, beyond what "
                       "rounding explains, from what the weights before it make of it; %.0e is "
                       "allowed: the history and the weights of %s do not belong together",
                       check.layer, check.step, check.excess, BOUND_KEYS, run->path);
    printf("What inner layers passed on is what their weights make of what they saw: in the first "
           "step%s.\n",
           run->history.snapshots.n ? ", and\nin those after the snapshots" : "");
    if (check.unknown)
        printf(
            "Of the weights of layer %u that says nothing (it does from three tokens of a text on, "
            "where gates are open).\n",
            check.unknown);
    return KL_OK;
}

static void print_verdict(const struct kl_run *run, const struct findings *findings)
{
    if (findings->is_partial) {
        printf("Layer %u is approximate: of its error signals the target's and the %u largest "
               "others were\nrecorded, %.3g %% of their squared length left out.\n",
               run->training.shape.n_layers, run->training.error_entries - 1,
               100 * run->history.left_out);
        if (run->history.adam)
            printf("Adam divides by each weight's own gradients, so that even a little left out "
                   "counts: to have\nall recorded, train again with --error-entries 0, which takes "
                   "space (docs/adam.md).\n");
    }
    if (findings->is_rounded)
        printf("The weights have hardly moved: what is off is no more than float32 rounds.\n");
    if (!findings->is_partial || run->training.records_gates)
        printf("The dual form holds: every %s within %.0e (%s history).\n",
               findings->is_partial   ? "other layer"
               : findings->is_missing ? "layer whose error signals are recorded"
                                      : "layer",
               findings->bound, kl_dtype_name((enum kl_dtype)run->training.dtype));
}

static enum kl_status check_layers(struct kl_run *run, struct kl_pool *pool, struct kl_error *err)
{
    struct findings findings = {.bound = bound_of(run)};
    int has_errors = 0;
    enum kl_status status = KL_OK;

    for (uint32_t l = 0; l < run->training.shape.n_layers; l++)
        has_errors |= run->history.errors[l] != NULL;
    if (!has_errors) {
        printf("No error signals are recorded: there is no dual form to check, only attention.\n");
        return check_keys(run, pool, err);
    }
    printf("layer      size   |W_dual - W| / |W - W_0|   largest output difference%s\n",
           run->history.snapshots.n ? "   furthest snapshot" : "");
    for (uint32_t l = 0; !status && l < run->training.shape.n_layers; l++)
        status = check_layer(run, pool, l, &findings, err);
    if (!status)
        status = judge(run, &findings, err);
    if (!status)
        status = check_signals(run, pool, err);
    if (!status)
        status = check_keys(run, pool, err);
    if (!status)
        print_verdict(run, &findings);
    return status;
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
        .examples = "whether the file is whole, and history and weights belong together\nkeylight "
                    "verify quick.keylight\n",
        .command = "verify",
        .usage = "verify RUN",
        .about =
            "Checks that a run file is what was written: every row, that all numbers are finite, "
            "that predictions are the network's, and, unless a framework recorded it, that samples "
            "were shown in the order that the settings give. If not, exits with 1. Then it checks "
            "that history and weights belong together, prints how far they are apart, and exits "
            "with 3 where that is too far, beyond what training in float32 rounds. Per layer, it "
            "prints |W_dual - W| / |W - W_0|, the dual form against the weights; the largest "
            "difference of the layer's output over all test samples (the first tokens of a test "
            "text); and, when the layer is trained again from its recorded gradients, how far it "
            "is from the snapshot that is furthest, likewise over |W - W_0|. The first and the "
            "last are at most 1e-4 with float32 histories, 2e-3 with float16, 5e-3 after Adam. The "
            "last layer's error signals, even if only some are recorded, have to be what the "
            "weights before the first step, and after every snapshot, make of the next step's "
            "keys (at most 1e-2, beyond what rounding explains); and what inner layers saw and "
            "passed on then has to be what their weights make of it (2e-3, likewise), unless a "
            "framework recorded them.",
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
        status = kl_check_run(session.pool, session.run, err);
    if (!status) {
        printf("%s: %llu patterns of %u steps, structure and fingerprint in order.\n", path,
               (unsigned long long)session.run->history.n_all, session.run->training.n_steps);
        status = check_layers(session.run, session.pool, err);
    }
    kl_session_close(&session);
    return status;
}
