#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "db/run.h"
#include "server/represent.h"

static const char help[] = "usage: keylight info RUN [--json]\n"
                           "\n"
                           "Summarises a run: data, network, training, accuracy.\n"
                           "\n"
                           "  --json    as the API's JSON (GET /api/v1/runs/RUN)\n"
                           "  --help, --version\n";

static const struct option options[] = {
    {"json", no_argument, NULL, 'j'}, KL_COMMON_OPTIONS, {NULL, 0, NULL, 0}};

/* How several data sets came, and what else was done to the data. */
static void print_schedule(const struct kl_run *run)
{
    const struct kl_training *training = &run->training;

    if (run->data.n_datasets > 1)
        printf("schedule   %s, %s heads\n", kl_data_schedule_name(training->data_schedule),
               kl_heads_name(run->data.heads));
    for (uint32_t i = 0; i < training->n_switches; i++)
        printf("           %s after step %u\n", run->data.datasets[i + 1]->name,
               training->switches[i]);
    if (training->selection.label_noise > 0)
        printf("labels     %g %% of the training labels flipped, seed %llu\n",
               100 * training->selection.label_noise,
               (unsigned long long)training->selection.noise_seed);
    printf("snapshots  %u of the weights\n", run->history.snapshots.n);
}

static void print_run(const struct kl_run *run)
{
    const struct kl_training *training = &run->training;

    printf("%s (%s)\n", training->name, run->fingerprint);
    printf("network    ");
    for (uint32_t l = 0; l <= training->n_layers; l++)
        printf("%s%u", l ? "-" : "", training->widths[l]);
    printf(", ReLU, %s initialisation, seed %llu\n",
           kl_initialisation_name(training->initialisation), (unsigned long long)training->seed);
    printf("training   %u steps of %u = %llu patterns; learning rate %g (%s), momentum %g, weight "
           "decay %g",
           training->n_steps, training->batch_size, (unsigned long long)run->history.n_patterns,
           training->learning_rate, kl_lr_schedule_name(training->lr_schedule), training->momentum,
           training->weight_decay);
    if (training->clip_norm > 0)
        printf(", gradient norm clipped at %g", training->clip_norm);
    printf("\nhistory    %s, %.1f MB; %.4f of the initial weights is left\n",
           kl_dtype_name(training->dtype), (double)run->file_bytes / 1e6, run->history.alpha);
    for (uint32_t d = 0; d < run->data.n_datasets; d++) {
        const struct kl_dataset *dataset = run->data.datasets[d];

        printf("data       %s: ", dataset->name);
        for (int split = 0; split < KL_N_SPLITS; split++)
            if (dataset->splits[split].count)
                printf("%u %s, ", dataset->splits[split].count,
                       kl_split_name((enum kl_split)split));
        printf("samples of %ux%u, %u channel%s, %u classes, accuracy %.2f %%\n", dataset->width,
               dataset->height, dataset->channels, dataset->channels > 1 ? "s" : "",
               dataset->n_classes, 100 * kl_run_dataset_accuracy(run, d));
    }
    print_schedule(run);
    printf("curve      step   %-20s   test accuracy   test loss\n", "data set");
    for (uint32_t i = 0; i < run->n_curve; i++)
        printf("     %10u   %-20.20s   %11.2f %%   %9.4f\n", run->curve[i].step,
               run->data.datasets[run->curve[i].dataset]->name, 100 * run->curve[i].accuracy,
               run->curve[i].loss);
}

enum kl_status kl_cli_info(int argc, char **argv, struct kl_error *err)
{
    struct kl_run *run = NULL;
    const char *path = NULL;
    int option, json = 0;
    enum kl_status status;

    optind = 0;
    while ((option = kl_next_option(argc, argv, options, help, err)) != -1) {
        if (option == -2 || option == '?')
            return option == -2 ? KL_OK : KL_ERR_USAGE;
        json = 1;
    }
    status = kl_one_operand(argc, argv, "run file", &path, err);
    if (!status)
        status = kl_run_open(path, 0, &run, err);
    if (!status && json) {
        char *text = kl_represent_run(run);

        if (text)
            puts(text);
        else
            status = kl_fail(err, KL_ERR_MEMORY, "not enough memory to describe %s", path);
        free(text);
    } else if (!status) {
        print_run(run);
    }
    kl_run_close(run);
    return status;
}
