/* keylight influence: what a sample would miss, by walking back through the training, and how far
 * scores foretell what retraining would change. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/asked/sample_name.h"
#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/output/names.h"
#include "cli/retraining/retraining.h"
#include "core/base/memory.h"
#include "core/explain/ranks.h"

#define DEFAULT_TOP 10

static void print_missed(const struct kl_run *run, const struct kl_missed *missed)
{
    struct kl_sample_place place = kl_collection_place(&run->data, missed->sample);
    const struct kl_dataset *dataset = run->data.datasets[place.dataset];
    char name[KL_SAMPLE_NAME_MAX];

    kl_sample_name(&run->data, missed->sample, name);
    printf("  %-26s ", name);
    kl_print_name(kl_dataset_class_name(dataset, kl_collection_label(&run->data, missed->sample)),
                  14);
    printf(" %+12.4g\n", missed->influence);
}

/* The first of those that would raise the loss, and of those that would lower it. */
static void print_query(const struct kl_run *run, uint32_t sample, const struct kl_missed *missed,
                        uint32_t top)
{
    uint32_t n = kl_collection_train_size(&run->data);
    char name[KL_SAMPLE_NAME_MAX];

    kl_sample_name(&run->data, sample, name);
    printf("%s: without these its loss would rise by\n", name);
    for (uint32_t i = 0; i < top && i < n && missed[i].influence > 0; i++)
        print_missed(run, &missed[i]);
    puts("and without these fall by");
    for (uint32_t i = 0; i < top && i < n && missed[n - 1 - i].influence < 0; i++)
        print_missed(run, &missed[n - 1 - i]);
}

static enum kl_status print_walk(const struct kl_errand_command *command,
                                 const struct kl_errand *errand, const struct kl_run *run,
                                 const struct kl_errand_result *result, struct kl_error *err)
{
    uint32_t n_steps = run->training.n_steps;
    struct kl_missed *missed = NULL;
    enum kl_status status = kl_alloc(&missed, kl_collection_train_size(&run->data), sizeof *missed,
                                     "the training samples", err);

    if (status)
        return status;
    printf("Walked back over steps %u to %u of %u, damped by %g.\n",
           kl_walk_first(&run->training, &errand->truth.walk.parts), n_steps, n_steps,
           errand->truth.walk.damping);
    for (uint32_t q = 0; q < errand->n_samples; q++) {
        kl_errand_missed(run, result, q, missed);
        print_query(run, errand->samples[q], missed, command->most);
    }
    free(missed);
    return KL_OK;
}

static enum kl_status print_truth(const struct kl_errand_command *command,
                                  const struct kl_errand *errand, const struct kl_run *run,
                                  const struct kl_errand_result *result, struct kl_error *err)
{
    const struct kl_truth *truth = &result->truth;

    (void)command;
    (void)err;
    printf("%u trainings without %g %% of the training samples, %u test samples:\n\n%-12s %-24s "
           "%16s\n",
           truth->n_subsets, 100 * errand->truth.share, truth->n_queries, "rank", "",
           "rank correlation");
    for (uint32_t r = 0; r < truth->n_rows; r++) {
        const struct kl_truth_row *row = &truth->rows[r];
        const struct kl_rank *rank = kl_rank_find(row->score);

        printf("%-12s %-24s %9.3f +- %.3f\n", row->score, rank ? rank->label : "walked back",
               row->mean, row->error);
        if (!rank)
            printf("\nWalked back over steps %u to %u, damped by %g.\n", truth->first_step,
                   run->training.n_steps, errand->truth.walk.damping);
    }
    return KL_OK;
}

static const char about[] =
    "With --sample: which training samples a test sample would miss, by walking back through the "
    "training: how its loss hangs on the weight of every training sample in every step, to first "
    "order. Discounted by age (--damping).\n"
    "Without: how far each score of a run foretells what retraining would change: trains it again, "
    "from the same initial weights with the same minibatches, without random subsets of its "
    "training samples, and prints the rank correlation between what the score foretold of a test "
    "sample's loss and what it became: the mean over the test samples, and its standard error over "
    "them (all share the same subsets: more of these make it surer). 0 is chance, 1 foretells the "
    "order perfectly.\n"
    "Answers are kept beside the run (RUN.results), where the page shows them.";

/* Whether what was said goes together. */
static enum kl_status check_together(int asks_samples, int checks_scores, int has_top,
                                     struct kl_error *err)
{
    if (asks_samples && checks_scores)
        return kl_fail(
            err, KL_ERR_USAGE,
            "--check, --leave and --queries check the scores: leave them or --sample out");
    if (!asks_samples && has_top)
        return kl_fail(err, KL_ERR_USAGE, "--top goes with --sample");
    return KL_OK;
}

enum kl_status kl_cli_influence(int argc, char **argv, struct kl_error *err)
{
    const char *sample = NULL, *parts = NULL, *damping = NULL, *check = NULL, *leave = NULL,
               *queries = NULL;
    struct kl_errand_command command = {.unit = "steps"};
    const struct kl_option table[] = {
        {.type = KL_OPTION_TEXT,
         .name = "sample",
         .value = "NAMES",
         .target = &sample,
         .help = "samples to walk back from, parted by commas: test/mnist/8,test/mnist/15"},
        {.type = KL_OPTION_TEXT,
         .name = "parts",
         .value = "A/B",
         .target = &parts,
         .help =
             "how much of the training is walked, from its end: A of B equal parts (default all "
             "of it)"},
        {.type = KL_OPTION_TEXT,
         .name = "damping",
         .value = "D",
         .target = &damping,
         .help = "how far what lies back is discounted: a step's weight is exp(-D t), t the share "
                 "of the learning rates that came after it (default 2.3: a tenth for the first "
                 "step; 0: the derivative itself)"},
        {.type = KL_OPTION_NUMBER,
         .name = "top",
         .value = "N",
         .target = &command.most,
         .low = 1,
         .high = KL_MISSED_MAX,
         .help = "how many are printed that would be missed, and that would not (default 10)"},
        {.type = KL_OPTION_TEXT,
         .name = "check",
         .value = "N",
         .target = &check,
         .help = "how many random subsets of the training samples are left out, one after the "
                 "other (3 to 10000, default 20)"},
        {.type = KL_OPTION_TEXT,
         .name = "leave",
         .value = "SHARE",
         .target = &leave,
         .help = "the share of the training samples in each of them (default 0.1)"},
        {.type = KL_OPTION_TEXT,
         .name = "queries",
         .value = "Q",
         .target = &queries,
         .help = "of how many test samples, evenly spread (default 64)"},
        {.type = KL_OPTION_FLAG, .name = "json", .target = &command.json, .help = "as JSON"},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples = "walked back from one test sample\nkeylight influence quick.keylight --sample "
                    "test/fashion-mnist/526\n"
                    "over the last 6 of 15 parts, undamped\nkeylight influence quick.keylight "
                    "--sample test/fashion-mnist/526 --parts 6/15 --damping 0\n"
                    "how far each score foretells retraining\nkeylight influence quick.keylight "
                    "--check 20 --leave 0.1\n",
        .command = "influence",
        .usage = "influence RUN --sample NAMES [--parts A/B] [--damping D] [--top N] [--json]\n"
                 "influence RUN [--check N] [--leave SHARE] [--queries Q] "
                 "[--parts A/B] [--damping D] [--json]",
        .about = about,
        .options = table};
    int n_operands, helped;
    enum kl_status status = kl_options_parse(&options, argc, argv, &n_operands, &helped, err);

    if (status || helped)
        return status;
    status = check_together(sample != NULL, check || leave || queries, command.most > 0, err);
    if (!status)
        status = kl_one_operand(argv, n_operands, "run file", &command.path, err);
    if (status)
        return status;
    command.options = table;
    command.kind = sample ? KL_ERRAND_WALK : KL_ERRAND_TRUTH;
    command.print = sample ? print_walk : print_truth;
    command.most = command.most ? command.most : DEFAULT_TOP;
    return kl_errand_run(&command, err);
}
