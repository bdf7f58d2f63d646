/* keylight retrain: what a network says that never saw some of its training samples. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/asked/sample_name.h"
#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/output/names.h"
#include "cli/retraining/retraining.h"

/* Of more outputs, as texts have, a table would tell nobody anything. */
#define PRINTED_OUTPUTS 100

static void print_logits(const struct kl_run *run, const struct kl_retrained *retrained)
{
    const struct kl_said *before = &retrained->before, *after = &retrained->after;

    printf("%-16s %11s %11s   %11s %11s\n", "class", "probability", "logit", "without", "logit");
    for (uint32_t j = 0; j < retrained->n_outputs; j++) {
        char *name = kl_collection_output_name(&run->data, j);

        kl_print_name(name ? name : "", 16);
        printf(" %9.2f %% %11.4f   %9.2f %% %11.4f\n", 100 * (double)before->probabilities[j],
               (double)before->logits[j], 100 * (double)after->probabilities[j],
               (double)after->logits[j]);
        free(name);
    }
}

static void print_loss(const struct kl_run *run, uint32_t sample,
                       const struct kl_retrained *retrained)
{
    char *label = kl_collection_output_name(&run->data, kl_collection_target(&run->data, sample));

    printf("\nThe loss of its label, %s, was %.4g and became %.4g (%+.4g).\n", label ? label : "",
           retrained->before.loss, retrained->after.loss,
           retrained->after.loss - retrained->before.loss);
    if (isnan(retrained->influence))
        printf("Nothing was foretold: %s.\n", kl_history_why_not(&run->history));
    else
        printf("Foretold: %+.4g by influence, %+.4g by signed contributions.\n",
               retrained->influence, retrained->proponents);
    free(label);
}

static enum kl_status print(const struct kl_errand_command *command, const struct kl_errand *errand,
                            const struct kl_run *run, const struct kl_errand_result *result,
                            struct kl_error *err)
{
    const struct kl_retrained *retrained = &result->retrained;
    char name[KL_SAMPLE_NAME_MAX] = "The network";

    (void)command;
    (void)err;
    if (errand->n_samples)
        kl_sample_name(&run->data, errand->samples[0], name);
    printf("%s without %u of %u training samples, %s.\n\n", name, retrained->n_without,
           kl_collection_train_size(&run->data),
           errand->has_seed ? "from another seed" : "from the same initial weights");
    if (errand->n_samples) {
        if (retrained->n_outputs <= PRINTED_OUTPUTS)
            print_logits(run, retrained);
        print_loss(run, errand->samples[0], retrained);
    }
    if (!isnan(retrained->after.accuracy))
        printf("Test accuracy %.2f %%, then %.2f %%; test loss %.4f, then %.4f.\n",
               100 * retrained->before.accuracy, 100 * retrained->after.accuracy,
               retrained->before.test_loss, retrained->after.test_loss);
    return KL_OK;
}

enum kl_status kl_cli_retrain(int argc, char **argv, struct kl_error *err)
{
    const char *sample = NULL, *without = NULL, *rank = NULL, *layer = NULL, *seed = NULL;
    struct kl_errand_command command = {.kind = KL_ERRAND_RETRAIN, .unit = "steps", .print = print};
    const struct kl_option table[] = {
        {.type = KL_OPTION_TEXT,
         .name = "without",
         .value = "TERMS",
         .target = &without,
         .help = "who is left out, a list of top:N (the first of the sample's spotlight, by "
                 "sample), class:C, dataset:NAME, sample:ID, and marked (whom people marked as "
                 "wrong among the suspects)"},
        {.type = KL_OPTION_TEXT,
         .name = "sample",
         .value = "SAMPLE",
         .target = &sample,
         .help = "what is asked about: test/fashion-mnist/526, or path:cat/007.png"},
        {.type = KL_OPTION_TEXT,
         .name = "rank",
         .value = "RANK",
         .target = &rank,
         .help = "of the spotlight that top:N begins (default influence; see 'keylight query "
                 "--help')"},
        {.type = KL_OPTION_TEXT,
         .name = "layer",
         .value = "L",
         .target = &layer,
         .help = "likewise, from 1 at the input, or its name (default: the last)"},
        {.type = KL_OPTION_TEXT,
         .name = "seed",
         .value = "N",
         .target = &seed,
         .help = "another seed: other initial weights, and another order"},
        {.type = KL_OPTION_FLAG, .name = "json", .target = &command.json, .help = "as JSON"},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples = "without the ten that would be missed most\nkeylight retrain quick.keylight "
                    "--sample test/fashion-mnist/526 --without top:10\n"
                    "without a class, and without what was marked wrong\nkeylight retrain "
                    "quick.keylight --without class:Coat,marked\n",
        .command = "retrain",
        .usage = "retrain RUN --without TERMS [--sample SPLIT/DATASET/INDEX] [OPTION...]",
        .about =
            "Trains a run again without some of its training samples, from the same "
            "initial weights with the same minibatches, in which they weigh nothing, and tells "
            "what the network then says of a sample, beside what the scores had foretold, and of "
            "the test split. The answer is kept beside the run (RUN.results), where the page shows "
            "it.",
        .options = table};
    int n_operands, helped;
    enum kl_status status = kl_options_parse(&options, argc, argv, &n_operands, &helped, err);

    if (status || helped)
        return status;
    command.options = table;
    status = kl_one_operand(argv, n_operands, "run file", &command.path, err);
    return status ? status : kl_errand_run(&command, err);
}
