#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options/options.h"
#include "cli/output/names.h"
#include "cli/output/query_text.h"
#include "cli/session.h"
#include "core/explain/attention.h"
#include "core/base/blas.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "db/run.h"
#include "api/question.h"
#include "api/answers.h"

/* Words of a question, as they were said: what they may be the run decides. */
struct word {
    const char *name, *text;
};

struct request {
    const char *path, *sample, *text;
    struct word words[8]; /* the last has no name */
    struct kl_question question;
    char rank_help[1200];
    int json, helped;
};

static const char *const word_names[] = {"layer", "rank", "by", "class", "remove", "k"};

static void describe_ranks(char *text, size_t n_bytes)
{
    const struct kl_rank *rank;
    size_t used = 0;

    for (uint32_t i = 0; (rank = kl_rank_at(i)) && used < n_bytes; i++)
        used += (size_t)snprintf(text + used, n_bytes - used, "%s%s%s: %s", i ? "\n" : "",
                                 rank->name, rank->takes_logit ? "[:OUTPUT]" : "", rank->meaning);
}

static enum kl_status parse(int argc, char **argv, struct request *request, struct kl_error *err)
{
    struct word *words = request->words;
    const struct kl_option table[] = {
        {.type = KL_OPTION_TEXT,
         .name = "sample",
         .value = "SAMPLE",
         .target = &request->sample,
         .help = "for example test/fashion-mnist/526, or path:cat/007.png; of a text the token at "
                 "that index"},
        {.type = KL_OPTION_TEXT,
         .name = "text",
         .value = "TEXT",
         .target = &request->text,
         .help = "any text, in a run of text: what follows is asked"},
        {.type = KL_OPTION_TEXT,
         .name = "layer",
         .value = "L",
         .target = &words[0].text,
         .help = "from 1 at the input (default: the last)"},
        {.type = KL_OPTION_TEXT,
         .name = "rank",
         .value = "RANK",
         .target = &words[1].text,
         .help = request->rank_help},
        {.type = KL_OPTION_TEXT,
         .name = "by",
         .value = "WHAT",
         .target = &words[2].text,
         .help = "pattern (default): every presentation by itself; sample: repetitions summed"},
        {.type = KL_OPTION_TEXT,
         .name = "class",
         .value = "C",
         .target = &words[3].text,
         .help = "only training samples of class number C, counted over all data sets"},
        {.type = KL_OPTION_TEXT,
         .name = "remove",
         .value = "TERMS",
         .target = &words[4].text,
         .help = "also tell what it would say without part of its memory: a list of top:N (of the "
                 "spotlight), class:C, dataset:NAME, steps:FIRST-LAST, sample:ID and all"},
        {.type = KL_OPTION_TEXT,
         .name = "top",
         .value = "K",
         .target = &words[5].text,
         .help = "how many (default 20)"},
        {.type = KL_OPTION_FLAG,
         .name = "json",
         .target = &request->json,
         .help = "exactly the API's answer"},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .command = "query",
        .usage = "query RUN --sample SPLIT/DATASET/INDEX [OPTION...]\n"
                 "query RUN --text TEXT [OPTION...]",
        .about = "Shows which training samples a layer attends to for one sample, and what the "
                 "network says. Of a run of text: what it expects after a text, and which training "
                 "passages it attends to.",
        .options = table};
    int n_operands;
    enum kl_status status;

    describe_ranks(request->rank_help, sizeof request->rank_help);
    for (size_t i = 0; i < sizeof word_names / sizeof word_names[0]; i++)
        words[i].name = word_names[i];
    status = kl_options_parse(&options, argc, argv, &n_operands, &request->helped, err);
    if (status || request->helped)
        return status;
    status = kl_one_operand(argv, n_operands, "run file", &request->path, err);
    if (!status && (request->sample == NULL) == (request->text == NULL))
        status = kl_fail(err, KL_ERR_USAGE,
                         "name what to ask about: --sample test/fashion-mnist/0, or, of a run of "
                         "text, --text 'Call me'");
    return status;
}

/* The words as a question about the run. */
static enum kl_status put_question(const struct kl_run *run, struct request *request,
                                   struct kl_error *err)
{
    kl_question_init(&run->history, &request->question);
    for (const struct word *word = request->words; word->name; word++)
        if (word->text &&
            kl_question_set(&request->question, &run->history, word->name, word->text, err))
            return strcmp(word->name, "k") != 0
                       ? err->status
                       : kl_fail(err, KL_ERR_USAGE, "--top is 1 to %d", KL_TOP_MAX);
    return KL_OK;
}

static enum kl_status check_kind(const struct kl_run *run, const struct request *request,
                                 struct kl_error *err)
{
    return request->text && !kl_history_is_text(&run->history)
               ? kl_fail(err, KL_ERR_USAGE, "%s is a run of images: ask with --sample", run->path)
               : KL_OK;
}

/* Finds the sample of a file; one that several data sets have is the first's. */
static enum kl_status find_path(const struct kl_run *run, const char *path, uint32_t *id,
                                struct kl_error *err)
{
    uint32_t n_samples = kl_collection_size(&run->data);
    int has_paths = 0;

    for (*id = 0; *id < n_samples; ++*id) {
        struct kl_sample_place place = kl_collection_place(&run->data, *id);
        const char *found =
            kl_history_is_text(&run->history)
                ? NULL
                : kl_dataset_path(run->data.datasets[place.dataset], place.split, place.index);

        if (found && !strcmp(found, path))
            return KL_OK;
        has_paths |= found != NULL;
    }
    return kl_fail(err, KL_ERR_NOT_FOUND,
                   has_paths
                       ? "this run has no image of the file %.200s: paths are those below the "
                         "data set's folder, as 'keylight suspects' prints them"
                       : "this run does not know the files of its samples (%.200s)",
                   path);
}

/* Finds SPLIT/DATASET/INDEX, or path:FILE, in a run. */
static enum kl_status find_sample(const struct kl_run *run, const char *text, uint32_t *id,
                                  struct kl_error *err)
{
    struct kl_sample_place place = {0, KL_SPLIT_TRAIN, 0};
    const char *first = strchr(text, '/'), *second = first ? strchr(first + 1, '/') : NULL;
    const struct kl_dataset *dataset = NULL;
    char split[16] = "";

    if (!strncmp(text, "path:", 5))
        return find_path(run, text + 5, id, err);
    if (!second || kl_parse_number(second + 1, &place.index))
        return kl_fail(err, KL_ERR_USAGE,
                       "--sample is SPLIT/DATASET/INDEX, as in test/%s/0, or path:FILE, not "
                       "'%.60s'",
                       run->data.datasets[0]->name, text);
    if ((size_t)(first - text) < sizeof split)
        memcpy(split, text, (size_t)(first - text));
    if (kl_split_parse(split, &place.split, err))
        return err->status;
    for (uint32_t d = 0; d < run->data.n_datasets; d++) {
        const char *name = run->data.datasets[d]->name;

        if (strlen(name) == (size_t)(second - first - 1) &&
            !strncmp(name, first + 1, strlen(name))) {
            place.dataset = d;
            dataset = run->data.datasets[d];
        }
    }
    if (!dataset)
        return kl_fail(err, KL_ERR_NOT_FOUND,
                       "this run has no data set '%.*s': 'keylight info' lists those it has",
                       (int)(second - first - 1), first + 1);
    if (dataset->splits[place.split].count == 0)
        return kl_fail(err, KL_ERR_NOT_FOUND, "%s of this run has no %s split", dataset->name,
                       split);
    if (place.index >= dataset->splits[place.split].count)
        return kl_fail(err, KL_ERR_NOT_FOUND, "%s/%s has samples 0 to %u, not %u", split,
                       dataset->name, dataset->splits[place.split].count - 1, place.index);
    *id = kl_collection_id(&run->data, place);
    return KL_OK;
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
    printf("\n%-16s %11s   %9s = %13s + %10s\n", "class", "probability", "logit", "initial guess",
           "correction");
    for (uint32_t j = 0; j < answer->n_logits; j++) {
        print_output(run, j);
        printf(" %9.2f %%   %9.4f = %13.4f + %10.4f%s\n", 100 * (double)answer->probabilities[j],
               (double)answer->logits[j], answer->initial_guess[j], answer->correction[j],
               j == answer->predicted ? "  <- predicted" : "");
    }
    printf("The sum is the logit within %.1e.\n", answer->max_abs_error);
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
        const char *path = kl_dataset_path(dataset, place.split, place.index);
        char name[KL_NAME_MAX + 32], times[16] = "";

        snprintf(name, sizeof name, "train/%s/%u", dataset->name, place.index);
        if (query->by_sample)
            snprintf(times, sizeof times, "%u", hit->repetitions);
        printf("%4u  %-26s %7u  ", i + 1, name, hit->sample);
        kl_print_name(kl_dataset_class_name(dataset, kl_collection_label(&run->data, hit->sample)),
                      14);
        printf(" %7u %5s %12.4f %14.6f %12.6g", hit->step, times, hit->attention, hit->contribution,
               hit->score);
        if (path) {
            printf("  ");
            kl_print_name(path, 0);
        }
        putchar('\n');
    }
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

    printf("\nWithout %llu of %llu patterns, in all layers (no retraining):\n%-16s %11s %11s   "
           "%11s\n",
           (unsigned long long)removed->n_patterns, (unsigned long long)answer->n_patterns, "class",
           "logit", "without", "probability");
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
    const char *path = kl_dataset_path(dataset, place.split, place.index);
    char *called = kl_collection_output_name(&run->data, answer->predicted);

    printf("%s/%s/%u", kl_split_name(place.split), dataset->name, place.index);
    if (path) {
        printf(" (");
        kl_print_name(path, 0);
        printf(")");
    }
    printf(": labelled ");
    kl_print_name(kl_dataset_class_name(dataset, kl_collection_label(&run->data, id)), 0);
    printf(", called ");
    kl_print_name(called ? called : "", 0);
    printf(" with %.1f %%\n", 100 * (double)answer->probabilities[answer->predicted]);
    free(called);
    print_logits(run, answer);
    printf("\nLayer %u, %llu patterns, by %s, ranked by %s, %.0f ms\n",
           request->question.query.layer, (unsigned long long)answer->n_patterns,
           request->question.query.by_sample ? "sample" : "pattern",
           request->question.query.rank->name, total_ms);
    print_spotlight(run, &request->question.query, answer);
    print_classes(run, answer);
    if (request->question.query.removal)
        print_removed(run, answer);
}

static enum kl_status answer_text(struct kl_run *run, struct kl_pool *pool,
                                  const struct request *request, struct kl_error *err)
{
    struct kl_text_request asked = {
        .query = request->question.query, .text = request->text, .json = request->json};
    enum kl_status status = KL_OK;

    if (!request->text)
        status = find_sample(run, request->sample, &asked.sample, err);
    return status ? status : kl_query_text(run, pool, &asked, err);
}

static enum kl_status answer_query(struct kl_run *run, struct kl_pool *pool,
                                   struct request *request, struct kl_error *err)
{
    struct kl_answer answer = {0};
    uint8_t *pixels = NULL;
    uint32_t id = 0;
    double started = kl_now_ms(), total_ms;
    enum kl_status status = find_sample(run, request->sample, &id, err);

    if (status)
        goto out;
    status = kl_alloc(&pixels, run->training.shape.inputs[0], 1, "an image", err);
    if (status)
        goto out;
    status = kl_run_image(run, id, pixels, err);
    if (status)
        goto out;
    request->question.query.subject.pixels = pixels;
    request->question.query.subject.dataset = kl_collection_place(&run->data, id).dataset;
    request->question.query.target = (int)kl_collection_target(&run->data, id);
    status = kl_attend(pool, &run->history, &request->question.query, &answer, err);
    if (status)
        goto out;
    total_ms = kl_now_ms() - started;
    if (request->json) {
        char *text = kl_json_attention(run, &request->question.query, id, &answer, total_ms);

        if (text)
            puts(text);
        else
            status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the answer");
        free(text);
    } else {
        print_answer(run, request, id, &answer, total_ms);
    }
out:
    kl_answer_clear(&answer);
    free(pixels);
    return status;
}

enum kl_status kl_cli_query(int argc, char **argv, struct kl_error *err)
{
    struct request request = {0};
    struct kl_session session = {NULL, NULL};
    enum kl_status status = parse(argc, argv, &request, err);

    if (status || request.helped)
        return status;
    kl_blas_single_thread();
    status = kl_session_open(request.path, &session, err);
    if (!status)
        status = check_kind(session.run, &request, err);
    if (!status)
        status = put_question(session.run, &request, err);
    if (!status)
        status = kl_history_is_text(&session.run->history)
                     ? answer_text(session.run, session.pool, &request, err)
                     : answer_query(session.run, session.pool, &request, err);
    kl_session_close(&session);
    return status;
}
