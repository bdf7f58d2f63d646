/* What a query about a text asks for beyond the spotlight. */
#include <cJSON.h>
#include <stdlib.h>

#include "core/data/text/corpus.h"
#include "api/json.h"
#include "api/json_text.h"
#include "api/json_text_answer.h"

#define PARTS 200 /* of the training text, for attention along it */

static const char *const group_names[KL_N_CONTINUATIONS] = {"said", "target", "other"};

static void add_group_lists(cJSON *object, const char *name, const struct kl_timeline *time,
                            double (*value)(struct kl_signed_sum sum))
{
    cJSON *lists = cJSON_AddObjectToObject(object, name);

    for (uint32_t g = 0; g < time->n_groups; g++) {
        double list[KL_BINS];

        for (uint32_t b = 0; b < time->n_bins; b++)
            list[b] = value(time->sums[(size_t)b * time->n_groups + g]);
        cJSON_AddItemToObject(lists, group_names[g], kl_json_list(list, time->n_bins));
    }
}

static void add_time(cJSON *object, const struct kl_run *run, const struct kl_answer *answer)
{
    const struct kl_timeline *timeline = &answer->time;
    cJSON *time = cJSON_AddObjectToObject(object, "time");
    cJSON *first_steps = cJSON_AddArrayToObject(time, "first_steps");

    for (uint32_t b = 0; b < timeline->n_bins; b++)
        cJSON_AddItemToArray(first_steps, cJSON_CreateNumber(kl_bin_first_step(&run->history, b)));
    add_group_lists(time, "sum_abs", timeline, kl_sum_abs);
    add_group_lists(time, "sum_positive", timeline, kl_sum_positive);
    add_group_lists(time, "sum_negative", timeline, kl_sum_negative);
    if (run->history.has_dual)
        kl_json_doubles(time, "contributions", answer->contributions->by_bin, timeline->n_bins);
}

static void add_curves(cJSON *object, const struct kl_run *run, const struct kl_answer *answer)
{
    cJSON *curves = cJSON_AddArrayToObject(object, "curves");

    for (uint32_t g = 0; g < answer->curves.n_groups; g++) {
        const struct kl_top *top = &answer->curves.tops[g];
        cJSON *item = cJSON_CreateObject();
        double attention[KL_CURVE_LENGTH], sample[KL_CURVE_LENGTH], step[KL_CURVE_LENGTH];

        for (uint32_t i = 0; i < top->n; i++) {
            attention[i] = (double)answer->attention[top->items[i].index];
            sample[i] = run->history.samples[top->items[i].index];
            step[i] = kl_history_step(&run->history, top->items[i].index);
        }
        cJSON_AddStringToObject(item, "group", group_names[g]);
        kl_json_doubles(item, "attention", attention, top->n);
        kl_json_doubles(item, "sample", sample, top->n);
        kl_json_doubles(item, "step", step, top->n);
        cJSON_AddItemToArray(curves, item);
    }
}

/* Totals along the training text: in equal parts, and by document. */
static void add_along(cJSON *object, const struct kl_run *run, const struct kl_answer *answer)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    const struct kl_sample_totals *totals = &answer->samples;
    uint32_t n = kl_collection_train_size(&run->data);
    uint32_t parts = n < PARTS ? n : PARTS;
    double first[PARTS] = {0}, sum[PARTS] = {0}, sum_abs[PARTS] = {0}, count[PARTS] = {0};
    cJSON *along = cJSON_AddObjectToObject(object, "along");
    cJSON *documents = cJSON_AddArrayToObject(along, "documents");

    for (uint32_t i = n; i-- > 0;) {
        uint32_t p = (uint32_t)((uint64_t)i * parts / n);

        first[p] = i;
        sum[p] += totals->sum[i];
        sum_abs[p] += totals->sum_abs[i];
        count[p] += totals->repetitions[i];
    }
    kl_json_doubles(along, "first", first, parts);
    kl_json_doubles(along, "patterns", count, parts);
    kl_json_doubles(along, "sum", sum, parts);
    kl_json_doubles(along, "sum_abs", sum_abs, parts);
    for (uint32_t d = 0; d < corpus->n_documents; d++) {
        const struct kl_document *document = &corpus->documents[d];
        double all = 0, all_abs = 0, patterns = 0;
        cJSON *item;

        if (document->split != KL_SPLIT_TRAIN)
            continue;
        for (uint32_t i = document->first; i < document->first + document->count && i < n; i++) {
            all += totals->sum[i];
            all_abs += totals->sum_abs[i];
            patterns += totals->repetitions[i];
        }
        item = cJSON_CreateObject();
        cJSON_AddStringToObject(item, "name", document->name);
        kl_json_count(item, "sample", document->first);
        kl_json_number(item, "patterns", patterns);
        kl_json_number(item, "sum", all);
        kl_json_number(item, "sum_abs", all_abs);
        cJSON_AddItemToArray(documents, item);
    }
}

/* How the answer was learned: what was said of the told tokens after snapshots. */
static void add_learning(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                         const struct kl_answer *answer)
{
    const struct kl_learning *learning = &answer->learning;
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    int64_t told[] = {answer->predicted, query->target, answer->logit};
    cJSON *item = cJSON_AddObjectToObject(object, "learning");
    cJSON *steps = cJSON_AddArrayToObject(item, "steps");
    cJSON *tokens = cJSON_AddArrayToObject(item, "tokens");
    float *probabilities = malloc(learning->n_logits * sizeof *probabilities);

    for (uint32_t i = 0; i < learning->n_points; i++)
        cJSON_AddItemToArray(steps, cJSON_CreateNumber(learning->steps[i]));
    for (int k = 0; probabilities && k < 3; k++) {
        cJSON *token, *logits, *shares;

        if (told[k] < 0 || (k > 0 && told[k] == told[0]) || (k > 1 && told[k] == told[1]))
            continue;
        token = cJSON_CreateObject();
        kl_json_type(token, corpus, (uint32_t)told[k]);
        logits = cJSON_AddArrayToObject(token, "logits");
        shares = cJSON_AddArrayToObject(token, "probabilities");
        for (uint32_t i = 0; i < learning->n_points; i++) {
            const float *row = learning->logits + (size_t)i * learning->n_logits;

            kl_softmax(row, learning->n_logits, probabilities);
            kl_json_append(logits, (double)row[told[k]]);
            kl_json_append(shares, (double)probabilities[told[k]]);
        }
        cJSON_AddItemToArray(tokens, token);
    }
    free(probabilities);
    kl_json_count(item, "first_won", learning->first_won);
    kl_json_count(item, "last_changed", learning->last_changed);
}

void kl_json_text_views(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                        const struct kl_answer *answer)
{
    if (query->parts & KL_ANSWER_CURVES)
        add_curves(object, run, answer);
    if (query->parts & KL_ANSWER_TIME)
        add_time(object, run, answer);
    if (query->parts & KL_ANSWER_SAMPLES)
        add_along(object, run, answer);
    if (query->parts & KL_ANSWER_LEARNING)
        add_learning(object, run, query, answer);
    if (query->removal) {
        cJSON *removed = cJSON_AddObjectToObject(object, "removed");

        kl_json_count(removed, "patterns", answer->removed.n_patterns);
        kl_json_type(cJSON_AddObjectToObject(removed, "predicted"), run->data.datasets[0]->corpus,
                     answer->removed.predicted);
    }
}
