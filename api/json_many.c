/* What is asked of many samples, as JSON: the report, common samples, suspects. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/json_parts.h"
#include "api/answers.h"

static void add_share(struct kl_json *json, const char *name, uint32_t part, uint32_t whole)
{
    kl_json_number(json, name, whole ? (double)part / whole : NAN);
}

static void add_votes(struct kl_json *json, const char *name, const struct kl_run *run,
                      const struct kl_report *report, const struct kl_vote *table)
{
    kl_json_list(json, name);
    for (uint32_t d = 0; d < report->n_datasets; d++) {
        for (uint32_t l = 0; l < report->n_layers; l++) {
            const struct kl_vote *vote = &table[l * report->n_datasets + d];

            kl_json_object(json, NULL);
            kl_json_string(json, "dataset", run->data.datasets[d]->name);
            kl_json_count(json, "layer", l + 1);
            add_share(json, "target_when_right", vote->target_when_right, vote->n_right);
            add_share(json, "target_when_wrong", vote->target_when_wrong, vote->n_wrong);
            add_share(json, "output_when_wrong", vote->output_when_wrong, vote->n_wrong);
            kl_json_object(json, "counts");
            kl_json_count(json, "right", vote->n_right);
            kl_json_count(json, "wrong", vote->n_wrong);
            kl_json_count(json, "target_when_right", vote->target_when_right);
            kl_json_count(json, "target_when_wrong", vote->target_when_wrong);
            kl_json_count(json, "output_when_wrong", vote->output_when_wrong);
            kl_json_end(json);
            kl_json_end(json);
        }
    }
    kl_json_end(json);
}

static void add_attention(struct kl_json *json, const struct kl_run *run,
                          const struct kl_report *report)
{
    kl_json_list(json, "attention");
    for (uint32_t d = 0; d < report->n_datasets; d++)
        for (uint32_t l = 0; l < report->n_layers; l++)
            for (uint32_t trained = 0; trained < report->n_datasets; trained++) {
                size_t cell = ((size_t)l * report->n_datasets + d) * report->n_datasets + trained;

                kl_json_object(json, NULL);
                kl_json_string(json, "dataset", run->data.datasets[d]->name);
                kl_json_count(json, "layer", l + 1);
                kl_json_string(json, "trained", run->data.datasets[trained]->name);
                kl_json_number(json, "share", report->attention[cell]);
                kl_json_number(json, "mean_over_deviation", report->dispersion[cell]);
                kl_json_end(json);
            }
    kl_json_end(json);
}

/* Of an image: the name of its class. */
static void add_class_name(struct kl_json *json, const struct kl_run *run, uint32_t sample)
{
    const struct kl_dataset *dataset =
        run->data.datasets[kl_collection_place(&run->data, sample).dataset];

    if (!kl_history_is_text(&run->history))
        kl_json_string(json, "class",
                       kl_dataset_class_name(dataset, kl_collection_label(&run->data, sample)));
}

static void add_most(struct kl_json *json, const struct kl_run *run, const struct kl_report *report)
{
    kl_json_list(json, "most_attended");
    for (uint32_t l = 0; l < report->n_layers; l++) {
        for (uint32_t i = 0; i < report->n_most[l]; i++) {
            const struct kl_most_attended *most = &report->most[l * KL_REPORT_TOP + i];

            kl_json_object(json, NULL);
            kl_json_count(json, "layer", l + 1);
            kl_json_add_sample(json, "sample", run, most->sample);
            add_class_name(json, run, most->sample);
            kl_json_number(json, "share", most->share);
            kl_json_number(json, "top_ten", most->top_ten);
            kl_json_end(json);
        }
    }
    kl_json_end(json);
}

char *kl_json_report(const struct kl_run *run, const struct kl_accuracy *accuracies,
                     uint32_t n_accuracies, const struct kl_report *report)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_add_run(json, run);
    kl_json_string(json, "name", run->training.name);
    kl_json_count(json, "patterns", run->history.n_all);
    kl_json_count(json, "steps", run->training.n_steps);
    kl_json_add_switches(json, run);
    kl_json_count(json, "samples", report->n_queries);
    kl_json_list(json, "accuracy");
    for (uint32_t i = 0; i < n_accuracies; i++) {
        kl_json_object(json, NULL);
        kl_json_string(json, "dataset", run->data.datasets[accuracies[i].dataset]->name);
        kl_json_string(json, "split", kl_split_name(accuracies[i].split));
        kl_json_number(json, "accuracy",
                       (double)accuracies[i].n_right / (double)accuracies[i].n_samples);
        kl_json_count(json, "samples", accuracies[i].n_samples);
        kl_json_end(json);
    }
    kl_json_end(json);
    add_votes(json, "vote", run, report, report->votes);
    if (kl_history_is_text(&run->history)) {
        kl_json_number(json, "test_bits_per_token", kl_run_test_bits(run));
        kl_json_number(json, "test_perplexity", pow(2, kl_run_test_bits(run)));
    } else {
        add_votes(json, "vote_by_dataset_class", run, report, report->votes_by_class);
        add_votes(json, "vote_within", run, report, report->votes_within);
        add_attention(json, run, report);
    }
    add_votes(json, "vote_first", run, report, report->votes_first);
    add_most(json, run, report);
    kl_json_add_curve(json, run);
    kl_json_number(json, "seconds", report->seconds);
    kl_json_number(json, "gflops", report->flop / report->seconds / 1e9);
    return kl_json_finish(json);
}

char *kl_json_hubness(const struct kl_run *run, const struct kl_query *query,
                      const struct kl_hubness *common)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_add_share(json, run);
    kl_json_count(json, "layer", query->layer);
    kl_json_string(json, "rank", query->rank->name);
    kl_json_string(json, "by", query->by_sample ? "sample" : "pattern");
    kl_json_count(json, "queries", common->n_queries);
    kl_json_count(json, "top", KL_HUBNESS_TOP);
    kl_json_list(json, "samples");
    for (uint32_t i = 0; i < common->n; i++) {
        kl_json_object(json, NULL);
        kl_json_count(json, "id", common->samples[i]);
        kl_json_number(json, "share", (double)common->shares[i]);
        kl_json_end(json);
    }
    kl_json_end(json);
    return kl_json_finish(json);
}

enum kl_status kl_json_suspects(struct kl_run *run, const struct kl_suspects *suspects,
                                uint32_t first, uint32_t end, char **text, struct kl_error *err)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;
    char token[24];
    enum kl_status status = KL_OK;

    kl_json_add_share(json, run);
    kl_json_list(json, "suspects");
    for (uint32_t i = first; !status && i < end; i++) {
        const struct kl_suspect *one = &suspects->samples[i];
        struct kl_sample sample = {0};

        kl_json_object(json, NULL);
        status = kl_samples_get(run, one->sample, &sample, err);
        kl_json_count(json, "rank", i + 1);
        kl_json_add_prediction(json, "sample", run, &sample);
        if (one->suggested == KL_NO_LABEL) {
            kl_json_null(json, "suggested");
        } else {
            kl_json_object(json, "suggested");
            kl_json_count(json, "label", one->suggested);
            kl_json_number(json, "share", one->suggested_share);
            kl_json_end(json);
        }
        if (one->duplicate < 0)
            kl_json_null(json, "near_duplicate");
        else
            kl_json_add_sample(json, "near_duplicate", run, (uint32_t)one->duplicate);
        kl_json_number(json, "score", one->score);
        kl_json_number(json, "own", one->own);
        kl_json_number(json, "others", one->others);
        kl_json_number(json, "loss", one->loss);
        kl_json_end(json);
    }
    kl_json_end(json);
    snprintf(token, sizeof token, "s%x", end);
    if (end < suspects->n)
        kl_json_string(json, "next", token);
    else
        kl_json_null(json, "next");
    kl_json_count(json, "total", suspects->n);
    if (isnan(suspects->auc)) {
        kl_json_null(json, "auc");
    } else {
        kl_json_object(json, "auc");
        kl_json_number(json, "score", suspects->auc);
        kl_json_number(json, "own", suspects->auc_own);
        kl_json_number(json, "loss", suspects->auc_loss);
        kl_json_end(json);
    }
    *text = kl_json_finish(json);
    if (!status && !*text)
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the suspects");
    return status;
}

char *kl_json_marks(const struct kl_run *run, const struct kl_mark *marks, uint32_t n)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_list(json, "marks");
    for (uint32_t i = 0; i < n; i++) {
        kl_json_object(json, NULL);
        kl_json_add_sample(json, "sample", run, marks[i].sample);
        kl_json_string(json, "decision", kl_decision_name(marks[i].decision));
        if (marks[i].label < 0)
            kl_json_null(json, "label");
        else
            kl_json_count(json, "label", (uint64_t)marks[i].label);
        kl_json_end(json);
    }
    kl_json_end(json);
    return kl_json_finish(json);
}
