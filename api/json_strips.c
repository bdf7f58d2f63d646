/* The strips as JSON. */
#include <stdio.h>

#include "api/answers.h"
#include "api/json_parts.h"
#include "api/text/json_text.h"
#include "api/words.h"
#include "core/data/text/corpus.h"

/* Tokens that are told before and behind a position, by how texts are cut. */
static const struct {
    uint32_t before, after;
} reach[] = {[KL_TOKENS_CHARACTERS] = {40, 24},
             [KL_TOKENS_WORDS] = {12, 8},
             [KL_TOKENS_WHITESPACE] = {12, 8}};

/* Where a position of the training text stands, and what stands around it, in its document. */
static void add_place(struct kl_json *json, const struct kl_run *run, uint32_t sample)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    const uint8_t *spaced = corpus->spaced[KL_SPLIT_TRAIN];
    const struct kl_document *document = kl_corpus_document(corpus, KL_SPLIT_TRAIN, sample);
    uint32_t begin = document ? document->first : 0;
    uint32_t end = document ? document->first + document->count : corpus->lengths[KL_SPLIT_TRAIN];
    uint32_t first =
        sample - begin > reach[corpus->kind].before ? sample - reach[corpus->kind].before : begin;

    if (end - sample > reach[corpus->kind].after + 1)
        end = sample + reach[corpus->kind].after + 1;
    kl_json_add_position(json, run, sample);
    kl_json_count(json, "offset", sample - first);
    kl_json_add_tokens(json, corpus, corpus->tokens[KL_SPLIT_TRAIN] + first,
                       spaced ? spaced + first : NULL, end - first);
}

static void add_strip(struct kl_json *json, const struct kl_run *run, const struct kl_strip *strip)
{
    const struct kl_rank *rank = kl_strip_rank(strip->kind);
    char text[600];

    kl_json_object(json, NULL);
    kl_json_string(json, "id", kl_strip_name(strip->kind));
    kl_strip_title(run, strip, text, sizeof text);
    kl_json_string(json, "title", text);
    kl_strip_sentence(run, strip, text, sizeof text);
    kl_json_string(json, "sentence", text);
    snprintf(text, sizeof text, rank->takes_logit ? "%s:%u" : "%s", rank->name, strip->output);
    kl_json_string(json, "rank", text);
    kl_json_count(json, "output", strip->output);
    kl_json_number(json, "sum", strip->sum);
    kl_json_number(json, "correction", strip->correction);
    kl_json_count(json, "samples", strip->n_samples);
    kl_json_list(json, "cards");
    for (uint32_t i = 0; i < strip->n; i++) {
        const struct kl_hit *hit = &strip->hits[i];

        kl_json_object(json, NULL);
        if (kl_history_is_text(&run->history))
            add_place(json, run, hit->sample);
        else
            kl_json_add_sample(json, "sample", run, hit->sample);
        kl_json_count(json, "repetitions", hit->repetitions);
        kl_json_number(json, "attention", hit->attention);
        kl_json_number(json, "contribution", hit->contribution);
        kl_json_end(json);
    }
    kl_json_end(json);
    kl_json_end(json);
}

char *kl_json_strips(const struct kl_run *run, const struct kl_strips *strips, double total_ms)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_add_run(json, run);
    kl_json_list(json, "strips");
    for (uint32_t i = 0; i < strips->n; i++)
        add_strip(json, run, &strips->strips[i]);
    kl_json_end(json);
    kl_json_number(json, "timing_ms", total_ms);
    return kl_json_finish(json);
}
