/* Runs and samples as JSON. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/errands/errand.h"
#include "api/json_parts.h"
#include "api/answers.h"
#include "core/base/memory.h"
#include "core/explain/dual/adam.h"
#include "core/training/settings.h"
#include "db/follow.h"

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

/* The samples that can be asked about, where these are not all of the test split. */
static void add_asked(struct kl_json *json, const struct kl_history *history)
{
    const struct kl_queries *queries = history->queries;
    uint32_t *samples = NULL, n = 0;
    struct kl_error err;

    if (!queries)
        return;
    if (queries->list(queries->self, &samples, &n, &err)) {
        kl_json_fail(json);
        return;
    }
    if (n != history->data->datasets[0]->splits[KL_SPLIT_TEST].count) {
        kl_json_list(json, "asked");
        for (uint32_t i = 0; i < n; i++)
            kl_json_count(json, NULL, samples[i]);
        kl_json_end(json);
    }
    free(samples);
}

static void add_splits(struct kl_json *json, const struct kl_collection *data, uint32_t d)
{
    kl_json_object(json, "splits");
    for (int s = 0; s < KL_N_SPLITS; s++) {
        struct kl_sample_place first = {d, (enum kl_split)s, 0};

        kl_json_object(json, kl_split_name(first.split));
        kl_json_count(json, "first_sample", kl_collection_id(data, first));
        kl_json_count(json, "samples", data->datasets[d]->splits[s].count);
        kl_json_end(json);
    }
    kl_json_end(json);
}

/* How a text is cut. */
static void add_text(struct kl_json *json, const struct kl_dataset *dataset)
{
    kl_json_object(json, "text");
    kl_json_string(json, "tokens", kl_token_kind_name(dataset->corpus->kind));
    kl_json_count(json, "vocabulary", dataset->corpus->n_types);
    kl_json_count(json, "documents", dataset->corpus->n_documents);
    kl_json_end(json);
}

static void add_datasets(struct kl_json *json, const struct kl_run *run)
{
    kl_json_list(json, "datasets");
    for (uint32_t d = 0; d < run->data.n_datasets; d++) {
        const struct kl_dataset *dataset = run->data.datasets[d];

        kl_json_object(json, NULL);
        kl_json_string(json, "name", dataset->name);
        if (dataset->corpus) {
            add_text(json, dataset);
        } else {
            kl_json_count(json, "width", dataset->width);
            kl_json_count(json, "height", dataset->height);
            kl_json_count(json, "channels", dataset->channels);
        }
        kl_json_list(json, "classes");
        for (uint32_t c = 0; !dataset->corpus && c < dataset->n_classes; c++)
            kl_json_string(json, NULL, kl_dataset_class_name(dataset, c));
        kl_json_end(json);
        add_splits(json, &run->data, d);
        kl_json_count(json, "first_output", kl_collection_first_output(&run->data, d));
        kl_json_number(json, "accuracy", kl_run_dataset_accuracy(run, d));
        kl_json_end(json);
    }
    kl_json_end(json);
}

/* One setting, by its type. */
static void add_setting(struct kl_json *json, const struct kl_setting *setting,
                        const struct kl_training *training)
{
    char text[KL_VALUE_BYTES];

    kl_setting_format(setting, training, text);
    switch (setting->type) {
    case KL_SETTING_REAL:
        kl_json_number(json, setting->name, kl_setting_number(setting, training));
        break;
    case KL_SETTING_INTEGER:
    case KL_SETTING_SEED:
        kl_json_count(json, setting->name, strtoull(text, NULL, 10));
        break;
    case KL_SETTING_FLAG:
        kl_json_bool(json, setting->name, kl_setting_number(setting, training) > 0);
        break;
    case KL_SETTING_WIDTHS:
        kl_json_list(json, setting->name);
        for (uint32_t l = 0; l < training->model.n_hidden; l++)
            kl_json_count(json, NULL, training->model.hidden[l]);
        kl_json_end(json);
        break;
    case KL_SETTING_STEPS:
        kl_json_list(json, setting->name);
        for (uint32_t i = 0; i < training->n_switches; i++)
            kl_json_count(json, NULL, training->switches[i]);
        kl_json_end(json);
        break;
    case KL_SETTING_TEXT:
    case KL_SETTING_CHOICE:
    case KL_SETTING_SIZE:
        kl_json_string(json, setting->name, text);
        break;
    }
}

static void add_training(struct kl_json *json, const struct kl_training *training)
{
    const struct kl_setting *setting;

    kl_json_object(json, "training");
    for (uint32_t i = 0; (setting = kl_setting_at(i)); i++)
        if (kl_setting_applies(setting, training))
            add_setting(json, setting, training);
    kl_json_end(json);
}

/* As the file has them. */
static void add_other_settings(struct kl_json *json, const struct kl_run *run)
{
    if (run->n_other_settings == 0)
        return;
    kl_json_object(json, "other_settings");
    for (uint32_t i = 0; i < run->n_other_settings; i++)
        kl_json_string(json, run->other_settings[i].key, run->other_settings[i].value);
    kl_json_end(json);
}

void kl_json_add_curve(struct kl_json *json, const struct kl_run *run)
{
    kl_json_list(json, "curve");
    for (uint32_t i = 0; i < run->n_curve; i++) {
        kl_json_object(json, NULL);
        kl_json_count(json, "step", run->curve[i].step);
        kl_json_string(json, "dataset", run->data.datasets[run->curve[i].dataset]->name);
        kl_json_number(json, "accuracy", run->curve[i].accuracy);
        kl_json_number(json, "loss", run->curve[i].loss);
        if (kl_history_is_text(&run->history))
            kl_json_number(json, "bits_per_token", run->curve[i].loss / log(2));
        kl_json_end(json);
    }
    kl_json_end(json);
}

void kl_json_add_switches(struct kl_json *json, const struct kl_run *run)
{
    kl_json_list(json, "switches");
    for (uint32_t i = 0; i < run->training.n_switches; i++)
        kl_json_count(json, NULL, run->training.switches[i]);
    kl_json_end(json);
}

/* What the outputs stand for, and how the data sets came. */
static void add_outputs(struct kl_json *json, const struct kl_run *run)
{
    uint32_t n = kl_shape_n_outputs(&run->training.shape);

    kl_json_list(json, "outputs");
    for (uint32_t output = 0; !kl_history_is_text(&run->history) && output < n; output++) {
        char *name = kl_collection_output_name(&run->data, output);

        if (name)
            kl_json_string(json, NULL, name);
        else
            kl_json_fail(json);
        free(name);
    }
    kl_json_end(json);
    kl_json_string(json, "heads", kl_heads_name(run->data.heads));
    kl_json_add_switches(json, run);
}

/* What takes training (api/errands/errand.h), as far as the run can. */
static void add_errands(struct kl_json *json, const struct kl_run *run)
{
    struct kl_error none;

    kl_json_list(json, "errands");
    for (int kind = 0; kind < KL_N_ERRANDS; kind++)
        if (!kl_errand_possible((enum kl_errand_kind)kind, run, &none))
            kl_json_string(json, NULL, kl_errand_name((enum kl_errand_kind)kind));
    kl_json_end(json);
}

/* The members of a run that lists of runs have, too. */
static void add_summary(struct kl_json *json, const struct kl_run *run)
{
    const char *before = kl_run_other_setting(run, KL_FINGERPRINT_BEFORE);
    const char *slash = strrchr(run->path, '/');

    kl_json_string(json, "id", run->fingerprint);
    kl_json_string(json, "name", run->training.name);
    kl_json_string(json, "file", slash ? slash + 1 : run->path);
    kl_json_string(json, "fingerprint", run->fingerprint);
    kl_json_string(json, "birth", run->birth);
    if (before)
        kl_json_string(json, "fingerprint_before", before);
    kl_json_string(json, "kind", kl_data_kind_name(kl_collection_kind(&run->data)));
    kl_json_number(json, "test_accuracy", kl_run_test_accuracy(run));
    if (kl_history_is_text(&run->history)) {
        kl_json_number(json, "test_bits_per_token", kl_run_test_bits(run));
        kl_json_number(json, "test_perplexity", pow(2, kl_run_test_bits(run)));
        kl_json_number(json, "left_out", run->history.left_out);
    }
    kl_json_bool(json, "dual", run->history.has_dual);
    kl_json_bool(json, "recorded", run->history.queries != NULL);
    add_asked(json, &run->history);
    add_errands(json, run);
    kl_json_count(json, "patterns", run->history.n_all);
    kl_json_count(json, "steps", run->training.n_steps);
    if (run->is_unfinished) {
        kl_json_object(json, "unfinished");
        if (run->planned_steps)
            kl_json_count(json, "planned_steps", run->planned_steps);
        kl_json_bool(json, "is_written", kl_follow_is_written(run->path));
        kl_json_string(json, "version", run->version);
        kl_json_end(json);
    }
    kl_json_add_shards(json, run);
    kl_json_add_damage(json, run);
    kl_json_count(json, "file_bytes", run->file_bytes);
    kl_json_count(json, "memory_bytes", run->memory_bytes);
    kl_json_add_layers(json, run);
    add_datasets(json, run);
    add_outputs(json, run);
    kl_json_count(json, "snapshots", run->history.snapshots.n);
}

char *kl_json_memory(uint64_t copied, uint64_t most, const struct kl_peers *peers)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_count(json, "copied_bytes", copied);
    kl_json_count(json, "most_bytes", most);
    kl_json_count(json, "process_bytes", kl_memory_used());
    kl_json_count(json, "free_bytes", kl_memory_free());
    kl_json_count(json, "processes", kl_peers_n(peers));
    kl_json_count(json, "told_calls", kl_peers_told(peers).n_calls);
    kl_json_count(json, "told_bytes", kl_peers_told(peers).n_bytes);
    return kl_json_finish(json);
}

char *kl_json_run(const struct kl_run *run)
{
    const struct kl_layer_steps *last = &run->history.layers[run->training.shape.n_layers - 1];
    struct kl_json writer = kl_json_begin(), *json = &writer;

    add_summary(json, run);
    if (run->history.has_dual && isfinite(last->alpha))
        kl_json_number(json, "initial_share", last->alpha);
    add_training(json, &run->training);
    add_other_settings(json, run);
    kl_json_add_curve(json, run);
    return kl_json_finish(json);
}

char *kl_json_progress(const struct kl_run *run)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;
    struct kl_adam_progress progress = {0};

    if (run->history.adam)
        kl_adam_tell(run->history.adam, &progress);
    if (progress.is_sweeping) {
        kl_json_object(json, "sweep");
        kl_json_count(json, "layer", progress.layer);
        kl_json_number(json, "done", progress.done);
        kl_json_end(json);
    } else {
        kl_json_null(json, "sweep");
    }
    return kl_json_finish(json);
}

char *kl_json_runs(struct kl_run *const *runs, size_t n_runs)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_list(json, "runs");
    for (size_t i = 0; i < n_runs; i++) {
        kl_json_object(json, NULL);
        add_summary(json, runs[i]);
        kl_json_end(json);
    }
    return kl_json_finish(json);
}

/* Of a text: its document, its token and the one that follows. */
static void add_position(struct kl_json *json, const struct kl_corpus *corpus,
                         struct kl_sample_place place)
{
    const struct kl_document *document = kl_corpus_document(corpus, place.split, place.index);
    const uint32_t *tokens = corpus->tokens[place.split] + place.index;

    kl_json_string(json, "document", document ? document->name : "");
    kl_json_string(json, "text", corpus->types[tokens[0]]);
    kl_json_string(json, "followed_by", corpus->types[tokens[1]]);
}

/* Its names, as members. */
static void add_names(struct kl_json *json, const struct kl_run *run, uint32_t id)
{
    struct kl_sample_place place = kl_collection_place(&run->data, id);
    const char *path, *description;

    kl_json_count(json, "id", id);
    kl_json_string(json, "dataset", run->data.datasets[place.dataset]->name);
    kl_json_string(json, "split", kl_split_name(place.split));
    kl_json_count(json, "index", place.index);
    kl_json_count(json, "label", kl_collection_label(&run->data, id));
    path = kl_dataset_path(run->data.datasets[place.dataset], place.split, place.index);
    if (path)
        kl_json_string(json, "path", path);
    description =
        kl_dataset_description(run->data.datasets[place.dataset], place.split, place.index);
    if (description)
        kl_json_string(json, "description", description);
    if (run->data.datasets[place.dataset]->corpus)
        add_position(json, run->data.datasets[place.dataset]->corpus, place);
    if (kl_collection_true_label(&run->data, id) != kl_collection_label(&run->data, id))
        kl_json_count(json, "true_label", kl_collection_true_label(&run->data, id));
}

void kl_json_add_sample(struct kl_json *json, const char *name, const struct kl_run *run,
                        uint32_t id)
{
    kl_json_object(json, name);
    add_names(json, run, id);
    kl_json_end(json);
}

/* The same, with its target and prediction. */
static void add_predicted(struct kl_json *json, const struct kl_run *run,
                          const struct kl_sample *sample)
{
    add_names(json, run, sample->id);
    kl_json_count(json, "target", sample->target);
    kl_json_count(json, "predicted", sample->predicted);
    kl_json_number(json, "probability", sample->probability);
    kl_json_bool(json, "correct", sample->predicted == sample->target);
}

void kl_json_add_prediction(struct kl_json *json, const char *name, const struct kl_run *run,
                            const struct kl_sample *sample)
{
    kl_json_object(json, name);
    add_predicted(json, run, sample);
    kl_json_end(json);
}

char *kl_json_sample(const struct kl_run *run, const struct kl_sample *sample)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    add_predicted(json, run, sample);
    return kl_json_finish(json);
}

char *kl_json_samples(const struct kl_run *run, const struct kl_sample_page *page)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;
    char token[24];

    kl_json_list(json, "samples");
    for (uint32_t i = 0; i < page->n; i++)
        kl_json_add_prediction(json, NULL, run, &page->samples[i]);
    kl_json_end(json);
    snprintf(token, sizeof token, "s%x", page->offset + page->n);
    if (page->n == 0 || page->offset + page->n >= page->total)
        kl_json_null(json, "next");
    else
        kl_json_string(json, "next", token);
    kl_json_count(json, "total", page->total);
    if (page->has_position && page->position < 0)
        kl_json_null(json, "position");
    else if (page->has_position)
        kl_json_count(json, "position", (uint64_t)page->position);
    return kl_json_finish(json);
}

char *kl_json_confusions(const struct kl_confusion *confusions, uint32_t n)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_list(json, "confusions");
    for (uint32_t i = 0; i < n; i++) {
        kl_json_object(json, NULL);
        kl_json_count(json, "target", confusions[i].target);
        kl_json_count(json, "predicted", confusions[i].predicted);
        kl_json_count(json, "samples", confusions[i].n);
        kl_json_end(json);
    }
    return kl_json_finish(json);
}

static double float_at(const void *self, uint32_t i)
{
    return (double)((const float *)self)[i];
}

static double target_at(const void *self, uint32_t i)
{
    return kl_collection_target(self, i);
}

char *kl_json_sample_map(const struct kl_run *run, const struct kl_sample_map *map)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_doubles(json, "share", map->share, 2);
    kl_json_long_list(json, "x", map->n, float_at, map->x);
    kl_json_long_list(json, "y", map->n, float_at, map->y);
    kl_json_long_list(json, "target", map->n, target_at, &run->data);
    return kl_json_finish(json);
}
