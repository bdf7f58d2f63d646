#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/asking.h"
#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/output/json.h"
#include "cli/output/names.h"
#include "cli/output/query_text.h"
#include "cli/session.h"
#include "core/explain/attention.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "db/run.h"
#include "api/asked/question.h"
#include "api/answers.h"

struct request {
    const char *path;
    struct kl_asking asking;
    int json, helped;
};

static enum kl_status parse(int argc, char **argv, struct request *request, struct kl_error *err)
{
    struct kl_option table[KL_ASKING_OPTIONS + 3],
        *own = kl_asking_options(&request->asking, table);
    const struct kl_options options = {
        .examples = "who layer 2 looks at, by sample\nkeylight query quick.keylight --sample "
                    "test/fashion-mnist/526 --layer 2 --by sample --top 10\n"
                    "who argues for Coat, of the coats\nkeylight query quick.keylight --sample "
                    "test/fashion-mnist/526 --rank logit:Coat --class Coat\n"
                    "what a text expects next, for a program\nkeylight query quick-text.keylight "
                    "--text 'Call me Ish' --json\n",
        .command = "query",
        .usage = "query RUN --sample SPLIT/DATASET/INDEX [OPTION...]\n"
                 "query RUN --text TEXT [OPTION...]",
        .about = "Shows which training samples a layer attends to for one sample, and what the "
                 "network says. Of a run of text: what it expects after a text, and which training "
                 "passages it attends to.",
        .options = table};
    int n_operands;
    enum kl_status status;

    own[0] = (struct kl_option){
        .type = KL_OPTION_TEXT,
        .name = "remove",
        .value = "TERMS",
        .target = &request->asking.remove,
        .help = "also tell what the stored trajectory sums to without part of its memory, which is "
                "no retraining: a list of top:N (of the spotlight), class:C, dataset:NAME, "
                "steps:FIRST-LAST, sample:ID and all"};
    own[1] = (struct kl_option){.type = KL_OPTION_FLAG,
                                .name = "json",
                                .target = &request->json,
                                .help = "exactly the API's answer"};
    own[2] = (struct kl_option){.type = KL_OPTION_END};
    status = kl_options_parse(&options, argc, argv, &n_operands, &request->helped, err);
    if (status || request->helped)
        return status;
    status = kl_one_operand(argv, n_operands, "run file", &request->path, err);
    return status ? status : kl_asking_check(&request->asking, err);
}

/* What an output stands for, cut to a column. */
static void print_output(const struct kl_run *run, uint32_t output)
{
    char *name = kl_collection_output_name(&run->data, output);

    kl_print_name(name ? name : "", 16);
    free(name);
}

static void print_logits(const struct kl_run *run, const struct kl_answer *answer)
{
    int has_dual = run->history.has_dual;

    printf("\n%-16s %11s   %9s", "class", "probability", "logit");
    if (has_dual)
        printf(" = %13s + %10s", "initial guess", "correction");
    putchar('\n');
    for (uint32_t j = 0; j < answer->n_logits; j++) {
        print_output(run, j);
        printf(" %9.2f %%   %9.4f", 100 * (double)answer->probabilities[j],
               (double)answer->logits[j]);
        if (has_dual)
            printf(" = %13.4f + %10.4f", answer->initial_guess[j], answer->correction[j]);
        printf("%s\n", j == answer->predicted ? "  <- predicted" : "");
    }
    if (has_dual && run->history.n_missing)
        printf("The sum lacks what the missing shards added: up to %.2g.\n", answer->max_abs_error);
    else if (has_dual)
        printf("The sum is the logit within %.1e.\n", answer->max_abs_error);
    else
        printf("There are no contributions: %s.\n", kl_history_why_not(&run->history));
}

static void print_spotlight(const struct kl_run *run, const struct kl_query *query,
                            const struct kl_answer *answer)
{
    const char *exact = query->layer == run->training.shape.n_layers ? "exact" : "first order";

    printf("\n%4s  %-26s %7s  %-14s %7s %5s %12s %14s %12s\n", "rank", "training sample", "id",
           "label", "step", query->by_sample ? "times" : "", "attention", "contribution", "score");
    for (uint32_t i = 0; i < answer->n_hits; i++) {
        const struct kl_hit *hit = &answer->spotlight[i];
        struct kl_sample_place place = kl_collection_place(&run->data, hit->sample);
        const struct kl_dataset *dataset = run->data.datasets[place.dataset];
        char name[KL_NAME_MAX + 32], times[16] = "";

        snprintf(name, sizeof name, "train/%s/%u", dataset->name, place.index);
        if (query->by_sample)
            snprintf(times, sizeof times, "%u", hit->repetitions);
        printf("%4u  %-26s %7u  ", i + 1, name, hit->sample);
        kl_print_name(kl_dataset_class_name(dataset, kl_collection_label(&run->data, hit->sample)),
                      14);
        printf(" %7u %5s %12.4f ", hit->step, times, hit->attention);
        if (isnan(hit->contribution))
            printf("%14s", "");
        else
            printf("%14.6f", hit->contribution);
        printf(" %12.6g", hit->score);
        kl_print_words("  ", dataset, place.split, place.index);
        putchar('\n');
    }
    if (run->history.errors[query->layer - 1])
        printf("Contributions are to the logit of output %u (%s).\n", answer->logit, exact);
}

static void print_classes(const struct kl_run *run, const struct kl_answer *answer)
{
    printf("\n%5s  %-14s %-14s %10s %14s %14s %14s\n", "class", "name", "data set", "patterns",
           "sum |a|", "sum a > 0", "sum a < 0");
    for (uint32_t i = 0; i < answer->n_classes; i++) {
        const struct kl_class_total *total = &answer->by_class[i];

        printf("%5u  ", i);
        kl_print_name(kl_dataset_class_name(run->data.datasets[total->dataset], total->label), 14);
        printf(" %-14.14s %10llu %14.5g %14.5g %14.5g\n", run->data.datasets[total->dataset]->name,
               (unsigned long long)total->patterns, total->sum_abs, total->sum_positive,
               total->sum_negative);
    }
}

static void print_removed(const struct kl_run *run, const struct kl_answer *answer)
{
    const struct kl_removed *removed = &answer->removed;

    printf("\nWithout %llu of %llu patterns, in %s (no retraining):\n%-16s %11s %11s   "
           "%11s\n",
           (unsigned long long)removed->n_patterns, (unsigned long long)answer->n_patterns,
           run->history.queries ? "the last layer" : "all layers", "class", "logit", "without",
           "probability");
    for (uint32_t j = 0; j < answer->n_logits; j++) {
        print_output(run, j);
        printf(" %11.4f %11.4f   %9.2f %%%s\n", (double)answer->logits[j], removed->logits[j],
               100 * (double)removed->probabilities[j],
               j == removed->predicted ? "  <- would be predicted" : "");
    }
}

static void print_answer(const struct kl_run *run, const struct request *request, uint32_t id,
                         const struct kl_answer *answer, double total_ms)
{
    struct kl_sample_place place = kl_collection_place(&run->data, id);
    const struct kl_dataset *dataset = run->data.datasets[place.dataset];
    char *called = kl_collection_output_name(&run->data, answer->predicted);

    printf("%s/%s/%u", kl_split_name(place.split), dataset->name, place.index);
    if (kl_print_words(" (", dataset, place.split, place.index))
        putchar(')');
    printf(": labelled ");
    kl_print_name(kl_dataset_class_name(dataset, kl_collection_label(&run->data, id)), 0);
    printf(", called ");
    kl_print_name(called ? called : "", 0);
    printf(" with %.1f %%\n", 100 * (double)answer->probabilities[answer->predicted]);
    free(called);
    print_logits(run, answer);
    printf("\nLayer %u, %llu patterns, by %s, ranked by %s, %.0f ms\n",
           request->asking.question.query.layer, (unsigned long long)answer->n_patterns,
           request->asking.question.query.by_sample ? "sample" : "pattern",
           request->asking.question.query.rank->name, total_ms);
    print_spotlight(run, &request->asking.question.query, answer);
    print_classes(run, answer);
    if (request->asking.question.query.removal)
        print_removed(run, answer);
}

static enum kl_status answer_query(struct kl_run *run, struct kl_pool *pool,
                                   const struct request *request, struct kl_error *err)
{
    const struct kl_query *query = &request->asking.question.query;
    uint32_t id = (uint32_t)request->asking.id;
    struct kl_answer answer = {0};
    double started = kl_now_ms(), total_ms;
    enum kl_status status = kl_attend(pool, &run->history, query, &answer, err);

    if (status)
        return status;
    total_ms = kl_now_ms() - started;
    if (request->json) {
        status = kl_print_json(kl_json_attention(run, query, id, &answer, total_ms), err);
    } else {
        print_answer(run, request, id, &answer, total_ms);
    }
    kl_answer_clear(&answer);
    return status;
}

enum kl_status kl_cli_query(int argc, char **argv, struct kl_error *err)
{
    struct request request = {0};
    struct kl_session session = {NULL, NULL};
    enum kl_status status = parse(argc, argv, &request, err);

    if (status || request.helped)
        return status;
    status = kl_session_open(request.path, &session, err);
    if (!status)
        status = kl_asking_find(&request.asking, session.run, err);
    if (!status)
        status = kl_history_is_text(&session.run->history)
                     ? kl_query_text(session.run, session.pool, &request.asking.question.query,
                                     &request.asking.typed, request.json, err)
                     : answer_query(session.run, session.pool, &request, err);
    kl_asking_clear(&request.asking);
    kl_session_close(&session);
    return status;
}
