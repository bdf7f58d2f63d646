#include "server/represent.h"

#include <cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/text.h"

/* Seven significant digits, and null for what JSON cannot say. */
static cJSON *number(double value)
{
    char digits[40];

    if (!isfinite(value))
        return cJSON_CreateNull();
    snprintf(digits, sizeof digits, "%.7g", value);
    return cJSON_CreateRaw(digits);
}

static void add_number(cJSON *object, const char *name, double value)
{
    cJSON_AddItemToObject(object, name, number(value));
}

/* Counts are exact. */
static void add_count(cJSON *object, const char *name, uint64_t value)
{
    char digits[24];

    snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    cJSON_AddRawToObject(object, name, digits);
}

static void add_floats(cJSON *object, const char *name, const float *values, uint32_t n)
{
    cJSON *array = cJSON_AddArrayToObject(object, name);

    for (uint32_t i = 0; i < n; i++)
        cJSON_AddItemToArray(array, number((double)values[i]));
}

static void add_doubles(cJSON *object, const char *name, const double *values, uint32_t n)
{
    cJSON *array = cJSON_AddArrayToObject(object, name);

    for (uint32_t i = 0; i < n; i++)
        cJSON_AddItemToArray(array, number(values[i]));
}

static char *finish(cJSON *object)
{
    char *text = cJSON_PrintUnformatted(object);

    cJSON_Delete(object);
    return text;
}

double kl_run_dataset_accuracy(const struct kl_run *run, uint32_t dataset)
{
    double accuracy = 0;

    for (uint32_t i = 0; i < run->n_curve; i++)
        if (run->curve[i].dataset == dataset)
            accuracy = run->curve[i].accuracy;
    return accuracy;
}

double kl_run_test_accuracy(const struct kl_run *run)
{
    double right = 0, n = 0;

    for (uint32_t d = 0; d < run->data.n_datasets; d++) {
        double count = run->data.datasets[d]->splits[KL_SPLIT_TEST].count;

        right += count * kl_run_dataset_accuracy(run, d);
        n += count;
    }
    return n > 0 ? right / n : 0;
}

static void add_layers(cJSON *object, const struct kl_training *training)
{
    cJSON *layers = cJSON_AddArrayToObject(object, "layers");

    for (uint32_t l = 0; l < training->n_layers; l++) {
        cJSON *layer = cJSON_CreateObject();

        add_count(layer, "layer", l + 1);
        add_count(layer, "inputs", training->widths[l]);
        add_count(layer, "outputs", training->widths[l + 1]);
        cJSON_AddStringToObject(layer, "activation",
                                l + 1 < training->n_layers ? "relu" : "softmax");
        cJSON_AddItemToArray(layers, layer);
    }
}

static void add_splits(cJSON *object, const struct kl_collection *data, uint32_t d)
{
    cJSON *splits = cJSON_AddObjectToObject(object, "splits");

    for (int s = 0; s < KL_N_SPLITS; s++) {
        struct kl_sample_place first = {d, (enum kl_split)s, 0};
        cJSON *split = cJSON_AddObjectToObject(splits, kl_split_name(first.split));

        add_count(split, "first_sample", kl_collection_id(data, first));
        add_count(split, "samples", data->datasets[d]->splits[s].count);
    }
}

static void add_datasets(cJSON *object, const struct kl_run *run)
{
    cJSON *datasets = cJSON_AddArrayToObject(object, "datasets");

    for (uint32_t d = 0; d < run->data.n_datasets; d++) {
        const struct kl_dataset *dataset = run->data.datasets[d];
        cJSON *item = cJSON_CreateObject(), *classes;

        cJSON_AddStringToObject(item, "name", dataset->name);
        add_count(item, "width", dataset->width);
        add_count(item, "height", dataset->height);
        add_count(item, "channels", dataset->channels);
        classes = cJSON_AddArrayToObject(item, "classes");
        for (uint32_t c = 0; c < dataset->n_classes; c++)
            cJSON_AddItemToArray(classes, cJSON_CreateString(dataset->class_names[c]));
        add_splits(item, &run->data, d);
        add_number(item, "accuracy", kl_run_dataset_accuracy(run, d));
        cJSON_AddItemToArray(datasets, item);
    }
}

static void add_training(cJSON *object, const struct kl_training *training)
{
    cJSON *item = cJSON_AddObjectToObject(object, "training");

    add_count(item, "seed", training->seed);
    add_count(item, "batch_size", training->batch_size);
    cJSON_AddStringToObject(item, "initialisation",
                            kl_initialisation_name(training->initialisation));
    add_number(item, "learning_rate", training->learning_rate);
    cJSON_AddStringToObject(item, "lr_schedule", kl_lr_schedule_name(training->lr_schedule));
    if (training->lr_schedule == KL_LR_STEP) {
        add_count(item, "lr_period", training->lr_period);
        add_number(item, "lr_gamma", training->lr_gamma);
    }
    add_number(item, "momentum", training->momentum);
    add_number(item, "weight_decay", training->weight_decay);
    add_number(item, "clip_norm", training->clip_norm);
    cJSON_AddStringToObject(item, "dtype", kl_dtype_name(training->dtype));
}

static void add_curve(cJSON *object, const struct kl_run *run)
{
    cJSON *curve = cJSON_AddArrayToObject(object, "curve");

    for (uint32_t i = 0; i < run->n_curve; i++) {
        cJSON *point = cJSON_CreateObject();

        add_count(point, "step", run->curve[i].step);
        cJSON_AddStringToObject(point, "dataset", run->data.datasets[run->curve[i].dataset]->name);
        add_number(point, "accuracy", run->curve[i].accuracy);
        add_number(point, "loss", run->curve[i].loss);
        cJSON_AddItemToArray(curve, point);
    }
}

static cJSON *run_summary(const struct kl_run *run)
{
    cJSON *object = cJSON_CreateObject();

    cJSON_AddStringToObject(object, "id", run->fingerprint);
    cJSON_AddStringToObject(object, "name", run->training.name);
    cJSON_AddStringToObject(object, "fingerprint", run->fingerprint);
    add_number(object, "test_accuracy", kl_run_test_accuracy(run));
    add_count(object, "patterns", run->history.n_patterns);
    add_count(object, "steps", run->training.n_steps);
    add_count(object, "file_bytes", run->file_bytes);
    add_layers(object, &run->training);
    add_datasets(object, run);
    return object;
}

char *kl_represent_run(const struct kl_run *run)
{
    cJSON *object = run_summary(run);

    add_number(object, "initial_share", run->history.alpha);
    add_training(object, &run->training);
    add_curve(object, run);
    return finish(object);
}

char *kl_represent_runs(struct kl_run *const *runs, size_t n_runs)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(object, "runs");

    for (size_t i = 0; i < n_runs; i++)
        cJSON_AddItemToArray(array, run_summary(runs[i]));
    return finish(object);
}

/* The five names of a sample: id, dataset, split, index, label. */
static cJSON *sample_identity(const struct kl_run *run, uint32_t id)
{
    struct kl_sample_place place = kl_collection_place(&run->data, id);
    cJSON *object = cJSON_CreateObject();

    add_count(object, "id", id);
    cJSON_AddStringToObject(object, "dataset", run->data.datasets[place.dataset]->name);
    cJSON_AddStringToObject(object, "split", kl_split_name(place.split));
    add_count(object, "index", place.index);
    add_count(object, "label", kl_collection_label(&run->data, id));
    return object;
}

static cJSON *sample_with_prediction(const struct kl_run *run, const struct kl_sample *sample)
{
    cJSON *object = sample_identity(run, sample->id);

    add_count(object, "predicted", sample->predicted);
    add_number(object, "probability", sample->probability);
    cJSON_AddBoolToObject(object, "correct", sample->predicted == sample->label);
    return object;
}

char *kl_represent_sample(const struct kl_run *run, const struct kl_sample *sample)
{
    return finish(sample_with_prediction(run, sample));
}

char *kl_represent_samples(const struct kl_run *run, const struct kl_sample *samples, uint32_t n,
                           int64_t next, uint64_t total)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(object, "samples");
    char token[24];

    for (uint32_t i = 0; i < n; i++)
        cJSON_AddItemToArray(array, sample_with_prediction(run, &samples[i]));
    snprintf(token, sizeof token, "s%llx", (unsigned long long)next);
    if (next < 0)
        cJSON_AddNullToObject(object, "next");
    else
        cJSON_AddStringToObject(object, "next", token);
    add_count(object, "total", total);
    return finish(object);
}

static void add_spotlight(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                          const struct kl_answer *answer)
{
    cJSON *spotlight = cJSON_AddArrayToObject(object, "spotlight");

    for (uint32_t i = 0; i < answer->n_lit; i++) {
        const struct kl_lit *lit = &answer->spotlight[i];
        cJSON *item = cJSON_CreateObject();

        add_count(item, "rank", i + 1);
        add_count(item, "pattern", lit->pattern);
        add_count(item, "step", lit->step);
        cJSON_AddItemToObject(item, "sample", sample_identity(run, lit->sample));
        if (query->by_sample)
            add_count(item, "repetitions", lit->repetitions);
        add_number(item, "attention", lit->attention);
        add_number(item, "contribution", lit->contribution);
        add_number(item, "score", lit->score);
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
        add_count(item, "label", total->label);
        add_count(item, "patterns", total->patterns);
        add_number(item, "sum_abs", total->sum_abs);
        add_number(item, "sum_positive", total->sum_positive);
        add_number(item, "sum_negative", total->sum_negative);
        if (query->layer == run->training.n_layers)
            add_doubles(item, "contributions", total->contributions, answer->n_logits);
        cJSON_AddItemToArray(classes, item);
    }
}

static void add_query(cJSON *object, const struct kl_run *run, const struct kl_query *query,
                      const struct kl_answer *answer)
{
    add_count(object, "layer", query->layer);
    cJSON_AddStringToObject(object, "rank", kl_rank_name(query->rank));
    add_count(object, "logit", answer->logit);
    cJSON_AddStringToObject(object, "contribution_kind",
                            query->layer == run->training.n_layers ? "exact" : "first_order");
    cJSON_AddStringToObject(object, "by", query->by_sample ? "sample" : "pattern");
    if (query->only_class == KL_ANY_CLASS)
        cJSON_AddNullToObject(object, "class");
    else
        add_count(object, "class", (uint64_t)query->only_class);
    add_count(object, "k", query->top);
}

char *kl_represent_attention(const struct kl_run *run, const struct kl_query *query, int64_t sample,
                             const struct kl_answer *answer, double total_ms)
{
    cJSON *object = cJSON_CreateObject(), *scores, *exactness;

    cJSON_AddStringToObject(object, "run", run->fingerprint);
    cJSON_AddItemToObject(object, "sample",
                          sample < 0 ? cJSON_CreateNull() : sample_identity(run, (uint32_t)sample));
    cJSON_AddStringToObject(object, "dataset", run->data.datasets[query->dataset]->name);
    add_count(object, "predicted", answer->predicted);
    add_floats(object, "logits", answer->logits, answer->n_logits);
    add_floats(object, "probabilities", answer->probabilities, answer->n_logits);
    add_doubles(object, "initial_guess", answer->initial_guess, answer->n_logits);
    add_doubles(object, "correction", answer->correction, answer->n_logits);
    exactness = cJSON_AddObjectToObject(object, "exactness");
    add_number(exactness, "max_abs_error", answer->max_abs_error);
    add_query(object, run, query, answer);
    add_count(object, "patterns", answer->n_patterns);
    scores = cJSON_AddObjectToObject(object, "scores");
    add_count(scores, "count", answer->scores.count);
    add_number(scores, "mean", answer->scores.mean);
    add_number(scores, "deviation", answer->scores.deviation);
    add_number(scores, "max", answer->scores.max);
    add_spotlight(object, run, query, answer);
    add_classes(object, run, query, answer);
    add_number(object, "scan_ms", answer->scan_ms);
    add_number(object, "timing_ms", total_ms);
    return finish(object);
}

char *kl_represent_problem(int http_status, const char *title, const char *detail,
                           const char *parameter)
{
    cJSON *object = cJSON_CreateObject();
    char text[600], name[80]; /* what a request said may be no UTF-8 */

    snprintf(text, sizeof text, "%s", detail);
    snprintf(name, sizeof name, "%s", parameter ? parameter : "");
    kl_text_make_utf8(text);
    kl_text_make_utf8(name);
    cJSON_AddStringToObject(object, "type", "about:blank");
    cJSON_AddStringToObject(object, "title", title);
    add_count(object, "status", (uint64_t)http_status);
    cJSON_AddStringToObject(object, "detail", text);
    if (parameter)
        cJSON_AddStringToObject(object, "parameter", name);
    return finish(object);
}
