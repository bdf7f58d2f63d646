/* What a query about a text asks for beyond the spotlight. */
#include <stdlib.h>

#include "core/data/text/corpus.h"
#include "api/json_parts.h"
#include "api/text/json_text.h"
#include "api/json_parts.h"

#define PARTS 200 /* of the training text, for attention along it */

static const char *const group_names[KL_N_CONTINUATIONS] = {"said", "target", "other"};

static void add_group_lists(struct kl_json *json, const char *name, const struct kl_timeline *time,
                            double (*value)(struct kl_signed_sum sum))
{
    kl_json_object(json, name);
    for (uint32_t g = 0; g < time->n_groups; g++) {
        double list[KL_BINS];

        for (uint32_t b = 0; b < time->n_bins; b++)
            list[b] = value(time->sums[(size_t)b * time->n_groups + g]);
        kl_json_doubles(json, group_names[g], list, time->n_bins);
    }
    kl_json_end(json);
}

static void add_time(struct kl_json *json, const struct kl_run *run, const struct kl_answer *answer)
{
    const struct kl_timeline *timeline = &answer->time;

    kl_json_object(json, "time");
    kl_json_list(json, "first_steps");
    for (uint32_t b = 0; b < timeline->n_bins; b++)
        kl_json_count(json, NULL, kl_bin_first_step(&run->history, b));
    kl_json_end(json);
    add_group_lists(json, "sum_abs", timeline, kl_sum_abs);
    add_group_lists(json, "sum_positive", timeline, kl_sum_positive);
    add_group_lists(json, "sum_negative", timeline, kl_sum_negative);
    if (run->history.has_dual)
        kl_json_doubles(json, "contributions", answer->contributions->by_bin, timeline->n_bins);
    kl_json_end(json);
}

static void add_curves(struct kl_json *json, const struct kl_answer *answer)
{
    kl_json_list(json, "curves");
    for (uint32_t g = 0; g < answer->curves.n_groups; g++) {
        const struct kl_curve *curve = &answer->curves.curves[g];
        double attention[KL_CURVE_LENGTH], sample[KL_CURVE_LENGTH], step[KL_CURVE_LENGTH];

        kl_json_object(json, NULL);
        for (uint32_t i = 0; i < curve->n; i++) {
            attention[i] = curve->points[i].attention;
            sample[i] = curve->points[i].sample;
            step[i] = curve->points[i].step;
        }
        kl_json_string(json, "group", group_names[g]);
        kl_json_doubles(json, "attention", attention, curve->n);
        kl_json_doubles(json, "sample", sample, curve->n);
        kl_json_doubles(json, "step", step, curve->n);
        kl_json_end(json);
    }
    kl_json_end(json);
}

/* Totals along the training text: in equal parts, and by document. */
static void add_along(struct kl_json *json, const struct kl_run *run,
                      const struct kl_answer *answer)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    const struct kl_sample_totals *totals = &answer->samples;
    uint32_t n = kl_collection_train_size(&run->data);
    uint32_t parts = n < PARTS ? n : PARTS;
    double first[PARTS] = {0}, sum[PARTS] = {0}, sum_abs[PARTS] = {0}, count[PARTS] = {0};

    kl_json_object(json, "along");
    for (uint32_t i = n; i-- > 0;) {
        uint32_t p = (uint32_t)((uint64_t)i * parts / n);

        first[p] = i;
        sum[p] += totals->sum[i];
        sum_abs[p] += totals->sum_abs[i];
        count[p] += totals->repetitions[i];
    }
    kl_json_doubles(json, "first", first, parts);
    kl_json_doubles(json, "patterns", count, parts);
    kl_json_doubles(json, "sum", sum, parts);
    kl_json_doubles(json, "sum_abs", sum_abs, parts);
    kl_json_list(json, "documents");
    for (uint32_t d = 0; d < corpus->n_documents; d++) {
        const struct kl_document *document = &corpus->documents[d];
        double all = 0, all_abs = 0, patterns = 0;

        if (document->split != KL_SPLIT_TRAIN)
            continue;
        for (uint32_t i = document->first; i < document->first + document->count && i < n; i++) {
            all += totals->sum[i];
            all_abs += totals->sum_abs[i];
            patterns += totals->repetitions[i];
        }
        kl_json_object(json, NULL);
        kl_json_string(json, "name", document->name);
        kl_json_count(json, "sample", document->first);
        kl_json_number(json, "patterns", patterns);
        kl_json_number(json, "sum", all);
        kl_json_number(json, "sum_abs", all_abs);
        kl_json_end(json);
    }
    kl_json_end(json);
    kl_json_end(json);
}

/* How the answer was learned: what was said of the told tokens after snapshots. */
static void add_learning(struct kl_json *json, const struct kl_run *run,
                         const struct kl_query *query, const struct kl_answer *answer)
{
    const struct kl_learning *learning = &answer->learning;
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    int64_t told[] = {answer->predicted, query->target, answer->logit};
    const float *logits = learning->logits; /* (points, logits) */
    uint32_t n_logits = learning->n_logits;
    float *probabilities = malloc(n_logits * sizeof *probabilities);

    kl_json_object(json, "learning");
    kl_json_list(json, "steps");
    for (uint32_t i = 0; i < learning->n_points; i++)
        kl_json_count(json, NULL, learning->steps[i]);
    kl_json_end(json);
    kl_json_list(json, "tokens");
    if (!probabilities)
        kl_json_fail(json);
    for (int k = 0; probabilities && k < 3; k++) {
        if (told[k] < 0 || (k > 0 && told[k] == told[0]) || (k > 1 && told[k] == told[1]))
            continue;
        kl_json_object(json, NULL);
        kl_json_add_token(json, corpus, (uint32_t)told[k]);
        kl_json_list(json, "logits");
        for (uint32_t i = 0; i < learning->n_points; i++)
            kl_json_number(json, NULL, (double)logits[(size_t)i * n_logits + (size_t)told[k]]);
        kl_json_end(json);
        kl_json_list(json, "probabilities");
        for (uint32_t i = 0; i < learning->n_points; i++) {
            kl_softmax(logits + (size_t)i * n_logits, n_logits, probabilities);
            kl_json_number(json, NULL, (double)probabilities[told[k]]);
        }
        kl_json_end(json);
        kl_json_end(json);
    }
    kl_json_end(json);
    free(probabilities);
    kl_json_count(json, "first_won", learning->first_won);
    kl_json_count(json, "last_changed", learning->last_changed);
    kl_json_end(json);
}

void kl_json_add_text_views(struct kl_json *json, const struct kl_run *run,
                            const struct kl_query *query, const struct kl_answer *answer)
{
    if (query->parts & KL_ANSWER_CURVES)
        add_curves(json, answer);
    if (query->parts & KL_ANSWER_TIME)
        add_time(json, run, answer);
    if (query->parts & KL_ANSWER_SAMPLES)
        add_along(json, run, answer);
    if (query->parts & KL_ANSWER_LEARNING)
        add_learning(json, run, query, answer);
    if (query->parts & KL_ANSWER_PLACES)
        kl_json_add_places(json, &answer->heat);
    if (query->removal) {
        kl_json_object(json, "removed");
        kl_json_count(json, "patterns", answer->removed.n_patterns);
        kl_json_object(json, "predicted");
        kl_json_add_token(json, run->data.datasets[0]->corpus, answer->removed.predicted);
        kl_json_end(json);
        kl_json_end(json);
    }
}
