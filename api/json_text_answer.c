/* The answer to a query about a text as JSON. */
#include <cJSON.h>
#include <math.h>
#include <stdlib.h>

#include "core/explain/text/passages.h"
#include "core/base/top.h"
#include "api/query_text.h"
#include "api/json.h"
#include "api/json_text.h"
#include "api/represent.h"
#include "api/json_text_answer.h"

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
static void add_next(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                     const struct kl_answer *answer)
{
    cJSON *next = cJSON_AddArrayToObject(object, "next");
    int64_t also[] = {answer->predicted, answer->logit, query->target};
    double *values = malloc(answer->n_logits * sizeof *values);
    uint32_t *told = NULL, n = 0;

    for (uint32_t j = 0; values && j < answer->n_logits; j++)
        values[j] = (double)answer->logits[j];
    if (values)
        n = choose(values, answer->n_logits, NEXT_TOLD, also, 3, &told);
    for (uint32_t i = 0; i < n; i++) {
        cJSON *item = cJSON_CreateObject();

        kl_json_type(item, corpus_of(run), told[i]);
        kl_json_number(item, "probability", (double)answer->probabilities[told[i]]);
        kl_json_number(item, "logit", (double)answer->logits[told[i]]);
        if (run->history.has_dual) {
            kl_json_number(item, "initial_guess", answer->initial_guess[told[i]]);
            kl_json_number(item, "correction", answer->correction[told[i]]);
            if (run->history.left_out > 0)
                kl_json_number(item, "unrecorded",
                               (double)answer->logits[told[i]] - answer->initial_guess[told[i]] -
                                   answer->correction[told[i]]);
        }
        if (answer->removed.logits) {
            kl_json_number(item, "logit_without", answer->removed.logits[told[i]]);
            kl_json_number(item, "probability_without",
                           (double)answer->removed.probabilities[told[i]]);
        }
        cJSON_AddItemToArray(next, item);
    }
    free(told);
    free(values);
}

/* Totals by the token that followed the attended positions. */
static void add_totals(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                       const struct kl_answer *answer)
{
    cJSON *totals = cJSON_AddArrayToObject(object, "by_token");
    int64_t also[] = {answer->predicted, answer->logit, query->target};
    double *values = malloc(answer->n_classes * sizeof *values);
    uint32_t *told = NULL, n = 0;

    for (uint32_t c = 0; values && c < answer->n_classes; c++)
        values[c] = answer->by_class[c].sum_abs;
    if (values)
        n = choose(values, answer->n_classes, TOTALS_TOLD, also, 3, &told);
    for (uint32_t i = 0; i < n; i++) {
        const struct kl_class_total *total = &answer->by_class[told[i]];
        cJSON *item = cJSON_CreateObject();

        kl_json_type(item, corpus_of(run), told[i]);
        kl_json_count(item, "patterns", total->patterns);
        kl_json_number(item, "sum_abs", total->sum_abs);
        kl_json_number(item, "sum_positive", total->sum_positive);
        kl_json_number(item, "sum_negative", total->sum_negative);
        if (run->history.has_dual)
            kl_json_number(item, "contribution", answer->contributions->by_class[told[i]]);
        cJSON_AddItemToArray(totals, item);
    }
    free(told);
    free(values);
}

static void add_places(cJSON *passage_item, const struct kl_query *query,
                       const struct kl_answer *answer, const struct kl_passage *passage)
{
    cJSON *places = cJSON_AddArrayToObject(passage_item, "places");

    for (uint32_t p = 0; p < passage->n_places; p++) {
        const struct kl_hit_place *place = &passage->places[p];
        const struct kl_hit *hit = &answer->spotlight[place->hit];
        cJSON *item = cJSON_CreateObject();

        kl_json_count(item, "sample", place->position);
        kl_json_count(item, "offset", place->position - passage->first);
        kl_json_count(item, "pattern", hit->pattern);
        kl_json_count(item, "step", hit->step);
        kl_json_count(item, "repetitions", place->repetitions);
        kl_json_count(item, "lit", query->by_sample ? place->repetitions : place->patterns);
        kl_json_number(item, "attention", hit->attention);
        kl_json_number(item, "contribution", hit->contribution);
        kl_json_number(item, "score", hit->score);
        cJSON_AddItemToArray(places, item);
    }
}

static void add_passages(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                         const struct kl_answer *answer, const struct kl_passages *passages)
{
    const struct kl_corpus *corpus = corpus_of(run);
    const uint32_t *tokens = corpus->tokens[KL_SPLIT_TRAIN];
    const uint8_t *spaced = corpus->spaced[KL_SPLIT_TRAIN];
    cJSON *array = cJSON_AddArrayToObject(object, "passages");

    for (uint32_t i = 0; i < passages->n; i++) {
        const struct kl_passage *passage = &passages->passages[i];
        cJSON *item = cJSON_CreateObject();

        kl_json_count(item, "rank", i + 1);
        kl_json_position(item, run, passage->first);
        kl_json_tokens(item, corpus, tokens + passage->first,
                       spaced ? spaced + passage->first : NULL, passage->count);
        add_places(item, query, answer, passage);
        cJSON_AddItemToArray(array, item);
    }
}

static void add_subject(cJSON *object, const struct kl_run *run, const struct kl_query_text *text,
                        uint32_t place)
{
    cJSON *item = cJSON_AddObjectToObject(object, "subject");
    uint32_t begin = place + 1 > KL_CONTEXT ? place + 1 - KL_CONTEXT : 0;

    if (text->sample >= 0)
        kl_json_position(item, run, (uint32_t)text->sample);
    else
        cJSON_AddNullToObject(item, "sample");
    kl_json_count(item, "place", place - begin);
    kl_json_tokens(item, corpus_of(run), text->tokens + begin,
                   text->spaced ? text->spaced + begin : NULL, place + 1 - begin);
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
static void add_vote(cJSON *object, const struct kl_run *run, const struct kl_answer *answer)
{
    cJSON *vote = cJSON_AddObjectToObject(object, "vote");
    uint32_t best = 0;

    for (uint32_t c = 1; c < answer->n_classes; c++)
        best = answer->by_class[c].sum_abs > answer->by_class[best].sum_abs ? c : best;
    kl_json_type(cJSON_AddObjectToObject(vote, "by_total"), corpus_of(run), best);
    if (answer->n_hits)
        kl_json_type(cJSON_AddObjectToObject(vote, "by_first"), corpus_of(run),
                     run->history.classes[answer->spotlight[0].sample]);
}

char *kl_represent_text_attention(const struct kl_run *run, const struct kl_query *query,
                                  const struct kl_query_text *text, uint32_t place,
                                  const struct kl_answer *answer,
                                  const struct kl_passages *passages, double total_ms)
{
    cJSON *object = cJSON_CreateObject(), *exactness;

    cJSON_AddStringToObject(object, "run", run->fingerprint);
    add_subject(object, run, text, place);
    kl_json_count(object, "layer", query->layer);
    cJSON_AddStringToObject(object, "rank", query->rank->name);
    cJSON_AddStringToObject(object, "by", query->by_sample ? "sample" : "pattern");
    kl_json_count(object, "predicted", answer->predicted);
    kl_json_count(object, "logit", answer->logit);
    if (query->target == KL_ANY_CLASS) {
        cJSON_AddNullToObject(object, "target");
    } else {
        kl_json_count(object, "target", answer->target);
        kl_json_number(object, "bits",
                       -log2(fmax((double)answer->probabilities[answer->target], 1e-45)));
    }
    cJSON_AddStringToObject(object, "contribution_kind", contribution_kind(run, query->layer));
    exactness = cJSON_AddObjectToObject(object, "exactness");
    cJSON_AddBoolToObject(exactness, "dual", run->history.has_dual);
    if (run->history.has_dual)
        kl_json_number(exactness, "max_abs_error", answer->max_abs_error);
    kl_json_number(exactness, "left_out", run->history.left_out);
    add_next(object, run, query, answer);
    kl_json_count(object, "patterns", answer->n_patterns);
    kl_json_scores(object, answer);
    add_passages(object, run, query, answer, passages);
    add_totals(object, run, query, answer);
    add_vote(object, run, answer);
    kl_json_text_views(object, run, query, answer);
    kl_json_number(object, "scan_ms", answer->scan_ms);
    kl_json_number(object, "timing_ms", total_ms);
    return kl_json_finish(object);
}
