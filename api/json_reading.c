/* Stretches of text as JSON: read, heated, continued. */
#include <stdlib.h>

#include "core/explain/text/attention_map.h"
#include "core/explain/text/reading.h"
#include "api/asked/query_text.h"
#include "api/json.h"
#include "api/json_parts.h"
#include "api/text/json_text.h"
#include "api/answers.h"

#define SNIPPET_BEFORE 14 /* tokens of context of a heat map's column, of characters */
#define SNIPPET_AFTER 6

static const struct kl_corpus *corpus_of(const struct kl_run *run)
{
    return run->data.datasets[0]->corpus;
}

/* What is asked about: from text->first on. */
static void add_stretch(struct kl_json *json, const struct kl_run *run,
                        const struct kl_query_text *text)
{
    kl_json_add_run(json, run);
    if (text->sample >= 0)
        kl_json_add_position(json, run, (uint32_t)text->sample);
    else
        kl_json_null(json, "sample");
    kl_json_add_tokens(json, corpus_of(run), text->tokens + text->first,
                       text->spaced ? text->spaced + text->first : NULL, text->n - text->first);
}

/* Which of the tokens can be asked about, of a network that cannot be run here. */
static void add_asked(struct kl_json *json, const struct kl_run *run,
                      const struct kl_query_text *text)
{
    kl_json_list(json, "asked");
    for (uint32_t i = 0; i < text->n - text->first; i++)
        if (text->sample >= 0 && kl_history_can_ask(&run->history, (uint32_t)text->sample + i))
            kl_json_count(json, NULL, i);
    kl_json_end(json);
}

char *kl_json_reading(const struct kl_run *run, const struct kl_query_text *text,
                      const struct kl_reading *reading)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    add_stretch(json, run, text);
    kl_json_floats(json, "bits", reading->bits + text->first, reading->n - text->first);
    kl_json_list(json, "predicted");
    for (uint32_t i = text->first; i < reading->n; i++)
        if (i == 0)
            kl_json_null(json, NULL);
        else
            kl_json_add_token_text(json, NULL, corpus_of(run), reading->predicted[i], 0);
    kl_json_end(json);
    if (run->history.queries)
        add_asked(json, run, text);
    return kl_json_finish(json);
}

/* A training position with a little of what stands around it. */
static void add_snippet(struct kl_json *json, const struct kl_run *run,
                        const struct kl_attention_map_best *best)
{
    const struct kl_corpus *corpus = corpus_of(run);
    uint32_t scale = corpus->kind == KL_TOKENS_CHARACTERS ? 1 : 3;
    uint32_t before = SNIPPET_BEFORE / scale, after = SNIPPET_AFTER / scale;
    uint32_t first = best->sample < before ? 0 : best->sample - before;
    uint32_t length = corpus->lengths[KL_SPLIT_TRAIN];
    uint32_t end = length - best->sample > after ? best->sample + after + 1 : length;

    kl_json_object(json, NULL);
    kl_json_add_position(json, run, best->sample);
    kl_json_count(json, "pattern", best->pattern);
    kl_json_count(json, "step", kl_history_step_of(&run->history, best->pattern));
    kl_json_number(json, "attention", (double)best->attention);
    kl_json_count(json, "offset", best->sample - first);
    kl_json_add_tokens(json, corpus, corpus->tokens[KL_SPLIT_TRAIN] + first,
                       corpus->spaced[KL_SPLIT_TRAIN] ? corpus->spaced[KL_SPLIT_TRAIN] + first
                                                      : NULL,
                       end - first);
    kl_json_end(json);
}

char *kl_json_attention_map(const struct kl_run *run, const struct kl_query_text *text,
                            const struct kl_attention_map_query *query,
                            const struct kl_attention_map *heat)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    add_stretch(json, run, text);
    kl_json_count(json, "layer", query->layer);
    kl_json_string(json, "rank", query->rank->name);
    kl_json_list(json, "columns");
    for (uint32_t c = 0; c < heat->n_columns; c++)
        add_snippet(json, run, &heat->columns[c]);
    kl_json_end(json);
    kl_json_list(json, "rows");
    for (uint32_t q = 0; q < heat->n; q++) {
        kl_json_object(json, NULL);
        kl_json_number(json, "mean", heat->mean[q]);
        kl_json_number(json, "deviation", heat->deviation[q]);
        kl_json_floats(json, "attention", heat->attention + (size_t)q * heat->n_columns,
                       heat->n_columns);
        kl_json_list(json, "best");
        for (uint32_t i = 0; i < heat->n_found[q]; i++)
            add_snippet(json, run, &heat->best[(size_t)q * heat->n_best + i]);
        kl_json_end(json);
        kl_json_end(json);
    }
    kl_json_end(json);
    return kl_json_finish(json);
}

char *kl_json_continuation(const struct kl_run *run, const struct kl_query_text *text,
                           const uint32_t *written, uint32_t n)
{
    const struct kl_corpus *corpus = corpus_of(run);
    struct kl_json writer = kl_json_begin(), *json = &writer;
    uint8_t *spaced = malloc(n);

    kl_json_add_run(json, run);
    if (!spaced)
        kl_json_fail(json);
    for (uint32_t i = 0; spaced && i < n; i++)
        spaced[i] = (uint8_t)kl_corpus_is_spaced(
            corpus, i ? written[i - 1] : text->tokens[text->n - 1], written[i]);
    kl_json_add_tokens(json, corpus, written, spaced, n);
    free(spaced);
    return kl_json_finish(json);
}

char *kl_json_documents(const struct kl_run *run)
{
    const struct kl_corpus *corpus = corpus_of(run);
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_list(json, "documents");
    for (uint32_t i = 0; i < corpus->n_documents; i++) {
        const struct kl_document *document = &corpus->documents[i];
        struct kl_sample_place place = {0, document->split, document->first};

        kl_json_object(json, NULL);
        kl_json_string(json, "name", document->name);
        kl_json_string(json, "split", kl_split_name(document->split));
        kl_json_count(json, "sample", kl_collection_id(&run->data, place));
        kl_json_count(json, "tokens", document->count);
        kl_json_end(json);
    }
    kl_json_end(json);
    return kl_json_finish(json);
}
