/* The answer to a query as JSON. */
#include <cJSON.h>
#include <stdlib.h>

#include "api/json.h"
#include "api/represent.h"

void kl_json_scores(cJSON *object, const struct kl_answer *answer)
{
    cJSON *scores = cJSON_AddObjectToObject(object, "scores");

    kl_json_count(scores, "count", answer->scores.count);
    kl_json_number(scores, "mean", answer->scores.mean);
    kl_json_number(scores, "deviation", answer->scores.deviation);
    kl_json_number(scores, "max", answer->scores.max);
}

static void add_spotlight(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                          const struct kl_answer *answer)
{
    cJSON *spotlight = cJSON_AddArrayToObject(object, "spotlight");

    for (uint32_t i = 0; i < answer->n_hits; i++) {
        const struct kl_hit *hit = &answer->spotlight[i];
        cJSON *item = cJSON_CreateObject();

        kl_json_count(item, "rank", i + 1);
        kl_json_count(item, "pattern", hit->pattern);
        kl_json_count(item, "step", hit->step);
        cJSON_AddItemToObject(item, "sample", kl_json_sample(run, hit->sample));
        if (query->by_sample)
            kl_json_count(item, "repetitions", hit->repetitions);
        kl_json_number(item, "attention", hit->attention);
        kl_json_number(item, "contribution", hit->contribution);
        kl_json_number(item, "score", hit->score);
        cJSON_AddItemToArray(spotlight, item);
    }
}

static void add_classes(cJSON *object, const struct kl_run *run, const struct kl_answer *answer)
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
        kl_json_doubles(item, "contributions",
                        answer->contributions->by_class + (size_t)i * answer->n_logits,
                        answer->n_logits);
        cJSON_AddItemToArray(classes, item);
    }
}

struct curve {
    const struct kl_history *history;
    const struct kl_top *top;
    const float *attention;
};

static double curve_attention(const void *self, uint32_t i)
{
    const struct curve *curve = self;

    return (double)curve->attention[curve->top->items[i].index];
}

static double curve_sample(const void *self, uint32_t i)
{
    const struct curve *curve = self;

    return curve->history->samples[curve->top->items[i].index];
}

static double curve_step(const void *self, uint32_t i)
{
    const struct curve *curve = self;

    return kl_history_step(curve->history, curve->top->items[i].index);
}

static void add_curves(cJSON *object, const struct kl_run *run, const struct kl_answer *answer)
{
    cJSON *curves = cJSON_AddArrayToObject(object, "curves");

    for (uint32_t c = 0; c < answer->curves.n_groups; c++) {
        const struct kl_class_total *total = &answer->by_class[c];
        struct curve curve = {&run->history, &answer->curves.tops[c], answer->attention};
        cJSON *item = cJSON_CreateObject();

        cJSON_AddStringToObject(item, "dataset", run->data.datasets[total->dataset]->name);
        kl_json_count(item, "label", total->label);
        kl_json_long_list(item, "attention", curve.top->n, curve_attention, &curve);
        kl_json_long_list(item, "sample", curve.top->n, curve_sample, &curve);
        kl_json_long_list(item, "step", curve.top->n, curve_step, &curve);
        cJSON_AddItemToArray(curves, item);
    }
}

/* One list per class, of a value per range of steps. */
static void add_by_class(cJSON *object, const char *name, const struct kl_timeline *time,
                         double (*value)(struct kl_signed_sum sum))
{
    cJSON *lists = cJSON_AddArrayToObject(object, name);

    for (uint32_t c = 0; c < time->n_groups; c++) {
        double list[KL_BINS];

        for (uint32_t b = 0; b < time->n_bins; b++)
            list[b] = value(time->sums[(size_t)b * time->n_groups + c]);
        cJSON_AddItemToArray(lists, kl_json_list(list, time->n_bins));
    }
}

/* Contributions through the last layer: by data set, range of steps and logit. */
static void add_bin_contributions(cJSON *object, const struct kl_run *run,
                                  const struct kl_answer *answer)
{
    cJSON *datasets = cJSON_AddArrayToObject(object, "contributions");
    uint32_t n_datasets = run->data.n_datasets;

    for (uint32_t d = 0; d < n_datasets; d++) {
        cJSON *bins = cJSON_CreateArray();

        for (uint32_t b = 0; b < answer->time.n_bins; b++) {
            const double *values =
                answer->contributions->by_bin + ((size_t)b * n_datasets + d) * answer->n_logits;

            cJSON_AddItemToArray(bins, kl_json_list(values, answer->n_logits));
        }
        cJSON_AddItemToArray(datasets, bins);
    }
}

static void add_time(cJSON *object, const struct kl_run *run, const struct kl_answer *answer)
{
    const struct kl_timeline *timeline = &answer->time;
    cJSON *time = cJSON_AddObjectToObject(object, "time");
    cJSON *first_steps = cJSON_AddArrayToObject(time, "first_steps");

    for (uint32_t b = 0; b < timeline->n_bins; b++)
        cJSON_AddItemToArray(first_steps, cJSON_CreateNumber(kl_bin_first_step(&run->history, b)));
    add_by_class(time, "sum_abs", timeline, kl_sum_abs);
    add_by_class(time, "sum_positive", timeline, kl_sum_positive);
    add_by_class(time, "sum_negative", timeline, kl_sum_negative);
    add_bin_contributions(time, run, answer);
}

/* Samples seen in training, by rising id. */
struct seen {
    const struct kl_history *history;
    const uint32_t *ids;
    const struct kl_sample_totals *totals;
};

static double seen_id(const void *self, uint32_t i)
{
    return ((const struct seen *)self)->ids[i];
}

static double seen_class(const void *self, uint32_t i)
{
    const struct seen *seen = self;

    return seen->history->classes[seen->ids[i]];
}

static double seen_repetitions(const void *self, uint32_t i)
{
    const struct seen *seen = self;

    return seen->totals->repetitions[seen->ids[i]];
}

static double seen_sum(const void *self, uint32_t i)
{
    const struct seen *seen = self;

    return seen->totals->sum[seen->ids[i]];
}

static double seen_sum_abs(const void *self, uint32_t i)
{
    const struct seen *seen = self;

    return seen->totals->sum_abs[seen->ids[i]];
}

static double seen_score(const void *self, uint32_t i)
{
    const struct seen *seen = self;

    return seen->totals->score[seen->ids[i]];
}

static void add_samples(cJSON *object, const struct kl_run *run, const struct kl_answer *answer)
{
    cJSON *samples = cJSON_AddObjectToObject(object, "samples");
    uint32_t *ids = malloc((answer->samples.n + 1) * sizeof *ids), n = 0;
    struct seen seen = {&run->history, ids, &answer->samples};

    for (uint32_t i = 0; ids && i < answer->samples.n; i++)
        if (answer->samples.repetitions[i])
            ids[n++] = i;
    kl_json_long_list(samples, "id", n, seen_id, &seen);
    kl_json_long_list(samples, "class", n, seen_class, &seen);
    kl_json_long_list(samples, "repetitions", n, seen_repetitions, &seen);
    kl_json_long_list(samples, "sum", n, seen_sum, &seen);
    kl_json_long_list(samples, "sum_abs", n, seen_sum_abs, &seen);
    kl_json_long_list(samples, "score", n, seen_score, &seen);
    free(ids);
}

static void add_learning(cJSON *object, const struct kl_learning *learning)
{
    cJSON *item = cJSON_AddObjectToObject(object, "learning");
    cJSON *steps = cJSON_AddArrayToObject(item, "steps"), *logits;

    for (uint32_t i = 0; i < learning->n_points; i++)
        cJSON_AddItemToArray(steps, cJSON_CreateNumber(learning->steps[i]));
    logits = cJSON_AddArrayToObject(item, "logits");
    for (uint32_t i = 0; i < learning->n_points; i++) {
        double list[KL_CLASSES_MAX];

        for (uint32_t j = 0; j < learning->n_logits; j++)
            list[j] = (double)learning->logits[(size_t)i * learning->n_logits + j];
        cJSON_AddItemToArray(logits, kl_json_list(list, learning->n_logits));
    }
    kl_json_count(item, "first_won", learning->first_won);
    kl_json_count(item, "last_changed", learning->last_changed);
}

/* What was asked for beyond the spotlight. */
static void add_views(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                      const struct kl_answer *answer)
{
    if (query->parts & KL_ANSWER_CURVES)
        add_curves(object, run, answer);
    if (query->parts & KL_ANSWER_TIME)
        add_time(object, run, answer);
    if (query->parts & KL_ANSWER_SAMPLES)
        add_samples(object, run, answer);
    if (query->parts & KL_ANSWER_LEARNING)
        add_learning(object, &answer->learning);
    if (query->removal) {
        cJSON *removed = cJSON_AddObjectToObject(object, "removed");

        kl_json_count(removed, "patterns", answer->removed.n_patterns);
        kl_json_doubles(removed, "logits", answer->removed.logits, answer->n_logits);
        kl_json_floats(removed, "probabilities", answer->removed.probabilities, answer->n_logits);
        kl_json_count(removed, "predicted", answer->removed.predicted);
    }
}

static void add_query(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                      const struct kl_answer *answer)
{
    kl_json_count(object, "layer", query->layer);
    cJSON_AddStringToObject(object, "rank", query->rank->name);
    kl_json_count(object, "logit", answer->logit);
    kl_json_count(object, "target", answer->target);
    cJSON_AddStringToObject(object, "contribution_kind",
                            query->layer == run->training.shape.n_layers ? "exact" : "first_order");
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
    cJSON *object = cJSON_CreateObject(), *exactness;

    cJSON_AddStringToObject(object, "run", run->fingerprint);
    cJSON_AddItemToObject(object, "sample",
                          sample < 0 ? cJSON_CreateNull() : kl_json_sample(run, (uint32_t)sample));
    cJSON_AddStringToObject(object, "dataset", run->data.datasets[query->subject.dataset]->name);
    kl_json_count(object, "predicted", answer->predicted);
    kl_json_floats(object, "logits", answer->logits, answer->n_logits);
    kl_json_floats(object, "probabilities", answer->probabilities, answer->n_logits);
    kl_json_doubles(object, "initial_guess", answer->initial_guess, answer->n_logits);
    kl_json_doubles(object, "correction", answer->correction, answer->n_logits);
    exactness = cJSON_AddObjectToObject(object, "exactness");
    kl_json_number(exactness, "max_abs_error", answer->max_abs_error);
    add_query(object, run, query, answer);
    kl_json_count(object, "patterns", answer->n_patterns);
    kl_json_scores(object, answer);
    add_spotlight(object, run, query, answer);
    add_classes(object, run, answer);
    add_views(object, run, query, answer);
    kl_json_number(object, "scan_ms", answer->scan_ms);
    kl_json_number(object, "timing_ms", total_ms);
    return kl_json_finish(object);
}
