#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/query_text.h"
#include "cli/session.h"
#include "core/explain/attention.h"
#include "core/base/blas.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "db/run.h"
#include "api/parameters.h"
#include "api/represent.h"

static const char help[] =
    "usage: keylight query RUN --sample SPLIT/DATASET/INDEX [OPTION...]\n"
    "       keylight query RUN --text TEXT [OPTION...]\n"
    "\n"
    "Shows which training samples a layer attends to for one sample, and what the network says.\n"
    "Of a run of text: what it expects after a text, and which training passages it attends to.\n"
    "\n"
    "  --sample S/D/I    for example test/fashion-mnist/526; of a text the token at that index\n"
    "  --text TEXT       any text, in a run of text: what follows is asked\n"
    "  --layer L         from 1 at the input (default: the last)\n"
    "  --rank RANK       abs (default): largest |attention|; positive; negative; cosine: blind to\n"
    "                    the keys' lengths; logit, logit:OUTPUT: largest contribution to the\n"
    "                    predicted logit, or to that one, through the layer; effect,\n"
    "                    effect:OUTPUT: through all layers; helped, harmed: what lowered, or\n"
    "                    raised, the sample's loss most, in all layers\n"
    "  --by WHAT         pattern (default): every presentation by itself; sample: repetitions\n"
    "                    summed\n"
    "  --class C         only training samples of class number C, counted over all data sets\n"
    "  --remove TERMS    also tell what it would say without part of its memory: a list of top:N\n"
    "                    (of the spotlight), class:C, dataset:NAME, steps:FIRST-LAST, sample:ID\n"
    "                    and all\n"
    "  --top K           how many (default 20)\n"
    "  --json            exactly the API's answer\n"
    "  --help, --version\n";

static const struct option options[] = {
    {"sample", required_argument, NULL, 's'},
    {"text", required_argument, NULL, 't'},
    {"layer", required_argument, NULL, 'l'},
    {"rank", required_argument, NULL, 'r'},
    {"by", required_argument, NULL, 'b'},
    {"class", required_argument, NULL, 'c'},
    {"top", required_argument, NULL, 'k'},
    {"remove", required_argument, NULL, 'm'},
    {"json", no_argument, NULL, 'j'},
    KL_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

struct request {
    const char *path, *sample, *text, *remove;
    struct kl_query query;
    struct kl_removal removal; /* that query may point to */
    int json, helped;
};

static enum kl_status set(int option, struct request *request, struct kl_error *err)
{
    uint64_t value = 0;
    enum kl_status status = KL_OK;

    switch (option) {
    case 's':
        request->sample = optarg;
        break;
    case 't':
        request->text = optarg;
        break;
    case 'l':
        status = kl_option_integer("layer", optarg, 1, KL_LAYERS_MAX, &value, err);
        request->query.layer = (uint32_t)value;
        break;
    case 'r':
        status = kl_option_rank(optarg, &request->query, err);
        break;
    case 'b':
        if (kl_parse_by(optarg, &request->query))
            status = kl_fail(err, KL_ERR_USAGE, "--by is pattern or sample, not '%.40s'", optarg);
        break;
    case 'c':
        status = kl_option_integer("class", optarg, 0, KL_TYPES_MAX, &value, err);
        request->query.only_class = (int)value;
        break;
    case 'k':
        status = kl_option_integer("top", optarg, 1, KL_TOP_MAX, &value, err);
        request->query.top = (uint32_t)value;
        break;
    case 'm':
        request->remove = optarg;
        break;
    case 'j':
        request->json = 1;
        break;
    }
    return status;
}

static enum kl_status parse(int argc, char **argv, struct request *request, struct kl_error *err)
{
    enum kl_status status = KL_OK;
    int option;

    optind = 0;
    while ((option = kl_next_option(argc, argv, options, help, err)) != -1) {
        if (option == '?')
            return KL_ERR_USAGE;
        if (option == -2) {
            request->helped = 1;
            return KL_OK;
        }
        status = set(option, request, err);
        if (status)
            return status;
    }
    status = kl_one_operand(argc, argv, "run file", &request->path, err);
    if (!status && (request->sample == NULL) == (request->text == NULL))
        status = kl_fail(err, KL_ERR_USAGE,
                         "name what to ask about: --sample test/fashion-mnist/0, or, of a run of "
                         "text, --text 'Call me'");
    return status;
}

static enum kl_status check_kind(const struct kl_run *run, const struct request *request,
                                 struct kl_error *err)
{
    return request->text && !kl_history_is_text(&run->history)
               ? kl_fail(err, KL_ERR_USAGE, "%s is a run of images: ask with --sample", run->path)
               : KL_OK;
}

/* Finds SPLIT/DATASET/INDEX in a run. */
static enum kl_status find_sample(const struct kl_run *run, const char *text, uint32_t *id,
                                  struct kl_error *err)
{
    struct kl_sample_place place = {0, KL_SPLIT_TRAIN, 0};
    const char *first = strchr(text, '/'), *second = first ? strchr(first + 1, '/') : NULL;
    const struct kl_dataset *dataset = NULL;
    char split[16] = "";

    if (!second || kl_parse_number(second + 1, &place.index))
        return kl_fail(err, KL_ERR_USAGE,
                       "--sample is SPLIT/DATASET/INDEX, as in test/%s/0, not '%.60s'",
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
    char name[KL_DATASETS_MAX * KL_NAME_MAX];

    kl_collection_output_name(&run->data, output, name, sizeof name);
    printf("%-16.16s", name);
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
        char name[KL_NAME_MAX + 32], times[16] = "";

        snprintf(name, sizeof name, "train/%s/%u", dataset->name, place.index);
        if (query->by_sample)
            snprintf(times, sizeof times, "%u", hit->repetitions);
        printf("%4u  %-26s %7u  %-14s %7u %5s %12.4f %14.6f %12.6g\n", i + 1, name, hit->sample,
               kl_dataset_class_name(dataset, kl_collection_label(&run->data, hit->sample)),
               hit->step, times, hit->attention, hit->contribution, hit->score);
    }
    printf("Contributions are to the logit of output %u (%s).\n", answer->logit, exact);
}

static void print_classes(const struct kl_run *run, const struct kl_answer *answer)
{
    printf("\n%5s  %-14s %-14s %10s %14s %14s %14s\n", "class", "name", "data set", "patterns",
           "sum |a|", "sum a > 0", "sum a < 0");
    for (uint32_t i = 0; i < answer->n_classes; i++) {
        const struct kl_class_total *total = &answer->by_class[i];

        printf("%5u  %-14s %-14.14s %10llu %14.5g %14.5g %14.5g\n", i,
               kl_dataset_class_name(run->data.datasets[total->dataset], total->label),
               run->data.datasets[total->dataset]->name, (unsigned long long)total->patterns,
               total->sum_abs, total->sum_positive, total->sum_negative);
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
    char called[KL_DATASETS_MAX * KL_NAME_MAX];

    kl_collection_output_name(&run->data, answer->predicted, called, sizeof called);
    printf("%s/%s/%u: labelled %s, called %s with %.1f %%\n", kl_split_name(place.split),
           dataset->name, place.index,
           kl_dataset_class_name(dataset, kl_collection_label(&run->data, id)), called,
           100 * (double)answer->probabilities[answer->predicted]);
    print_logits(run, answer);
    printf("\nLayer %u, %llu patterns, by %s, ranked by %s, %.0f ms\n", request->query.layer,
           (unsigned long long)answer->n_patterns, request->query.by_sample ? "sample" : "pattern",
           kl_rank_name(request->query.rank), total_ms);
    print_spotlight(run, &request->query, answer);
    print_classes(run, answer);
    if (request->remove)
        print_removed(run, answer);
}

static enum kl_status answer_text(struct kl_run *run, struct kl_pool *pool,
                                  const struct request *request, struct kl_error *err)
{
    struct kl_text_request asked = {.query = request->query,
                                    .text = request->text,
                                    .remove = request->remove,
                                    .json = request->json};
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

    if (request->query.layer == 0)
        request->query.layer = run->training.shape.n_layers;
    if (!status)
        status = kl_alloc(&pixels, run->training.shape.inputs[0], 1, "an image", err);
    if (!status)
        status = kl_run_image(run, id, pixels, err);
    request->query.subject.pixels = pixels;
    request->query.subject.dataset = kl_collection_place(&run->data, id).dataset;
    if (!status)
        request->query.target = (int)kl_collection_target(&run->data, id);
    if (!status && request->remove)
        status = kl_parse_removal(request->remove, &run->history, &request->removal, err);
    if (request->remove)
        request->query.removal = &request->removal;
    if (!status)
        status = kl_attend(pool, &run->history, &request->query, &answer, err);
    total_ms = kl_now_ms() - started;
    if (!status && request->json) {
        char *text = kl_represent_attention(run, &request->query, id, &answer, total_ms);

        if (text)
            puts(text);
        else
            status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the answer");
        free(text);
    } else if (!status) {
        print_answer(run, request, id, &answer, total_ms);
    }
    kl_answer_clear(&answer);
    free(pixels);
    return status;
}

enum kl_status kl_cli_query(int argc, char **argv, struct kl_error *err)
{
    struct request request = {.query = kl_default_query};
    struct kl_session session = {NULL, NULL};
    enum kl_status status = parse(argc, argv, &request, err);

    if (status || request.helped)
        return status;
    kl_blas_single_thread();
    status = kl_session_open(request.path, &session, err);
    if (!status)
        status = check_kind(session.run, &request, err);
    if (!status)
        status = kl_history_is_text(&session.run->history)
                     ? answer_text(session.run, session.pool, &request, err)
                     : answer_query(session.run, session.pool, &request, err);
    kl_session_close(&session);
    return status;
}
