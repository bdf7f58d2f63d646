#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/output/json.h"
#include "cli/remedy.h"
#include "cli/session.h"
#include "cli/output/recorded_run.h"
#include "cli/output/text_output.h"
#include "core/data/text/corpus.h"
#include "core/scan/keeper.h"
#include "db/run.h"
#include "api/answers.h"

static const char *text_of(const struct kl_training *training, const char *name,
                           char text[KL_VALUE_BYTES])
{
    kl_setting_format(kl_setting_find(name), training, text);
    return text;
}

/* What serving it takes, and would be given now. */
static void print_memory(const struct kl_run *run)
{
    printf("memory     %.1f MB if serve copies all layers; by default it copies up to a quarter of "
           "what is free, now %.1f MB\n",
           (double)run->memory_bytes / 1e6, (double)kl_keeper_usual_room() / 1e6);
}

/* How several data sets came, and what else was done to the data. */
static void print_schedule(const struct kl_run *run)
{
    const struct kl_training *training = &run->training;
    char one[KL_VALUE_BYTES], two[KL_VALUE_BYTES];

    if (run->data.n_datasets > 1)
        printf("schedule   %s, %s heads\n", text_of(training, "data_schedule", one),
               text_of(training, "heads", two));
    for (uint32_t i = 0; i < training->n_switches; i++)
        printf("           %s after step %u\n", run->data.datasets[i + 1]->name,
               training->switches[i]);
    if (training->selection.label_noise > 0)
        printf("labels     %g %% of the training labels flipped, seed %llu\n",
               100 * training->selection.label_noise,
               (unsigned long long)training->selection.noise_seed);
    printf("snapshots  %u of the weights\n", run->history.snapshots.n);
    print_memory(run);
}

/* How much of that is there, where shards are missing. */
static void print_here(const struct kl_run *run)
{
    if (run->history.n_missing)
        printf("; of the patterns %llu are here", (unsigned long long)run->history.n_all);
}

static void print_text_run(const struct kl_run *run)
{
    const struct kl_training *training = &run->training;
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    char text[KL_VALUE_BYTES];

    printf(
        "network    LSTM, %u layer%s of %u cells, embedding %u, %u different tokens, seed %llu\n",
        training->model.n_hidden, training->model.n_hidden > 1 ? "s" : "",
        training->model.hidden[0], training->model.embedding, corpus->n_types,
        (unsigned long long)training->seed);
    printf(
        "training   %u steps of %u streams x %u tokens = %llu patterns; %s, learning rate %g (%s)",
        training->n_steps, training->batch_size, training->unroll,
        (unsigned long long)(run->history.n_all + run->history.n_missing),
        kl_training_optimiser(training)->name, training->learning_rate,
        text_of(training, "lr_schedule", text));
    if (kl_training_optimiser(training)->is_adaptive)
        printf(", betas %g and %g, epsilon %g", training->beta_1, training->beta_2,
               training->epsilon);
    if (training->momentum > 0)
        printf(", momentum %g", training->momentum);
    if (training->weight_decay > 0)
        printf(", weight decay %g", training->weight_decay);
    if (training->dropout > 0)
        printf(", dropout %g", training->dropout);
    if (training->clip_norm > 0)
        printf(", gradient norm clipped at %g", training->clip_norm);
    print_here(run);
    printf("\nhistory    %s, %.1f MB; ", kl_dtype_name((enum kl_dtype)training->dtype),
           (double)run->file_bytes / 1e6);
    if (!run->history.has_dual)
        printf("attention only: %s\n", kl_history_why_not(&run->history));
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
    print_memory(run);
    kl_print_text_curve(run);
}

/* What this program does not know, as the file has it. */
static void print_other_settings(const struct kl_run *run)
{
    for (uint32_t i = 0; i < run->n_other_settings; i++)
        printf("%s%s = %s\n", i ? "           " : "also       ", run->other_settings[i].key,
               run->other_settings[i].value);
}

static void print_network(const struct kl_run *run)
{
    const struct kl_training *training = &run->training;
    const struct kl_shape *shape = &training->shape;
    char init[KL_VALUE_BYTES];

    printf("network    ");
    for (uint32_t l = 0; l <= shape->n_layers; l++)
        printf("%s%u", l ? "-" : "", l ? shape->outputs[l - 1] : shape->inputs[0]);
    if (kl_run_other_setting(run, "framework"))
        printf(", %s", kl_model_activation(shape, 0));
    else
        printf(", %s, %s initialisation, seed %llu", kl_model_activation(shape, 0),
               text_of(training, "initialisation", init), (unsigned long long)training->seed);
    putchar('\n');
}

static void print_curve(const struct kl_run *run)
{
    printf("curve      step   %-20s   test accuracy   test loss\n", "data set");
    for (uint32_t i = 0; i < run->n_curve; i++)
        printf("     %10u   %-20.20s   %11.2f %%   %9.4f\n", run->curve[i].step,
               run->data.datasets[run->curve[i].dataset]->name, 100 * run->curve[i].accuracy,
               run->curve[i].loss);
}

static void print_shards(const struct kl_run *run)
{
    if (run->n_shards == 1)
        return;
    for (uint32_t i = 0; i < run->n_shards; i++) {
        const struct kl_run_shard *shard = &run->shards[i];

        printf("%s", i ? "           " : "shards     ");
        if (shard->holder >= 0)
            printf("%u: steps %u to %u, %s\n", i, shard->first_step, shard->last_step, shard->path);
        else
            printf("%u: missing\n", i);
    }
}

static void print_run(const struct kl_run *run)
{
    const struct kl_training *training = &run->training;
    const struct kl_layer_steps *last = &run->history.layers[training->shape.n_layers - 1];
    char text[KL_VALUE_BYTES];

    printf("%s (%s)\n", training->name, run->fingerprint);
    print_shards(run);
    if (training->shape.layers) {
        kl_print_recorded_run(run);
        print_memory(run);
        if (kl_history_is_text(&run->history))
            kl_print_text_curve(run);
        else
            print_curve(run);
        return;
    }
    if (kl_history_is_text(&run->history)) {
        print_text_run(run);
        return;
    }
    print_network(run);
    printf("training   %u steps of %u = %llu patterns; %s, learning rate %g (%s), ",
           training->n_steps, training->batch_size,
           (unsigned long long)(run->history.n_all + run->history.n_missing),
           kl_training_optimiser(training)->name, training->learning_rate,
           text_of(training, "lr_schedule", text));
    if (kl_training_optimiser(training)->is_adaptive)
        printf("betas %g and %g, epsilon %g, ", training->beta_1, training->beta_2,
               training->epsilon);
    else
        printf("momentum %g, ", training->momentum);
    printf("weight decay %g", training->weight_decay);
    if (training->clip_norm > 0)
        printf(", gradient norm clipped at %g", training->clip_norm);
    print_here(run);
    printf("\nhistory    %s, %.1f MB", kl_dtype_name((enum kl_dtype)training->dtype),
           (double)run->file_bytes / 1e6);
    if (isfinite(last->alpha))
        printf("; %.4f of the initial weights is left", last->alpha);
    putchar('\n');
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
    print_curve(run);
}

enum kl_status kl_cli_info(int argc, char **argv, struct kl_error *err)
{
    int json = 0, n_operands, is_done;
    const struct kl_option table[] = {
        {.type = KL_OPTION_FLAG, .name = "json", .target = &json, .help = "as the API's JSON"},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples = "what a run is, for a program\nkeylight info quick.keylight --json\n",
        .command = "info",
        .usage = "info RUN [--json]",
        .about = "Summarises a run: network, training, data and "
                 "training curve.",
        .options = table};
    struct kl_run *run = NULL;
    const char *path = NULL;
    enum kl_status status = kl_options_parse(&options, argc, argv, &n_operands, &is_done, err);

    if (status || is_done)
        return status;
    status = kl_one_operand(argv, n_operands, "run file", &path, err);
    if (!status && kl_run_open(path, 0, &run, err))
        status = kl_remedy(err, path);
    if (!status)
        kl_print_missing(run);
    if (!status && json) {
        status = kl_print_json(kl_json_run(run), err);
    } else if (!status) {
        print_run(run);
        print_other_settings(run);
    }
    kl_run_close(run);
    return status;
}
