#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/text_output.h"
#include "core/data/text/corpus.h"
#include "db/run.h"
#include "api/represent.h"

static const char help[] =
    "usage: keylight info RUN [--json]\n"
    "\n"
    "Summarises a run: data, network, training, accuracy or bits per token.\n"
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

static void print_text_run(const struct kl_run *run)
{
    const struct kl_training *training = &run->training;
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;

    printf(
        "network    LSTM, %u layer%s of %u cells, embedding %u, %u different tokens, seed %llu\n",
        training->n_hidden, training->n_hidden > 1 ? "s" : "", training->hidden[0],
        training->embedding, corpus->n_types, (unsigned long long)training->seed);
    printf(
        "training   %u steps of %u streams x %u tokens = %llu patterns; %s, learning rate %g (%s)",
        training->n_steps, training->batch_size, training->unroll,
        (unsigned long long)run->history.n_patterns, kl_optimiser_name(training->optimiser),
        training->learning_rate, kl_lr_schedule_name(training->lr_schedule));
    if (training->optimiser == KL_SGD)
        printf(", momentum %g", training->momentum);
    if (training->dropout > 0)
        printf(", dropout %g", training->dropout);
    if (training->clip_norm > 0)
        printf(", gradient norm clipped at %g", training->clip_norm);
    printf("\nhistory    %s, %.1f MB; ", kl_dtype_name(training->dtype),
           (double)run->file_bytes / 1e6);
    if (!run->history.has_dual)
        printf("attention only: Adam has no exact dual form\n");
    else if (run->history.left_out > 0)
        printf("contributions approximate: %.3g %% of the error signals left out\n",
               100 * run->history.left_out);
    else
        printf("contributions exact%s\n",
               training->records_gates ? ", at the gates too" : " at the output layer");
    printf("data       %s: %s in %u documents; %u train, %u test positions\n",
           run->data.datasets[0]->name, kl_token_kind_name(corpus->kind), corpus->n_documents,
           run->data.datasets[0]->splits[KL_SPLIT_TRAIN].count,
           run->data.datasets[0]->splits[KL_SPLIT_TEST].count);
    printf("snapshots  %u of the weights\n", run->history.snapshots.n);
    kl_print_text_curve(run);
}

static void print_run(const struct kl_run *run)
{
    const struct kl_training *training = &run->training;

    printf("%s (%s)\n", training->name, run->fingerprint);
    if (kl_history_is_text(&run->history)) {
        print_text_run(run);
        return;
    }
    printf("network    ");
    for (uint32_t l = 0; l <= training->shape.n_layers; l++)
        printf("%s%u", l ? "-" : "",
               l ? training->shape.outputs[l - 1] : training->shape.inputs[0]);
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
