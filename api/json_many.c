/* What is asked of many samples, as JSON: the report, common samples, suspects. */
#include <cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/json.h"
#include "api/represent.h"

static void add_share(cJSON *object, const char *name, uint32_t part, uint32_t whole)
{
    kl_json_number(object, name, whole ? (double)part / whole : NAN);
}

static void add_votes(cJSON *object, const char *name, const struct kl_run *run,
                      const struct kl_report *report, const struct kl_vote *table)
{
    cJSON *votes = cJSON_AddArrayToObject(object, name);

    for (uint32_t d = 0; d < report->n_datasets; d++) {
        for (uint32_t l = 0; l < report->n_layers; l++) {
            const struct kl_vote *vote = &table[l * report->n_datasets + d];
            cJSON *item = cJSON_CreateObject(), *counts;

            cJSON_AddStringToObject(item, "dataset", run->data.datasets[d]->name);
            kl_json_count(item, "layer", l + 1);
            add_share(item, "target_when_right", vote->target_when_right, vote->n_right);
            add_share(item, "target_when_wrong", vote->target_when_wrong, vote->n_wrong);
            add_share(item, "output_when_wrong", vote->output_when_wrong, vote->n_wrong);
            counts = cJSON_AddObjectToObject(item, "counts");
            kl_json_count(counts, "right", vote->n_right);
            kl_json_count(counts, "wrong", vote->n_wrong);
            kl_json_count(counts, "target_when_right", vote->target_when_right);
            kl_json_count(counts, "target_when_wrong", vote->target_when_wrong);
            kl_json_count(counts, "output_when_wrong", vote->output_when_wrong);
            cJSON_AddItemToArray(votes, item);
        }
    }
}

static void add_attention(cJSON *object, const struct kl_run *run, const struct kl_report *report)
{
    cJSON *list = cJSON_AddArrayToObject(object, "attention");

    for (uint32_t d = 0; d < report->n_datasets; d++)
        for (uint32_t l = 0; l < report->n_layers; l++)
            for (uint32_t trained = 0; trained < report->n_datasets; trained++) {
                size_t cell = ((size_t)l * report->n_datasets + d) * report->n_datasets + trained;
                cJSON *item = cJSON_CreateObject();

                cJSON_AddStringToObject(item, "dataset", run->data.datasets[d]->name);
                kl_json_count(item, "layer", l + 1);
                cJSON_AddStringToObject(item, "trained", run->data.datasets[trained]->name);
                kl_json_number(item, "share", report->attention[cell]);
                kl_json_number(item, "mean_over_deviation", report->dispersion[cell]);
                cJSON_AddItemToArray(list, item);
            }
}

static void add_most(cJSON *object, const struct kl_run *run, const struct kl_report *report)
{
    cJSON *list = cJSON_AddArrayToObject(object, "most_attended");

    for (uint32_t l = 0; l < report->n_layers; l++) {
        for (uint32_t i = 0; i < report->n_most[l]; i++) {
            const struct kl_most_attended *most = &report->most[l * KL_REPORT_TOP + i];
            cJSON *item = cJSON_CreateObject();

            kl_json_count(item, "layer", l + 1);
            cJSON_AddItemToObject(item, "sample", kl_json_sample(run, most->sample));
            kl_json_number(item, "share", most->share);
            kl_json_number(item, "top_ten", most->top_ten);
            cJSON_AddItemToArray(list, item);
        }
    }
}

char *kl_represent_report(const struct kl_run *run, const struct kl_accuracy *accuracies,
                          uint32_t n_accuracies, const struct kl_report *report)
{
    cJSON *object = cJSON_CreateObject(), *list;

    cJSON_AddStringToObject(object, "run", run->fingerprint);
    cJSON_AddStringToObject(object, "name", run->training.name);
    kl_json_count(object, "samples", report->n_queries);
    list = cJSON_AddArrayToObject(object, "accuracy");
    for (uint32_t i = 0; i < n_accuracies; i++) {
        cJSON *item = cJSON_CreateObject();

        cJSON_AddStringToObject(item, "dataset", run->data.datasets[accuracies[i].dataset]->name);
        cJSON_AddStringToObject(item, "split", kl_split_name(accuracies[i].split));
        kl_json_number(item, "accuracy",
                       (double)accuracies[i].n_right / (double)accuracies[i].n_samples);
        kl_json_count(item, "samples", accuracies[i].n_samples);
        cJSON_AddItemToArray(list, item);
    }
    add_votes(object, "vote", run, report, report->votes);
    if (kl_history_is_text(&run->history)) {
        kl_json_number(object, "test_bits_per_token", kl_run_test_bits(run));
        kl_json_number(object, "test_perplexity", pow(2, kl_run_test_bits(run)));
    } else {
        add_votes(object, "vote_within", run, report, report->votes_within);
        add_attention(object, run, report);
    }
    add_votes(object, "vote_first", run, report, report->votes_first);
    add_most(object, run, report);
    kl_json_curve(object, run);
    kl_json_number(object, "seconds", report->seconds);
    kl_json_number(object, "gflops", report->flop / report->seconds / 1e9);
    return kl_json_finish(object);
}

char *kl_represent_hubness(const struct kl_query *query, const struct kl_hubness *common)
{
    cJSON *object = cJSON_CreateObject(), *list;

    kl_json_count(object, "layer", query->layer);
    cJSON_AddStringToObject(object, "rank", query->rank->name);
    cJSON_AddStringToObject(object, "by", query->by_sample ? "sample" : "pattern");
    kl_json_count(object, "queries", common->n_queries);
    kl_json_count(object, "top", KL_HUBNESS_TOP);
    list = cJSON_AddArrayToObject(object, "samples");
    for (uint32_t i = 0; i < common->n; i++) {
        cJSON *item = cJSON_CreateObject();

        kl_json_count(item, "id", common->samples[i]);
        kl_json_number(item, "share", (double)common->shares[i]);
        cJSON_AddItemToArray(list, item);
    }
    return kl_json_finish(object);
}

enum kl_status kl_represent_suspects(struct kl_run *run, const struct kl_suspects *suspects,
                                     uint32_t first, uint32_t end, char **text,
                                     struct kl_error *err)
{
    cJSON *object = cJSON_CreateObject(), *list = cJSON_AddArrayToObject(object, "suspects"), *auc;
    char token[24];
    enum kl_status status = KL_OK;

    for (uint32_t i = first; !status && i < end; i++) {
        const struct kl_suspect *one = &suspects->samples[i];
        cJSON *item = cJSON_CreateObject();
        struct kl_sample sample = {0};

        status = kl_samples_get(run, one->sample, &sample, err);
        kl_json_count(item, "rank", i + 1);
        cJSON_AddItemToObject(item, "sample", kl_json_predicted(run, &sample));
        kl_json_number(item, "score", one->score);
        kl_json_number(item, "own", one->own);
        kl_json_number(item, "others", one->others);
        kl_json_number(item, "loss", one->loss);
        cJSON_AddItemToArray(list, item);
    }
    snprintf(token, sizeof token, "s%x", end);
    if (end < suspects->n)
        cJSON_AddStringToObject(object, "next", token);
    else
        cJSON_AddNullToObject(object, "next");
    kl_json_count(object, "total", suspects->n);
    if (isnan(suspects->auc)) {
        cJSON_AddNullToObject(object, "auc");
    } else {
        auc = cJSON_AddObjectToObject(object, "auc");
        kl_json_number(auc, "score", suspects->auc);
        kl_json_number(auc, "own", suspects->auc_own);
        kl_json_number(auc, "loss", suspects->auc_loss);
    }
    *text = kl_json_finish(object);
    if (!status && !*text)
        status = kl_fail(err, KL_ERR_MEMORY, "not enough memory for the suspects");
    return status;
}
