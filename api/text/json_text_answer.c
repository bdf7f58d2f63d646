/* The answer to a query about a text as JSON. */
#include <math.h>
#include <stdlib.h>

#include "core/explain/text/passages.h"
#include "core/base/top.h"
#include "api/asked/query_text.h"
#include "api/json_parts.h"
#include "api/text/json_text.h"
#include "api/answers.h"
#include "api/json_parts.h"

#define NEXT_TOLD 50   /* next tokens told, the most probable */
#define TOTALS_TOLD 50 /* next tokens whose totals are told, the largest */

static const struct kl_corpus *corpus_of(const struct kl_run *run)
{
    return run->data.datasets[0]->corpus;
}

/* The n tokens with the largest values, and those of the list that are not among them: *told is the
 * caller's, to free; returns how many. */
static uint32_t choose(const double *values, uint32_t n_values, uint32_t most, const int64_t *also,
                       uint32_t n_also, uint32_t **told)
{
    struct kl_top top = {malloc(most * sizeof *top.items), 0, most};
    uint32_t *list = malloc((most + n_also) * sizeof *list), n = 0;

    for (uint32_t j = 0; top.items && list && j < n_values; j++)
        kl_top_offer(&top, values[j], j);
    if (top.items)
        kl_top_sort(&top);
    for (uint32_t i = 0; list && i < top.n; i++)
        list[n++] = (uint32_t)top.items[i].index;
    for (uint32_t i = 0; list && i < n_also; i++) {
        uint32_t seen = 0;

        while (seen < n && list[seen] != also[i])
            seen++;
        if (also[i] >= 0 && seen == n)
            list[n++] = (uint32_t)also[i];
    }
    free(top.items);
    *told = list;
    return n;
}

/* What may follow, the most probable first. */
static void add_next(struct kl_json *json, const struct kl_run *run, const struct kl_query *query,
                     const struct kl_answer *answer)
{
    int64_t also[] = {answer->predicted, answer->logit, query->target};
    double *values = malloc(answer->n_logits * sizeof *values);
    uint32_t *told = NULL, n = 0;

    kl_json_list(json, "next");
    for (uint32_t j = 0; values && j < answer->n_logits; j++)
        values[j] = (double)answer->logits[j];
    if (values)
        n = choose(values, answer->n_logits, NEXT_TOLD, also, 3, &told);
    if (!told)
        kl_json_fail(json);
    for (uint32_t i = 0; i < n; i++) {
        kl_json_object(json, NULL);
        kl_json_add_token(json, corpus_of(run), told[i]);
        kl_json_number(json, "probability", (double)answer->probabilities[told[i]]);
        kl_json_number(json, "logit", (double)answer->logits[told[i]]);
        if (run->history.has_dual) {
            kl_json_number(json, "initial_guess", answer->initial_guess[told[i]]);
            kl_json_number(json, "correction", answer->correction[told[i]]);
            if (run->history.left_out > 0 || run->history.n_missing)
                kl_json_number(json, "unrecorded",
                               (double)answer->logits[told[i]] - answer->initial_guess[told[i]] -
                                   answer->correction[told[i]]);
        }
        if (answer->removed.logits) {
            kl_json_number(json, "logit_without", answer->removed.logits[told[i]]);
            kl_json_number(json, "probability_without",
                           (double)answer->removed.probabilities[told[i]]);
        }
        kl_json_end(json);
    }
    kl_json_end(json);
    free(told);
    free(values);
}

/* Totals by the token that followed the attended positions. */
static void add_totals(struct kl_json *json, const struct kl_run *run, const struct kl_query *query,
                       const struct kl_answer *answer)
{
    int64_t also[] = {answer->predicted, answer->logit, query->target};
    double *values = malloc(answer->n_classes * sizeof *values);
    uint32_t *told = NULL, n = 0;

    kl_json_list(json, "by_token");
    for (uint32_t c = 0; values && c < answer->n_classes; c++)
        values[c] = answer->by_class[c].sum_abs;
    if (values)
        n = choose(values, answer->n_classes, TOTALS_TOLD, also, 3, &told);
    if (!told)
        kl_json_fail(json);
    for (uint32_t i = 0; i < n; i++) {
        const struct kl_class_total *total = &answer->by_class[told[i]];

        kl_json_object(json, NULL);
        kl_json_add_token(json, corpus_of(run), told[i]);
        kl_json_count(json, "patterns", total->patterns);
        kl_json_number(json, "sum_abs", total->sum_abs);
        kl_json_number(json, "sum_positive", total->sum_positive);
        kl_json_number(json, "sum_negative", total->sum_negative);
        if (run->history.has_dual)
            kl_json_number(json, "contribution", answer->contributions->by_class[told[i]]);
        kl_json_end(json);
    }
    kl_json_end(json);
    free(told);
    free(values);
}

static void add_places(struct kl_json *json, const struct kl_query *query,
                       const struct kl_answer *answer, const struct kl_passage *passage)
{
    kl_json_list(json, "places");
    for (uint32_t p = 0; p < passage->n_places; p++) {
        const struct kl_hit_place *place = &passage->places[p];
        const struct kl_hit *hit = &answer->spotlight[place->hit];

        kl_json_object(json, NULL);
        kl_json_count(json, "sample", place->position);
        kl_json_count(json, "offset", place->position - passage->first);
        kl_json_count(json, "pattern", hit->pattern);
        kl_json_count(json, "step", hit->step);
        kl_json_count(json, "repetitions", place->repetitions);
        kl_json_count(json, "lit", query->by_sample ? place->repetitions : place->patterns);
        kl_json_number(json, "attention", hit->attention);
        kl_json_number(json, "contribution", hit->contribution);
        kl_json_number(json, "score", hit->score);
        kl_json_end(json);
    }
    kl_json_end(json);
}

static void add_passages(struct kl_json *json, const struct kl_run *run,
                         const struct kl_query *query, const struct kl_answer *answer,
                         const struct kl_passages *passages)
{
    const struct kl_corpus *corpus = corpus_of(run);
    const uint32_t *tokens = corpus->tokens[KL_SPLIT_TRAIN];
    const uint8_t *spaced = corpus->spaced[KL_SPLIT_TRAIN];

    kl_json_list(json, "passages");
    for (uint32_t i = 0; i < passages->n; i++) {
        const struct kl_passage *passage = &passages->passages[i];

        kl_json_object(json, NULL);
        kl_json_count(json, "rank", i + 1);
        kl_json_add_position(json, run, passage->first);
        kl_json_add_tokens(json, corpus, tokens + passage->first,
                           spaced ? spaced + passage->first : NULL, passage->count);
        add_places(json, query, answer, passage);
        kl_json_end(json);
    }
    kl_json_end(json);
}

static void add_subject(struct kl_json *json, const struct kl_run *run,
                        const struct kl_query_text *text, uint32_t place)
{
    uint32_t begin = place + 1 > KL_CONTEXT ? place + 1 - KL_CONTEXT : 0;

    kl_json_object(json, "subject");
    if (text->sample >= 0)
        kl_json_add_position(json, run, (uint32_t)text->sample);
    else
        kl_json_null(json, "sample");
    kl_json_count(json, "place", place - begin);
    kl_json_add_tokens(json, corpus_of(run), text->tokens + begin,
                       text->spaced ? text->spaced + begin : NULL, place + 1 - begin);
    if (text->sample < 0) {
        kl_json_list(json, "missing");
        for (size_t i = 0; i < text->missing.n; i++)
            kl_json_string(json, NULL, text->missing.sentences[i]);
        kl_json_end(json);
    }
    kl_json_end(json);
}

/* How contributions of the query's layer are to be taken. */
static const char *contribution_kind(const struct kl_run *run, uint32_t layer)
{
    if (!run->history.errors[layer - 1])
        return "none";
    if (layer < run->training.shape.n_layers)
        return "first_order";
    return run->training.error_entries ? "approximate" : "exact";
}

/* The vote of the attended continuations: the token with the largest total, and the one that
 * followed the most attended position. */
static void add_vote(struct kl_json *json, const struct kl_run *run, const struct kl_answer *answer)
{
    uint32_t best = 0;

    kl_json_object(json, "vote");
    for (uint32_t c = 1; c < answer->n_classes; c++)
        best = answer->by_class[c].sum_abs > answer->by_class[best].sum_abs ? c : best;
    kl_json_object(json, "by_total");
    kl_json_add_token(json, corpus_of(run), best);
    kl_json_end(json);
    if (answer->n_hits) {
        kl_json_object(json, "by_first");
        kl_json_add_token(json, corpus_of(run), run->history.classes[answer->spotlight[0].sample]);
        kl_json_end(json);
    }
    kl_json_end(json);
}

static void add_exactness(struct kl_json *json, const struct kl_run *run,
                          const struct kl_answer *answer)
{
    kl_json_object(json, "exactness");
    kl_json_bool(json, "dual", run->history.has_dual);
    if (run->history.has_dual)
        kl_json_number(json, "max_abs_error", answer->max_abs_error);
    kl_json_number(json, "left_out", run->history.left_out);
    kl_json_end(json);
}

char *kl_json_text_attention(const struct kl_run *run, const struct kl_query *query,
                             const struct kl_query_text *text, uint32_t place,
                             const struct kl_answer *answer, const struct kl_passages *passages,
                             double total_ms)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_add_run(json, run);
    add_subject(json, run, text, place);
    kl_json_count(json, "layer", query->layer);
    kl_json_string(json, "rank", query->rank->name);
    kl_json_string(json, "by", query->by_sample ? "sample" : "pattern");
    kl_json_count(json, "predicted", answer->predicted);
    kl_json_count(json, "logit", answer->logit);
    if (query->target == KL_ANY_CLASS) {
        kl_json_null(json, "target");
    } else {
        kl_json_count(json, "target", answer->target);
        kl_json_number(json, "bits",
                       -log2(fmax((double)answer->probabilities[answer->target], 1e-45)));
    }
    kl_json_string(json, "contribution_kind", contribution_kind(run, query->layer));
    kl_json_count(json, "patterns", answer->n_patterns);
    if (query->parts & KL_ANSWER_LOGITS) {
        add_exactness(json, run, answer);
        add_next(json, run, query, answer);
    }
    if (query->parts & KL_ANSWER_SPOTLIGHT) {
        kl_json_add_scores(json, answer);
        add_passages(json, run, query, answer, passages);
    }
    if (query->parts & KL_ANSWER_CLASSES) {
        add_totals(json, run, query, answer);
        add_vote(json, run, answer);
    }
    kl_json_add_text_views(json, run, query, answer);
    kl_json_number(json, "scan_ms", answer->scan_ms);
    kl_json_number(json, "timing_ms", total_ms);
    return kl_json_finish(json);
}
