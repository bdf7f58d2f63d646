#include "cli/output/recorded_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/answers.h"
#include "cli/output/names.h"
#include "core/data/text/corpus.h"

#define NAME_COLUMNS 40
#define ROUNDING 1e-3 /* of what gradients were scaled by, which is measured */

/* What is told of numbers that may differ from step to step. */
struct range {
    double least, most;
};

static void take(struct range *range, double number)
{
    range->least = fmin(range->least, number);
    range->most = fmax(range->most, number);
}

static void print_range(const char *before, struct range range)
{
    printf("%s%g", before, range.least);
    if (range.most > range.least)
        printf(" to %g", range.most);
}

static void print_layers(const struct kl_shape *shape)
{
    printf("network    recorded, %u layer%s:\n", shape->n_layers, shape->n_layers > 1 ? "s" : "");
    for (uint32_t l = 0; l < shape->n_layers; l++) {
        const struct kl_layer_facts *facts = &shape->layers[l];
        const struct kl_convolution *cut = kl_shape_convolution(shape, l);

        printf("    %6u ", l + 1);
        kl_print_name(facts->name, NAME_COLUMNS);
        printf(" %u-%u", shape->inputs[l], shape->outputs[l]);
        if (cut)
            printf(", patches of %ux%u of maps of %ux%u", cut->kernel[1], cut->kernel[0],
                   cut->size[1], cut->size[0]);
        if (facts->places > 1)
            printf(", %u places", facts->places);
        printf("%s\n", facts->has_errors ? "" : ", attention only");
    }
}

static void print_training(const struct kl_run *run)
{
    const struct kl_history *history = &run->history;
    const struct kl_training *training = &run->training;
    struct range rates = {INFINITY, 0}, momenta = rates, decays = rates, factors = rates;

    for (uint32_t l = 0; l < training->shape.n_layers; l++)
        for (uint32_t s = 0; history->layers[l].rules && s < history->n_steps; s++) {
            const struct kl_step_rule *rule = &history->layers[l].rules[s];

            take(&rates, rule->learning_rate);
            take(&momenta, rule->momentum);
            take(&decays, rule->weight_decay);
            take(&factors, rule->clip_factor);
        }
    printf("training   %u steps of %s%u = %llu showings", training->n_steps,
           history->patterns_per_step ? "" : "at most ", history->most_per_step,
           (unsigned long long)(history->n_all + history->n_missing));
    if (history->n_missing)
        printf(", of which %llu are here", (unsigned long long)history->n_all);
    if (!history->has_dual) {
        printf("; attention only\n");
        return;
    }
    printf("; %s", kl_training_optimiser(training)->name);
    print_range(", learning rate ", rates);
    if (kl_training_optimiser(training)->is_adaptive)
        printf(", betas %g and %g, epsilon %g", training->beta_1, training->beta_2,
               training->epsilon);
    else if (momenta.most > 0)
        print_range(", momentum ", momenta);
    if (decays.most > 0)
        print_range(", weight decay ", decays);
    if (factors.least < 1 - ROUNDING || factors.most > 1 + ROUNDING)
        print_range(", gradients scaled by ", factors);
    putchar('\n');
}

static void print_data(const struct kl_run *run)
{
    const struct kl_dataset *dataset = run->data.datasets[0];
    uint32_t n_test = dataset->splits[KL_SPLIT_TEST].count;
    const struct kl_queries *queries = run->history.queries;
    uint32_t *samples = NULL, n = n_test;
    struct kl_error err;

    printf("data       %s: %u train, %u test ", dataset->name,
           dataset->splits[KL_SPLIT_TRAIN].count, n_test);
    if (dataset->corpus)
        printf("positions in %u document%s, %u different tokens\n", dataset->corpus->n_documents,
               dataset->corpus->n_documents > 1 ? "s" : "", dataset->corpus->n_types);
    else if (dataset->channels)
        printf("samples of %ux%u, %u channel%s, %u classes, accuracy %.2f %%\n", dataset->width,
               dataset->height, dataset->channels, dataset->channels > 1 ? "s" : "",
               dataset->n_classes, 100 * kl_run_dataset_accuracy(run, 0));
    else
        printf("described samples, %u classes, accuracy %.2f %%\n", dataset->n_classes,
               100 * kl_run_dataset_accuracy(run, 0));
    if (queries && !queries->list(queries->self, &samples, &n, &err) && n < n_test)
        printf("asked      %u of the test %s can be asked about\n", n,
               dataset->corpus ? "positions" : "samples");
    free(samples);
}

void kl_print_recorded_run(const struct kl_run *run)
{
    print_layers(&run->training.shape);
    print_training(run);
    printf("history    %s, %.1f MB\n", kl_dtype_name((enum kl_dtype)run->training.dtype),
           (double)run->file_bytes / 1e6);
    print_data(run);
}
