/* The answer to a query as JSON. */
#include <cJSON.h>

#include "server/json.h"
#include "server/represent.h"

static void add_spotlight(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                          const struct kl_answer *answer)
{
    cJSON *spotlight = cJSON_AddArrayToObject(object, "spotlight");

    for (uint32_t i = 0; i < answer->n_lit; i++) {
        const struct kl_lit *lit = &answer->spotlight[i];
        cJSON *item = cJSON_CreateObject();

        kl_json_count(item, "rank", i + 1);
        kl_json_count(item, "pattern", lit->pattern);
        kl_json_count(item, "step", lit->step);
        cJSON_AddItemToObject(item, "sample", kl_json_sample(run, lit->sample));
        if (query->by_sample)
            kl_json_count(item, "repetitions", lit->repetitions);
        kl_json_number(item, "attention", lit->attention);
        kl_json_number(item, "contribution", lit->contribution);
        kl_json_number(item, "score", lit->score);
        cJSON_AddItemToArray(spotlight, item);
    }
}

static void add_classes(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                        const struct kl_answer *answer)
{
    cJSON *classes = cJSON_AddArrayToObject(object, "by_class");

    for (uint32_t i = 0; i < answer->n_classes; i++) {
        const struct kl_class_total *total = &answer->by_class[i];
        cJSON *item = cJSON_CreateObject();

        cJSON_AddStringToObject(item, "dataset", run->data.datasets[total->dataset]->name);
        kl_json_count(item, "label", total->label);
        kl_json_count(item, "patterns", total->patterns);
        kl_json_number(item, "sum_abs", total->sum_abs);
        kl_json_number(item, "sum_positive", total->sum_positive);
        kl_json_number(item, "sum_negative", total->sum_negative);
        if (query->layer == run->training.n_layers)
            kl_json_doubles(item, "contributions", total->contributions, answer->n_logits);
        cJSON_AddItemToArray(classes, item);
    }
}

static void add_query(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                      const struct kl_answer *answer)
{
    kl_json_count(object, "layer", query->layer);
    cJSON_AddStringToObject(object, "rank", kl_rank_name(query->rank));
    kl_json_count(object, "logit", answer->logit);
    cJSON_AddStringToObject(object, "contribution_kind",
                            query->layer == run->training.n_layers ? "exact" : "first_order");
    cJSON_AddStringToObject(object, "by", query->by_sample ? "sample" : "pattern");
    if (query->only_class == KL_ANY_CLASS)
        cJSON_AddNullToObject(object, "class");
    else
        kl_json_count(object, "class", (uint64_t)query->only_class);
    kl_json_count(object, "k", query->top);
}

char *kl_represent_attention(const struct kl_run *run, const struct kl_query *query, int64_t sample,
                             const struct kl_answer *answer, double total_ms)
{
    cJSON *object = cJSON_CreateObject(), *scores, *exactness;

    cJSON_AddStringToObject(object, "run", run->fingerprint);
    cJSON_AddItemToObject(object, "sample",
                          sample < 0 ? cJSON_CreateNull() : kl_json_sample(run, (uint32_t)sample));
    cJSON_AddStringToObject(object, "dataset", run->data.datasets[query->dataset]->name);
    kl_json_count(object, "predicted", answer->predicted);
    kl_json_floats(object, "logits", answer->logits, answer->n_logits);
    kl_json_floats(object, "probabilities", answer->probabilities, answer->n_logits);
    kl_json_doubles(object, "initial_guess", answer->initial_guess, answer->n_logits);
    kl_json_doubles(object, "correction", answer->correction, answer->n_logits);
    exactness = cJSON_AddObjectToObject(object, "exactness");
    kl_json_number(exactness, "max_abs_error", answer->max_abs_error);
    add_query(object, run, query, answer);
    kl_json_count(object, "patterns", answer->n_patterns);
    scores = cJSON_AddObjectToObject(object, "scores");
    kl_json_count(scores, "count", answer->scores.count);
    kl_json_number(scores, "mean", answer->scores.mean);
    kl_json_number(scores, "deviation", answer->scores.deviation);
    kl_json_number(scores, "max", answer->scores.max);
    add_spotlight(object, run, query, answer);
    add_classes(object, run, query, answer);
    kl_json_number(object, "scan_ms", answer->scan_ms);
    kl_json_number(object, "timing_ms", total_ms);
    return kl_json_finish(object);
}
