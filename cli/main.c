#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/job/job.h"
#include "cli/options/options.h"
#include "cli/remedy.h"
#include "config.h"
#include "core/base/blas.h"
#include "core/scan/kernels.h"

struct command {
    const char *name;
    enum kl_status (*run)(int argc, char **argv, struct kl_error *err);
    const char *summary;
    int is_shared; /* whether the processes of a job do it together */
};

static const struct command commands[] = {
    {"train", kl_cli_train, "train a network and record its history in one file", 0},
    {"serve", kl_cli_serve, "explore runs in the browser", 1},
    {"query", kl_cli_query, "ask which training samples one sample attends to", 1},
    {"figure", kl_cli_figure, "a view as a figure to print: SVG or PNG", 1},
    {"report", kl_cli_report, "the tables of the paper over many test samples", 1},
    {"suspects", kl_cli_suspects, "samples whose label is likely wrong", 1},
    {"influence", kl_cli_influence, "how far scores foretell what retraining would change", 1},
    {"retrain", kl_cli_retrain, "what it says when trained again without some samples", 1},
    {"marks", kl_cli_marks, "what was decided about them on the page", 0},
    {"verify", kl_cli_verify, "check a run file and its dual form", 0},
    {"split", kl_cli_split, "cut a run into several files that are one", 0},
    {"upgrade", kl_cli_upgrade, "bring a run of an earlier format up to date", 0},
    {"info", kl_cli_info, "summarise a run", 0},
};
static const size_t n_commands = sizeof commands / sizeof commands[0];

static void print_help(void)
{
    printf("keylight: see which training examples a neural network is looking at.\n\n"
           "usage: keylight COMMAND [OPTION...]\n\n");
    for (size_t i = 0; i < n_commands; i++)
        printf("  %-9s %s\n", commands[i].name, commands[i].summary);
    printf("\n'keylight COMMAND --help' tells more. A first run:\n\n"
           "  keylight train --preset quick --data strokes --output strokes.keylight\n"
           "  keylight serve strokes.keylight\n");
}

/* The one place where a status becomes an exit code. */
static int exit_code(enum kl_status status)
{
    switch (status) {
    case KL_OK:
        return 0;
    case KL_ERR_USAGE:
        return 2;
    case KL_ERR_INEXACT:
        return 3;
    case KL_ERR_INTERRUPTED:
        return 130; /* as a shell reports an interrupt */
    default:
        return 1;
    }
}

static enum kl_status no_such_command(const char *typed, struct kl_error *err)
{
    const char *names[sizeof commands / sizeof commands[0] + 1], *nearest;

    for (size_t i = 0; i < n_commands; i++)
        names[i] = commands[i].name;
    names[n_commands] = NULL;
    nearest = kl_nearest(typed, names);
    if (nearest)
        return kl_fail(err, KL_ERR_USAGE, "there is no command '%.60s': did you mean '%s'?", typed,
                       nearest);
    return kl_fail(err, KL_ERR_USAGE, "there is no command '%.60s': 'keylight --help' lists them",
                   typed);
}

static enum kl_status run(int argc, char **argv, struct kl_error *err)
{
    enum kl_status status;

    if (argc < 2)
        return kl_fail(err, KL_ERR_USAGE, "name a command: 'keylight --help' lists them");
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help();
        return KL_OK;
    }
    if (!strcmp(argv[1], "--help=words")) { /* for shells: completions/ */
        for (size_t i = 0; i < n_commands; i++)
            printf("%s\t-\t%s\n", commands[i].name, commands[i].summary);
        return KL_OK;
    }
    if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
        puts(PACKAGE_STRING);
        return KL_OK;
    }
    for (size_t i = 0; i < n_commands; i++) {
        if (!strcmp(argv[1], commands[i].name)) {
            if (kl_job_is_shared() && !commands[i].is_shared)
                return kl_fail(err, KL_ERR_USAGE,
                               "'keylight %s' is done by one process: start it without mpirun",
                               commands[i].name);
            status = kl_kernels_select(err);
            return status ? status : commands[i].run(argc - 1, argv + 1, err);
        }
    }
    return no_such_command(argv[1], err);
}

/* Every worker has every file of a run open: all that the system allows may be. */
static void raise_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv)
{
    struct kl_error err = {0};
    enum kl_status status;

    kl_blas_suit_processor(argv);
    kl_blas_single_thread();
    raise_limit();
    signal(SIGXFSZ, SIG_IGN); /* a file that may not grow is told as a full disk is */
    status = kl_job_join(argc, argv, &err);
    if (!status)
        status = run(argc, argv, &err);
    status = kl_peers_end(kl_job_peers(), status, &err);
    if ((fflush(stdout) || ferror(stdout)) && !status)
        status = kl_fail(&err, KL_ERR_IO, "cannot write the output: %s", strerror(errno));
    if (status)
        kl_print_error(&err);
    kl_job_leave();
    if (status == KL_ERR_MEMORY) {
        /* OpenBLAS, as it ends, would wait for threads of its own that try for memory for ever. */
        fflush(NULL);
        _exit(exit_code(status));
    }
    return exit_code(status);
}
