/* Runs and samples as JSON. */
#include <cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/json.h"
#include "api/represent.h"
#include "core/training/settings.h"

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
    return n > 0 ? right / n : NAN;
}

double kl_run_test_bits(const struct kl_run *run)
{
    return run->n_curve && run->data.datasets[0]->splits[KL_SPLIT_TEST].count
               ? run->curve[run->n_curve - 1].loss / log(2)
               : NAN;
}

static void add_layers(cJSON *object, const struct kl_training *training)
{
    cJSON *layers = cJSON_AddArrayToObject(object, "layers");
    struct kl_layout layout;

    kl_training_layout(training, &layout);
    for (uint32_t l = 0; l < training->shape.n_layers; l++) {
        cJSON *layer = cJSON_CreateObject();

        kl_json_count(layer, "layer", l + 1);
        kl_json_count(layer, "inputs", training->shape.inputs[l]);
        kl_json_count(layer, "outputs", training->shape.outputs[l]);
        cJSON_AddStringToObject(layer, "activation",
                                l + 1 == training->shape.n_layers ? "softmax"
                                                                  : training->shape.model->inner);
        cJSON_AddBoolToObject(layer, "errors", layout.errors[l] > 0);
        cJSON_AddItemToArray(layers, layer);
    }
}

static void add_splits(cJSON *object, const struct kl_collection *data, uint32_t d)
{
    cJSON *splits = cJSON_AddObjectToObject(object, "splits");

    for (int s = 0; s < KL_N_SPLITS; s++) {
        struct kl_sample_place first = {d, (enum kl_split)s, 0};
        cJSON *split = cJSON_AddObjectToObject(splits, kl_split_name(first.split));

        kl_json_count(split, "first_sample", kl_collection_id(data, first));
        kl_json_count(split, "samples", data->datasets[d]->splits[s].count);
    }
}

/* How a text is cut. */
static void add_text(cJSON *object, const struct kl_dataset *dataset)
{
    cJSON *text = cJSON_AddObjectToObject(object, "text");

    cJSON_AddStringToObject(text, "tokens", kl_token_kind_name(dataset->corpus->kind));
    kl_json_count(text, "vocabulary", dataset->corpus->n_types);
    kl_json_count(text, "documents", dataset->corpus->n_documents);
}

static void add_datasets(cJSON *object, const struct kl_run *run)
{
    cJSON *datasets = cJSON_AddArrayToObject(object, "datasets");

    for (uint32_t d = 0; d < run->data.n_datasets; d++) {
        const struct kl_dataset *dataset = run->data.datasets[d];
        cJSON *item = cJSON_CreateObject(), *classes;

        cJSON_AddStringToObject(item, "name", dataset->name);
        if (dataset->corpus) {
            add_text(item, dataset);
        } else {
            kl_json_count(item, "width", dataset->width);
            kl_json_count(item, "height", dataset->height);
            kl_json_count(item, "channels", dataset->channels);
        }
        classes = cJSON_AddArrayToObject(item, "classes");
        for (uint32_t c = 0; !dataset->corpus && c < dataset->n_classes; c++)
            cJSON_AddItemToArray(classes, cJSON_CreateString(kl_dataset_class_name(dataset, c)));
        add_splits(item, &run->data, d);
        kl_json_count(item, "first_output", kl_collection_first_output(&run->data, d));
        kl_json_number(item, "accuracy", kl_run_dataset_accuracy(run, d));
        cJSON_AddItemToArray(datasets, item);
    }
}

/* One setting, by its type. */
static void add_setting(cJSON *object, const struct kl_setting *setting,
                        const struct kl_training *training)
{
    char text[KL_VALUE_BYTES];
    cJSON *list;

    kl_setting_format(setting, training, text);
    switch (setting->type) {
    case KL_SETTING_REAL:
        kl_json_number(object, setting->name, kl_setting_number(setting, training));
        break;
    case KL_SETTING_INTEGER:
    case KL_SETTING_SEED:
        cJSON_AddRawToObject(object, setting->name, text);
        break;
    case KL_SETTING_FLAG:
        cJSON_AddBoolToObject(object, setting->name, kl_setting_number(setting, training) > 0);
        break;
    case KL_SETTING_WIDTHS:
        list = cJSON_AddArrayToObject(object, setting->name);
        for (uint32_t l = 0; l < training->model.n_hidden; l++)
            cJSON_AddItemToArray(list, cJSON_CreateNumber(training->model.hidden[l]));
        break;
    case KL_SETTING_STEPS:
        list = cJSON_AddArrayToObject(object, setting->name);
        for (uint32_t i = 0; i < training->n_switches; i++)
            cJSON_AddItemToArray(list, cJSON_CreateNumber(training->switches[i]));
        break;
    case KL_SETTING_TEXT:
    case KL_SETTING_CHOICE:
    case KL_SETTING_SIZE:
        cJSON_AddStringToObject(object, setting->name, text);
        break;
    }
}

static void add_training(cJSON *object, const struct kl_training *training)
{
    cJSON *item = cJSON_AddObjectToObject(object, "training");
    const struct kl_setting *setting;

    for (uint32_t i = 0; (setting = kl_setting_at(i)); i++)
        if (kl_setting_applies(setting, training))
            add_setting(item, setting, training);
}

/* As the file has them. */
static void add_other_settings(cJSON *object, const struct kl_run *run)
{
    cJSON *item;

    if (run->n_other_settings == 0)
        return;
    item = cJSON_AddObjectToObject(object, "other_settings");
    for (uint32_t i = 0; i < run->n_other_settings; i++)
        cJSON_AddStringToObject(item, run->other_settings[i].key, run->other_settings[i].value);
}

void kl_json_curve(cJSON *object, const struct kl_run *run)
{
    cJSON *curve = cJSON_AddArrayToObject(object, "curve");

    for (uint32_t i = 0; i < run->n_curve; i++) {
        cJSON *point = cJSON_CreateObject();

        kl_json_count(point, "step", run->curve[i].step);
        cJSON_AddStringToObject(point, "dataset", run->data.datasets[run->curve[i].dataset]->name);
        kl_json_number(point, "accuracy", run->curve[i].accuracy);
        kl_json_number(point, "loss", run->curve[i].loss);
        if (kl_history_is_text(&run->history))
            kl_json_number(point, "bits_per_token", run->curve[i].loss / log(2));
        cJSON_AddItemToArray(curve, point);
    }
}

/* What the outputs stand for, and how the data sets came. */
static void add_outputs(cJSON *object, const struct kl_run *run)
{
    uint32_t n = kl_shape_n_outputs(&run->training.shape);
    cJSON *outputs = cJSON_AddArrayToObject(object, "outputs"), *switches;

    for (uint32_t output = 0; !kl_history_is_text(&run->history) && output < n; output++) {
        char name[KL_DATASETS_MAX * KL_NAME_MAX];

        kl_collection_output_name(&run->data, output, name, sizeof name);
        cJSON_AddItemToArray(outputs, cJSON_CreateString(name));
    }
    cJSON_AddStringToObject(object, "heads", kl_heads_name(run->data.heads));
    switches = cJSON_AddArrayToObject(object, "switches");
    for (uint32_t i = 0; i < run->training.n_switches; i++)
        cJSON_AddItemToArray(switches, cJSON_CreateNumber(run->training.switches[i]));
}

static cJSON *run_summary(const struct kl_run *run)
{
    const char *before = kl_run_other_setting(run, KL_FINGERPRINT_BEFORE);
    cJSON *object = cJSON_CreateObject();

    cJSON_AddStringToObject(object, "id", run->fingerprint);
    cJSON_AddStringToObject(object, "name", run->training.name);
    cJSON_AddStringToObject(object, "fingerprint", run->fingerprint);
    if (before)
        cJSON_AddStringToObject(object, "fingerprint_before", before);
    cJSON_AddStringToObject(object, "kind", kl_data_kind_name(kl_collection_kind(&run->data)));
    kl_json_number(object, "test_accuracy", kl_run_test_accuracy(run));
    if (kl_history_is_text(&run->history)) {
        kl_json_number(object, "test_bits_per_token", kl_run_test_bits(run));
        kl_json_number(object, "test_perplexity", pow(2, kl_run_test_bits(run)));
        cJSON_AddBoolToObject(object, "dual", run->history.has_dual);
        kl_json_number(object, "left_out", run->history.left_out);
    }
    kl_json_count(object, "patterns", run->history.n_patterns);
    kl_json_count(object, "steps", run->training.n_steps);
    kl_json_count(object, "file_bytes", run->file_bytes);
    add_layers(object, &run->training);
    add_datasets(object, run);
    add_outputs(object, run);
    kl_json_count(object, "snapshots", run->history.snapshots.n);
    return object;
}

char *kl_represent_run(const struct kl_run *run)
{
    cJSON *object = run_summary(run);

    if (run->history.has_dual)
        kl_json_number(object, "initial_share", run->history.alpha);
    add_training(object, &run->training);
    add_other_settings(object, run);
    kl_json_curve(object, run);
    return kl_json_finish(object);
}

char *kl_represent_runs(struct kl_run *const *runs, size_t n_runs)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(object, "runs");

    for (size_t i = 0; i < n_runs; i++)
        cJSON_AddItemToArray(array, run_summary(runs[i]));
    return kl_json_finish(object);
}

/* Of a text: its document, its token and the one that follows. */
static void add_position(cJSON *object, const struct kl_corpus *corpus,
                         struct kl_sample_place place)
{
    const struct kl_document *document = kl_corpus_document(corpus, place.split, place.index);
    const uint32_t *tokens = corpus->tokens[place.split] + place.index;

    cJSON_AddStringToObject(object, "document", document ? document->name : "");
    cJSON_AddStringToObject(object, "text", corpus->types[tokens[0]]);
    cJSON_AddStringToObject(object, "followed_by", corpus->types[tokens[1]]);
}

cJSON *kl_json_sample(const struct kl_run *run, uint32_t id)
{
    struct kl_sample_place place = kl_collection_place(&run->data, id);
    cJSON *object = cJSON_CreateObject();

    kl_json_count(object, "id", id);
    cJSON_AddStringToObject(object, "dataset", run->data.datasets[place.dataset]->name);
    cJSON_AddStringToObject(object, "split", kl_split_name(place.split));
    kl_json_count(object, "index", place.index);
    kl_json_count(object, "label", kl_collection_label(&run->data, id));
    if (run->data.datasets[place.dataset]->corpus)
        add_position(object, run->data.datasets[place.dataset]->corpus, place);
    if (kl_collection_true_label(&run->data, id) != kl_collection_label(&run->data, id))
        kl_json_count(object, "true_label", kl_collection_true_label(&run->data, id));
    return object;
}

cJSON *kl_json_predicted(const struct kl_run *run, const struct kl_sample *sample)
{
    cJSON *object = kl_json_sample(run, sample->id);

    kl_json_count(object, "target", sample->target);
    kl_json_count(object, "predicted", sample->predicted);
    kl_json_number(object, "probability", sample->probability);
    cJSON_AddBoolToObject(object, "correct", sample->predicted == sample->target);
    return object;
}

char *kl_represent_sample(const struct kl_run *run, const struct kl_sample *sample)
{
    return kl_json_finish(kl_json_predicted(run, sample));
}

char *kl_represent_samples(const struct kl_run *run, const struct kl_sample *samples, uint32_t n,
                           int64_t next, uint64_t total)
{
    cJSON *object = cJSON_CreateObject();
    cJSON *array = cJSON_AddArrayToObject(object, "samples");
    char token[24];

    for (uint32_t i = 0; i < n; i++)
        cJSON_AddItemToArray(array, kl_json_predicted(run, &samples[i]));
    snprintf(token, sizeof token, "s%llx", (unsigned long long)next);
    if (next < 0)
        cJSON_AddNullToObject(object, "next");
    else
        cJSON_AddStringToObject(object, "next", token);
    kl_json_count(object, "total", total);
    return kl_json_finish(object);
}
