#include "api/errands/errand.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/asked/sample_name.h"
#include "api/errands/without.h"
#include "core/base/clock.h"
#include "core/base/hash.h"
#include "core/base/memory.h"
#include "core/base/number.h"
#include "core/base/utf8.h"
#include "core/explain/many/votes.h"

#define CHECKS_MIN 3
#define CHECKS_MAX 10000
#define QUERIES_MAX 10000
#define PARTS_MAX 1000000
#define DAMPING_MAX 1000

static const char *const names[KL_N_ERRANDS] = {"retrain", "walk", "truth", "votes"};
static const struct kl_truth_question defaults = {
    .n_subsets = 20, .n_queries = 64, .share = 0.1, .walk = {{1, 1}, 2.3}};

const char *kl_errand_name(enum kl_errand_kind kind)
{
    return names[kind];
}

int kl_errand_parse(const char *name, enum kl_errand_kind *kind)
{
    for (int i = 0; i < KL_N_ERRANDS; i++)
        if (!strcmp(name, names[i])) {
            *kind = (enum kl_errand_kind)i;
            return 0;
        }
    return -1;
}

enum kl_status kl_errand_possible(enum kl_errand_kind kind, const struct kl_run *run,
                                  struct kl_error *err)
{
    if (run->is_unfinished)
        return kl_fail(err, KL_ERR_UNFINISHED,
                       "this run is in training: ask that when it is finished");
    if (run->history.n_missing && (kind == KL_ERRAND_VOTES || kind == KL_ERRAND_TRUTH))
        return kl_fail(err, KL_ERR_USAGE,
                       "shards of this run are missing, and this is kept as what the whole history "
                       "says: bring them back");
    if (kind == KL_ERRAND_VOTES)
        return kl_history_is_text(&run->history)
                   ? kl_fail(err, KL_ERR_USAGE, "votes are of samples with classes, not of texts")
                   : KL_OK;
    /* A framework's own order of samples, and its sizes of batches, nobody here can make again. */
    if (!run->training.shape.model->step || kl_run_other_setting(run, "framework"))
        return kl_fail(err, KL_ERR_USAGE,
                       "this run cannot be trained again here: that takes a run that keylight "
                       "trained");
    if (kind == KL_ERRAND_WALK)
        return kl_walk_check(&run->training, &run->data, err);
    if (kind == KL_ERRAND_TRUTH && !run->history.has_dual)
        return kl_fail(err, KL_ERR_USAGE,
                       "this run records no error signals, so that it has no scores to compare: "
                       "train it without --attention-only");
    return KL_OK;
}

void kl_errand_init(enum kl_errand_kind kind, const struct kl_run *run, struct kl_errand *errand)
{
    memset(errand, 0, sizeof *errand);
    errand->kind = kind;
    errand->truth = defaults;
    kl_question_init(&run->history, &errand->spotlight);
    errand->spotlight.query.rank = kl_rank_find(run->history.has_dual ? "influence" : "abs");
}

void kl_errand_clear(struct kl_errand *errand)
{
    free(errand->without);
    free(errand->marked);
    errand->without = NULL;
    errand->marked = NULL;
}

enum kl_status kl_errand_copy(const struct kl_errand *from, struct kl_errand *to,
                              struct kl_error *err)
{
    enum kl_status status = KL_OK;

    *to = *from;
    to->without = NULL;
    to->marked = NULL;
    if (from->without)
        status = kl_copy_text(&to->without, from->without, err);
    if (!status && from->n_marked)
        status = kl_alloc(&to->marked, from->n_marked, sizeof *to->marked, "the marks", err);
    if (!status && from->n_marked)
        memcpy(to->marked, from->marked, from->n_marked * sizeof *to->marked);
    return status;
}

/* Names, parted by commas. */
static enum kl_status set_samples(struct kl_errand *errand, const struct kl_run *run,
                                  const char *text, struct kl_error *err)
{
    uint32_t most = errand->kind == KL_ERRAND_WALK ? KL_WALK_QUERIES : 1;
    char *copy = NULL, *name, *next;
    enum kl_status status = kl_copy_text(&copy, text, err);

    errand->n_samples = 0;
    for (name = copy; !status && name; name = next) {
        char *comma = most > 1 ? strchr(name, ',') : NULL;

        next = comma ? comma + 1 : NULL;
        if (comma)
            *comma = '\0';
        if (errand->n_samples == most)
            status = kl_fail_on(err, KL_ERR_USAGE, "sample",
                                "at most %u samples are walked back from at a time", most);
        else if (!*name)
            status = kl_fail_on(err, KL_ERR_USAGE, "sample",
                                "sample names samples, as in test/mnist/8,test/mnist/15");
        else
            status = kl_sample_named(&run->data, name, "sample",
                                     &errand->samples[errand->n_samples++], err);
    }
    free(copy);
    return status;
}

static enum kl_status set_without(struct kl_errand *errand, const struct kl_run *run,
                                  const char *text, struct kl_error *err)
{
    enum kl_status status = kl_without_check(text, run, &errand->names_top, err);

    kl_errand_clear(errand);
    errand->n_marked = 0;
    if (!status && kl_without_names_marked(text))
        status = kl_without_marked(run, &errand->marked, &errand->n_marked, err);
    return status ? status : kl_copy_text(&errand->without, text, err);
}

static enum kl_status set_rank(struct kl_errand *errand, const struct kl_run *run, const char *text,
                               struct kl_error *err)
{
    enum kl_status status = kl_question_set(&errand->spotlight, &run->history, "rank", text, err);

    if (!status)
        snprintf(errand->rank, sizeof errand->rank, "%s", strcmp(text, "influence") ? text : "");
    return status;
}

static enum kl_status set_layer(struct kl_errand *errand, const struct kl_run *run,
                                const char *text, struct kl_error *err)
{
    return kl_question_set(&errand->spotlight, &run->history, "layer", text, err);
}

static enum kl_status set_seed(struct kl_errand *errand, const struct kl_run *run, const char *text,
                               struct kl_error *err)
{
    (void)run;
    errand->has_seed = 1;
    return kl_parse_number(text, &errand->seed)
               ? kl_fail_on(err, KL_ERR_USAGE, "seed", "seed is a number, not '%.40s'", text)
               : KL_OK;
}

static enum kl_status set_parts(struct kl_errand *errand, const struct kl_run *run,
                                const char *text, struct kl_error *err)
{
    const char *slash = strchr(text, '/');
    struct kl_parts *parts = &errand->truth.walk.parts;
    char last[12] = "";

    (void)run;
    if (slash && (size_t)(slash - text) < sizeof last)
        memcpy(last, text, (size_t)(slash - text));
    if (!slash || kl_parse_number(last, &parts->last) || kl_parse_number(slash + 1, &parts->of) ||
        parts->last < 1 || parts->last > parts->of || parts->of > PARTS_MAX)
        return kl_fail_on(err, KL_ERR_USAGE, "parts",
                          "parts says how many parts at the end, of how many: 6/15, not '%.40s'",
                          text);
    return KL_OK;
}

static enum kl_status set_damping(struct kl_errand *errand, const struct kl_run *run,
                                  const char *text, struct kl_error *err)
{
    double *damping = &errand->truth.walk.damping;
    char *end;

    (void)run;
    *damping = strtod(text, &end);
    return end == text || *end || !(*damping >= 0 && *damping <= DAMPING_MAX)
               ? kl_fail_on(err, KL_ERR_USAGE, "damping",
                            "damping is 0 (the derivative itself) to %d, not '%.40s'", DAMPING_MAX,
                            text)
               : KL_OK;
}

static enum kl_status set_count(const char *word, const char *text, uint32_t low, uint32_t high,
                                uint32_t *count, struct kl_error *err)
{
    return kl_parse_number(text, count) || *count < low || *count > high
               ? kl_fail_on(err, KL_ERR_USAGE, word, "%s is %u to %u, not '%.40s'", word, low, high,
                            text)
               : KL_OK;
}

static enum kl_status set_check(struct kl_errand *errand, const struct kl_run *run,
                                const char *text, struct kl_error *err)
{
    (void)run;
    return set_count("check", text, CHECKS_MIN, CHECKS_MAX, &errand->truth.n_subsets, err);
}

static enum kl_status set_queries(struct kl_errand *errand, const struct kl_run *run,
                                  const char *text, struct kl_error *err)
{
    (void)run;
    return set_count("queries", text, 1, QUERIES_MAX, &errand->truth.n_queries, err);
}

static enum kl_status set_leave(struct kl_errand *errand, const struct kl_run *run,
                                const char *text, struct kl_error *err)
{
    double *share = &errand->truth.share;
    char *end;

    (void)run;
    *share = strtod(text, &end);
    return end == text || *end || !(*share > 0 && *share < 1)
               ? kl_fail_on(err, KL_ERR_USAGE, "leave",
                            "leave is a share above 0 and below 1, not '%.40s'", text)
               : KL_OK;
}

static const struct {
    const char *word;
    unsigned kinds; /* bits, of those that take it */
    enum kl_status (*set)(struct kl_errand *, const struct kl_run *, const char *,
                          struct kl_error *);
} words[] = {
    {"sample", 1u << KL_ERRAND_RETRAIN | 1u << KL_ERRAND_WALK, set_samples},
    {"without", 1u << KL_ERRAND_RETRAIN, set_without},
    {"rank", 1u << KL_ERRAND_RETRAIN, set_rank},
    {"layer", 1u << KL_ERRAND_RETRAIN, set_layer},
    {"seed", 1u << KL_ERRAND_RETRAIN, set_seed},
    {"parts", 1u << KL_ERRAND_WALK | 1u << KL_ERRAND_TRUTH, set_parts},
    {"damping", 1u << KL_ERRAND_WALK | 1u << KL_ERRAND_TRUTH, set_damping},
    {"check", 1u << KL_ERRAND_TRUTH, set_check},
    {"leave", 1u << KL_ERRAND_TRUTH, set_leave},
    {"queries", 1u << KL_ERRAND_TRUTH, set_queries},
};

enum kl_status kl_errand_set(struct kl_errand *errand, const struct kl_run *run, const char *word,
                             const char *text, struct kl_error *err)
{
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!strcmp(word, words[i].word) && words[i].kinds & 1u << errand->kind)
            return words[i].set(errand, run, text, err);
    return kl_fail_on(err, KL_ERR_USAGE, word, "%s has no word %.40s: see docs/api.md",
                      names[errand->kind], word);
}

enum kl_status kl_errand_check(const struct kl_errand *errand, struct kl_error *err)
{
    if (errand->kind == KL_ERRAND_RETRAIN && !errand->without)
        return kl_fail_on(err, KL_ERR_USAGE, "without",
                          "say who is left out: without top:20, class:3, sample:ID or marked");
    if (!errand->n_samples && errand->kind == KL_ERRAND_WALK)
        return kl_fail_on(err, KL_ERR_USAGE, "sample",
                          "name the samples to walk back from: sample test/mnist/8");
    if (!errand->n_samples && errand->names_top)
        return kl_fail_on(err, KL_ERR_USAGE, "sample",
                          "top:N are the first of a sample's spotlight: name the sample");
    return KL_OK;
}

static void print_word(FILE *file, const char *word)
{
    fprintf(file, "%s%s=", ftell(file) > 0 ? "&" : "", word);
}

/* As short as it is that number and no other. */
static void print_number(FILE *file, double number)
{
    char text[32];

    snprintf(text, sizeof text, "%g", number);
    if (strtod(text, NULL) != number)
        snprintf(text, sizeof text, "%.17g", number);
    fputs(text, file);
}

/* How many samples votes are counted of. */
static uint32_t n_asked_of(const struct kl_run *run)
{
    uint32_t *ids = NULL, n = 0;
    struct kl_error ignored; /* then it is counted as if of none */

    (void)kl_votes_choose(&run->history, &ids, &n, &ignored);
    free(ids);
    return n;
}

char *kl_errand_question(const struct kl_errand *errand, const struct kl_run *run)
{
    const struct kl_truth_question *truth = &errand->truth;
    char *text = NULL, name[KL_SAMPLE_NAME_MAX];
    size_t n_bytes = 0;
    FILE *file = open_memstream(&text, &n_bytes);

    if (!file)
        return NULL;
    for (uint32_t i = 0; i < errand->n_samples; i++) {
        kl_sample_name(&run->data, errand->samples[i], name);
        if (i == 0)
            print_word(file, "sample");
        fprintf(file, "%s%s", i ? "," : "", name);
    }
    if (errand->without) {
        print_word(file, "without");
        fputs(errand->without, file);
    }
    if (*errand->rank && errand->names_top) {
        print_word(file, "rank");
        fputs(errand->rank, file);
    }
    if (errand->spotlight.query.layer != run->training.shape.n_layers && errand->names_top) {
        print_word(file, "layer");
        fprintf(file, "%u", errand->spotlight.query.layer);
    }
    if (errand->has_seed) {
        print_word(file, "seed");
        fprintf(file, "%u", errand->seed);
    }
    if (errand->n_marked) {
        print_word(file, "marks"); /* which they were */
        fprintf(file, "%016" PRIx64,
                kl_hash(KL_HASH_START, errand->marked, errand->n_marked * sizeof *errand->marked));
    }
    if (errand->kind == KL_ERRAND_VOTES && run->history.queries) {
        print_word(file, "asked"); /* further samples may be recorded */
        fprintf(file, "%u", n_asked_of(run));
    }
    if (errand->kind == KL_ERRAND_TRUTH) {
        print_word(file, "check");
        fprintf(file, "%u&leave=", truth->n_subsets);
        print_number(file, truth->share);
        fprintf(file, "&queries=%u", truth->n_queries);
    }
    if (errand->kind == KL_ERRAND_WALK || errand->kind == KL_ERRAND_TRUTH) {
        print_word(file, "parts");
        fprintf(file, "%u/%u&damping=", truth->walk.parts.last, truth->walk.parts.of);
        print_number(file, truth->walk.damping);
    }
    return fclose(file) ? free(text), NULL : text;
}

/* The sample that is asked about, whose pixels are there. */
static enum kl_status begin_inquiry(const struct kl_run *run, struct kl_pool *pool, uint32_t id,
                                    struct kl_inquiry **inquiry, struct kl_error *err)
{
    struct kl_subject subject;

    kl_subject_at(&run->data, id, &subject);
    return kl_inquiry_create(pool, &run->history, &subject, inquiry, err);
}

static enum kl_status retrain(const struct kl_errand *errand, struct kl_run *run,
                              struct kl_pool *pool, const struct kl_work *work,
                              struct kl_retrained *retrained, struct kl_error *err)
{
    struct kl_retraining retraining = {.has_seed = errand->has_seed, .seed = errand->seed};
    struct kl_query query = errand->spotlight.query;
    struct kl_inquiry *inquiry = NULL;
    uint8_t *without = NULL;
    enum kl_status status = kl_alloc(&without, kl_collection_size(&run->data), 1, "samples", err);

    if (!status && errand->n_samples) {
        status = begin_inquiry(run, pool, errand->samples[0], &inquiry, err);
        retraining.target = kl_collection_target(&run->data, errand->samples[0]);
        query.target = (int)retraining.target;
    }
    if (!status)
        status = kl_without_choose(errand->without, run, inquiry, &query, errand->marked,
                                   errand->n_marked, without, err);
    retraining.without = without;
    if (!status)
        status = kl_retrain_without(pool, &run->training, &run->history, inquiry, &retraining, work,
                                    retrained, err);
    kl_inquiry_free(inquiry);
    free(without);
    return status;
}

static enum kl_status walk(const struct kl_errand *errand, const struct kl_run *run,
                           struct kl_pool *pool, const struct kl_work *work, double **influences,
                           struct kl_error *err)
{
    uint32_t targets[KL_WALK_QUERIES];
    const struct kl_walk_queries queries = {errand->n_samples, errand->samples, targets};
    enum kl_status status = kl_alloc(influences, (size_t)queries.n * kl_collection_size(&run->data),
                                     sizeof **influences, "the walk", err);

    if (status || kl_peers_own(run->history.peers) > 0)
        return status; /* process 0 walks: it takes no history */
    for (uint32_t q = 0; q < queries.n; q++)
        targets[q] = kl_collection_target(&run->data, queries.samples[q]);
    return kl_walk_back(pool, &run->training, &run->data, run->initial, &queries,
                        &errand->truth.walk, work, *influences, err);
}

static enum kl_status count_votes(const struct kl_history *history, struct kl_pool *pool,
                                  const struct kl_work *work, struct kl_errand_result *result,
                                  struct kl_error *err)
{
    enum kl_status status = kl_votes_choose(history, &result->asked, &result->n_asked, err);

    if (!status)
        status = kl_alloc(&result->votes, result->n_asked, sizeof *result->votes, "votes", err);
    if (!status)
        status =
            kl_alloc(&result->predicted, result->n_asked, sizeof *result->predicted, "votes", err);
    return status ? status
                  : kl_votes(pool, history, result->asked, result->n_asked, work, result->votes,
                             result->predicted, err);
}

enum kl_status kl_errand_do(const struct kl_errand *errand, struct kl_run *run,
                            struct kl_pool *pool, const struct kl_work *work,
                            struct kl_errand_result *result, struct kl_error *err)
{
    double started = kl_now_ms();
    enum kl_status status = kl_errand_possible(errand->kind, run, err);

    memset(result, 0, sizeof *result);
    if (!status && errand->kind == KL_ERRAND_VOTES)
        return count_votes(&run->history, pool, work, result, err);
    if (!status)
        status = kl_run_read_images(run, err);
    if (status)
        return status;
    if (errand->kind == KL_ERRAND_RETRAIN)
        return retrain(errand, run, pool, work, &result->retrained, err);
    if (errand->kind == KL_ERRAND_TRUTH)
        return kl_truth_measure(pool, &run->training, &run->history, &errand->truth, work,
                                &result->truth, &result->notes, err);
    status = walk(errand, run, pool, work, &result->influences, err);
    result->walk_seconds = (kl_now_ms() - started) / 1e3;
    return status;
}

void kl_errand_result_clear(struct kl_errand_result *result)
{
    kl_retrained_clear(&result->retrained);
    free(result->influences);
    free(result->asked);
    free(result->votes);
    free(result->predicted);
    result->influences = NULL;
    result->asked = result->votes = result->predicted = NULL;
    kl_notes_clear(&result->notes);
}
