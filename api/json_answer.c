/* The answer to a query as JSON. */
#include <stdlib.h>

#include "api/json_parts.h"
#include "api/answers.h"

void kl_json_add_scores(struct kl_json *json, const struct kl_answer *answer)
{
    kl_json_object(json, "scores");
    kl_json_count(json, "count", answer->scores.count);
    kl_json_number(json, "mean", answer->scores.mean);
    kl_json_number(json, "deviation", answer->scores.deviation);
    kl_json_number(json, "max", answer->scores.max);
    kl_json_string(json, "scan", answer->scores.are_by_bytes ? "8-bit" : "full");
    kl_json_end(json);
}

static void add_spotlight(struct kl_json *json, const struct kl_run *run,
                          const struct kl_query *query, const struct kl_answer *answer)
{
    kl_json_list(json, "spotlight");
    for (uint32_t i = 0; i < answer->n_hits; i++) {
        const struct kl_hit *hit = &answer->spotlight[i];

        kl_json_object(json, NULL);
        kl_json_count(json, "rank", i + 1);
        kl_json_count(json, "pattern", hit->pattern);
        kl_json_count(json, "step", hit->step);
        kl_json_add_sample(json, "sample", run, hit->sample);
        if (query->by_sample)
            kl_json_count(json, "repetitions", hit->repetitions);
        if (kl_shape_places(&run->training.shape, query->layer - 1) > 1)
            kl_json_count(json, "place", hit->place);
        kl_json_number(json, "attention", hit->attention);
        kl_json_number(json, "contribution", hit->contribution);
        kl_json_number(json, "score", hit->score);
        kl_json_end(json);
    }
    kl_json_end(json);
}

static void add_classes(struct kl_json *json, const struct kl_run *run,
                        const struct kl_answer *answer)
{
    kl_json_list(json, "by_class");
    for (uint32_t i = 0; i < answer->n_classes; i++) {
        const struct kl_class_total *total = &answer->by_class[i];

        kl_json_object(json, NULL);
        kl_json_string(json, "dataset", run->data.datasets[total->dataset]->name);
        kl_json_count(json, "label", total->label);
        kl_json_count(json, "patterns", total->patterns);
        kl_json_number(json, "sum_abs", total->sum_abs);
        kl_json_number(json, "sum_positive", total->sum_positive);
        kl_json_number(json, "sum_negative", total->sum_negative);
        if (answer->contributions)
            kl_json_doubles(json, "contributions",
                            answer->contributions->by_class + (size_t)i * answer->n_logits,
                            answer->n_logits);
        kl_json_end(json);
    }
    kl_json_end(json);
}

static double curve_attention(const void *curve, uint32_t i)
{
    return ((const struct kl_curve *)curve)->points[i].attention;
}

static double curve_sample(const void *curve, uint32_t i)
{
    return ((const struct kl_curve *)curve)->points[i].sample;
}

static double curve_step(const void *curve, uint32_t i)
{
    return ((const struct kl_curve *)curve)->points[i].step;
}

static void add_curves(struct kl_json *json, const struct kl_run *run,
                       const struct kl_answer *answer)
{
    kl_json_list(json, "curves");
    for (uint32_t c = 0; c < answer->curves.n_groups; c++) {
        const struct kl_class_total *total = &answer->by_class[c];
        const struct kl_curve *curve = &answer->curves.curves[c];

        kl_json_object(json, NULL);
        kl_json_string(json, "dataset", run->data.datasets[total->dataset]->name);
        kl_json_count(json, "label", total->label);
        kl_json_long_list(json, "attention", curve->n, curve_attention, curve);
        kl_json_long_list(json, "sample", curve->n, curve_sample, curve);
        kl_json_long_list(json, "step", curve->n, curve_step, curve);
        kl_json_end(json);
    }
    kl_json_end(json);
}

/* One list per class, of a value per range of steps. */
static void add_by_class(struct kl_json *json, const char *name, const struct kl_timeline *time,
                         double (*value)(struct kl_signed_sum sum))
{
    kl_json_list(json, name);
    for (uint32_t c = 0; c < time->n_groups; c++) {
        double list[KL_BINS];

        for (uint32_t b = 0; b < time->n_bins; b++)
            list[b] = value(time->sums[(size_t)b * time->n_groups + c]);
        kl_json_doubles(json, NULL, list, time->n_bins);
    }
    kl_json_end(json);
}

/* Contributions through the last layer: by data set, range of steps and logit. */
static void add_bin_contributions(struct kl_json *json, const struct kl_run *run,
                                  const struct kl_answer *answer)
{
    uint32_t n_datasets = run->data.n_datasets;

    kl_json_list(json, "contributions");
    for (uint32_t d = 0; d < n_datasets; d++) {
        kl_json_list(json, NULL);
        for (uint32_t b = 0; b < answer->time.n_bins; b++) {
            const double *values =
                answer->contributions->by_bin + ((size_t)b * n_datasets + d) * answer->n_logits;

            kl_json_doubles(json, NULL, values, answer->n_logits);
        }
        kl_json_end(json);
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
    add_by_class(json, "sum_abs", timeline, kl_sum_abs);
    add_by_class(json, "sum_positive", timeline, kl_sum_positive);
    add_by_class(json, "sum_negative", timeline, kl_sum_negative);
    if (answer->contributions)
        add_bin_contributions(json, run, answer);
    kl_json_end(json);
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

static void add_samples(struct kl_json *json, const struct kl_run *run,
                        const struct kl_answer *answer)
{
    uint32_t *ids = malloc((answer->samples.n + 1) * sizeof *ids), n = 0;
    struct seen seen = {&run->history, ids, &answer->samples};

    kl_json_object(json, "samples");
    if (!ids)
        kl_json_fail(json);
    for (uint32_t i = 0; ids && i < answer->samples.n; i++)
        if (answer->samples.repetitions[i])
            ids[n++] = i;
    kl_json_long_list(json, "id", n, seen_id, &seen);
    kl_json_long_list(json, "class", n, seen_class, &seen);
    kl_json_long_list(json, "repetitions", n, seen_repetitions, &seen);
    kl_json_long_list(json, "sum", n, seen_sum, &seen);
    kl_json_long_list(json, "sum_abs", n, seen_sum_abs, &seen);
    kl_json_long_list(json, "score", n, seen_score, &seen);
    kl_json_end(json);
    free(ids);
}

static void add_learning(struct kl_json *json, const struct kl_learning *learning)
{
    kl_json_object(json, "learning");
    kl_json_list(json, "steps");
    for (uint32_t i = 0; i < learning->n_points; i++)
        kl_json_count(json, NULL, learning->steps[i]);
    kl_json_end(json);
    kl_json_list(json, "logits");
    for (uint32_t i = 0; i < learning->n_points; i++) {
        double list[KL_CLASSES_MAX];

        for (uint32_t j = 0; j < learning->n_logits; j++)
            list[j] = (double)learning->logits[(size_t)i * learning->n_logits + j];
        kl_json_doubles(json, NULL, list, learning->n_logits);
    }
    kl_json_end(json);
    kl_json_count(json, "first_won", learning->first_won);
    kl_json_count(json, "last_changed", learning->last_changed);
    kl_json_end(json);
}

static void add_showings(struct kl_json *json, const struct kl_run *run,
                         const struct kl_query *query, const struct kl_showings *showings)
{
    kl_json_add_sample(json, "training", run, query->training_sample);
    kl_json_list(json, "showings");
    for (uint32_t i = 0; i < showings->n; i++) {
        const struct kl_showing *one = &showings->list[i];

        kl_json_object(json, NULL);
        kl_json_count(json, "pattern", one->pattern);
        kl_json_count(json, "step", one->step);
        kl_json_number(json, "attention", one->attention);
        kl_json_number(json, "coefficient", one->coefficient);
        kl_json_number(json, "error", one->error);
        kl_json_number(json, "contribution", one->contribution);
        kl_json_end(json);
    }
    kl_json_end(json);
    if (showings->n_products)
        kl_json_floats(json, "products", showings->products, showings->n_products);
}

void kl_json_add_places(struct kl_json *json, const struct kl_place_heat *heat)
{
    kl_json_object(json, "places");
    kl_json_count(json, "count", heat->n);
    if (heat->contributions)
        kl_json_doubles(json, "contributions", heat->contributions, heat->n);
    else
        kl_json_null(json, "contributions");
    kl_json_end(json);
}

/* What was asked for beyond the spotlight. */
static void add_views(struct kl_json *json, const struct kl_run *run, const struct kl_query *query,
                      const struct kl_answer *answer)
{
    if (query->parts & KL_ANSWER_CURVES)
        add_curves(json, run, answer);
    if (query->parts & KL_ANSWER_TIME)
        add_time(json, run, answer);
    if (query->parts & KL_ANSWER_SAMPLES)
        add_samples(json, run, answer);
    if (query->parts & KL_ANSWER_LEARNING)
        add_learning(json, &answer->learning);
    if (query->parts & KL_ANSWER_PLACES)
        kl_json_add_places(json, &answer->heat);
    if (query->parts & KL_ANSWER_SHOWINGS)
        add_showings(json, run, query, &answer->showings);
    if (query->removal) {
        kl_json_object(json, "removed");
        kl_json_count(json, "patterns", answer->removed.n_patterns);
        kl_json_doubles(json, "logits", answer->removed.logits, answer->n_logits);
        kl_json_floats(json, "probabilities", answer->removed.probabilities, answer->n_logits);
        kl_json_count(json, "predicted", answer->removed.predicted);
        kl_json_end(json);
    }
}

static void add_query(struct kl_json *json, const struct kl_run *run, const struct kl_query *query,
                      const struct kl_answer *answer)
{
    kl_json_count(json, "layer", query->layer);
    kl_json_string(json, "rank", query->rank->name);
    kl_json_count(json, "logit", answer->logit);
    kl_json_count(json, "target", answer->target);
    kl_json_string(json, "contribution_kind",
                   query->layer == run->training.shape.n_layers ? "exact" : "first_order");
    kl_json_string(json, "by", query->by_sample ? "sample" : "pattern");
    if (query->only_class == KL_ANY_CLASS)
        kl_json_null(json, "class");
    else
        kl_json_count(json, "class", (uint64_t)query->only_class);
    kl_json_count(json, "k", query->top);
}

/* What the network says, and what it is made of. */
static void add_logits(struct kl_json *json, const struct kl_run *run,
                       const struct kl_answer *answer)
{
    kl_json_floats(json, "logits", answer->logits, answer->n_logits);
    kl_json_floats(json, "probabilities", answer->probabilities, answer->n_logits);
    if (run->history.has_dual) {
        kl_json_doubles(json, "initial_guess", answer->initial_guess, answer->n_logits);
        kl_json_doubles(json, "correction", answer->correction, answer->n_logits);
    }
    kl_json_object(json, "exactness");
    kl_json_bool(json, "dual", run->history.has_dual);
    if (run->history.has_dual)
        kl_json_number(json, "max_abs_error", answer->max_abs_error);
    kl_json_end(json);
}

char *kl_json_attention(const struct kl_run *run, const struct kl_query *query, int64_t sample,
                        const struct kl_answer *answer, double total_ms)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_add_run(json, run);
    if (sample < 0)
        kl_json_null(json, "sample");
    else
        kl_json_add_sample(json, "sample", run, (uint32_t)sample);
    kl_json_string(json, "dataset", run->data.datasets[query->subject.dataset]->name);
    kl_json_count(json, "predicted", answer->predicted);
    if (query->parts & KL_ANSWER_LOGITS)
        add_logits(json, run, answer);
    if ((query->parts & ~(unsigned)KL_ANSWER_LOGITS) || query->removal)
        add_query(json, run, query, answer);
    kl_json_count(json, "patterns", answer->n_patterns);
    if (query->parts & KL_ANSWER_SPOTLIGHT) {
        kl_json_add_scores(json, answer);
        add_spotlight(json, run, query, answer);
    }
    if (query->parts & KL_ANSWER_CLASSES)
        add_classes(json, run, answer);
    add_views(json, run, query, answer);
    kl_json_number(json, "scan_ms", answer->scan_ms);
    kl_json_number(json, "timing_ms", total_ms);
    return kl_json_finish(json);
}
