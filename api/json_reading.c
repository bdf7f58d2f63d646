/* Stretches of text as JSON: read, heated, continued. */
#include <cJSON.h>
#include <stdlib.h>

#include "core/explain/text/attention_map.h"
#include "core/explain/text/reading.h"
#include "api/query_text.h"
#include "api/json.h"
#include "api/json_text.h"
#include "api/represent.h"

#define SNIPPET_BEFORE 14 /* tokens of context of a heat map's column, of characters */
#define SNIPPET_AFTER 6

static const struct kl_corpus *corpus_of(const struct kl_run *run)
{
    return run->data.datasets[0]->corpus;
}

/* What is asked about: from text->first on. */
static void add_stretch(cJSON *object, const struct kl_run *run, const struct kl_query_text *text)
{
    cJSON_AddStringToObject(object, "run", run->fingerprint);
    if (text->sample >= 0)
        kl_json_position(object, run, (uint32_t)text->sample);
    else
        cJSON_AddNullToObject(object, "sample");
    kl_json_tokens(object, corpus_of(run), text->tokens + text->first,
                   text->spaced ? text->spaced + text->first : NULL, text->n - text->first);
}

char *kl_represent_reading(const struct kl_run *run, const struct kl_query_text *text,
                           const struct kl_reading *reading)
{
    cJSON *object = cJSON_CreateObject(), *predicted;

    add_stretch(object, run, text);
    kl_json_floats(object, "bits", reading->bits + text->first, reading->n - text->first);
    predicted = cJSON_AddArrayToObject(object, "predicted");
    for (uint32_t i = text->first; i < reading->n; i++)
        cJSON_AddItemToArray(predicted,
                             i == 0 ? cJSON_CreateNull()
                                    : kl_json_token_text(corpus_of(run), reading->predicted[i], 0));
    return kl_json_finish(object);
}

/* A training position with a little of what stands around it. */
static cJSON *snippet(const struct kl_run *run, const struct kl_attention_map_best *best)
{
    const struct kl_corpus *corpus = corpus_of(run);
    uint32_t scale = corpus->kind == KL_TOKENS_CHARACTERS ? 1 : 3;
    uint32_t before = SNIPPET_BEFORE / scale, after = SNIPPET_AFTER / scale;
    uint32_t first = best->sample < before ? 0 : best->sample - before;
    uint32_t length = corpus->lengths[KL_SPLIT_TRAIN];
    uint32_t end = length - best->sample > after ? best->sample + after + 1 : length;
    cJSON *item = cJSON_CreateObject();

    kl_json_position(item, run, best->sample);
    kl_json_count(item, "pattern", best->pattern);
    kl_json_count(item, "step", kl_history_step(&run->history, best->pattern));
    kl_json_number(item, "attention", (double)best->attention);
    kl_json_count(item, "offset", best->sample - first);
    kl_json_tokens(item, corpus, corpus->tokens[KL_SPLIT_TRAIN] + first,
                   corpus->spaced[KL_SPLIT_TRAIN] ? corpus->spaced[KL_SPLIT_TRAIN] + first : NULL,
                   end - first);
    return item;
}

char *kl_represent_attention_map(const struct kl_run *run, const struct kl_query_text *text,
                                 const struct kl_attention_map_query *query,
                                 const struct kl_attention_map *heat)
{
    cJSON *object = cJSON_CreateObject(), *columns, *rows;

    add_stretch(object, run, text);
    kl_json_count(object, "layer", query->layer);
    cJSON_AddStringToObject(object, "rank", query->rank->name);
    columns = cJSON_AddArrayToObject(object, "columns");
    for (uint32_t c = 0; c < heat->n_columns; c++)
        cJSON_AddItemToArray(columns, snippet(run, &heat->columns[c]));
    rows = cJSON_AddArrayToObject(object, "rows");
    for (uint32_t q = 0; q < heat->n; q++) {
        cJSON *row = cJSON_CreateObject(), *best;

        kl_json_number(row, "mean", heat->mean[q]);
        kl_json_number(row, "deviation", heat->deviation[q]);
        kl_json_floats(row, "attention", heat->attention + (size_t)q * heat->n_columns,
                       heat->n_columns);
        best = cJSON_AddArrayToObject(row, "best");
        for (uint32_t i = 0; i < heat->n_found[q]; i++)
            cJSON_AddItemToArray(best, snippet(run, &heat->best[(size_t)q * heat->n_best + i]));
        cJSON_AddItemToArray(rows, row);
    }
    return kl_json_finish(object);
}

char *kl_represent_continuation(const struct kl_run *run, const struct kl_query_text *text,
                                const uint32_t *written, uint32_t n)
{
    const struct kl_corpus *corpus = corpus_of(run);
    cJSON *object = cJSON_CreateObject();
    uint8_t *spaced = malloc(n);

    cJSON_AddStringToObject(object, "run", run->fingerprint);
    for (uint32_t i = 0; spaced && i < n; i++)
        spaced[i] = (uint8_t)kl_corpus_is_spaced(
            corpus, i ? written[i - 1] : text->tokens[text->n - 1], written[i]);
    kl_json_tokens(object, corpus, written, spaced, n);
    free(spaced);
    return kl_json_finish(object);
}

char *kl_represent_documents(const struct kl_run *run)
{
    const struct kl_corpus *corpus = corpus_of(run);
    cJSON *object = cJSON_CreateObject();
    cJSON *documents = cJSON_AddArrayToObject(object, "documents");

    for (uint32_t i = 0; i < corpus->n_documents; i++) {
        const struct kl_document *document = &corpus->documents[i];
        struct kl_sample_place place = {0, document->split, document->first};
        cJSON *item = cJSON_CreateObject();

        cJSON_AddStringToObject(item, "name", document->name);
        cJSON_AddStringToObject(item, "split", kl_split_name(document->split));
        kl_json_count(item, "sample", kl_collection_id(&run->data, place));
        kl_json_count(item, "tokens", document->count);
        cJSON_AddItemToArray(documents, item);
    }
    return kl_json_finish(object);
}
