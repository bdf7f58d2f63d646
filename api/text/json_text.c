#include "api/text/json_text.h"

#include <stdlib.h>
#include <string.h>

void kl_json_add_token_text(struct kl_json *json, const char *name, const struct kl_corpus *corpus,
                            uint32_t token, int spaced)
{
    const char *type = corpus->types[token];
    size_t n_bytes = strlen(type) + 1;
    char *text;

    if (!spaced) {
        kl_json_string(json, name, type);
        return;
    }
    text = malloc(n_bytes + 1);
    if (!text) {
        kl_json_fail(json);
        return;
    }
    text[0] = ' ';
    memcpy(text + 1, type, n_bytes);
    kl_json_string(json, name, text);
    free(text);
}

void kl_json_add_tokens(struct kl_json *json, const struct kl_corpus *corpus,
                        const uint32_t *tokens, const uint8_t *spaced, uint32_t n)
{
    kl_json_list(json, "tokens");
    for (uint32_t i = 0; i < n; i++)
        kl_json_count(json, NULL, tokens[i]);
    kl_json_end(json);
    kl_json_list(json, "texts");
    for (uint32_t i = 0; i < n; i++)
        kl_json_add_token_text(json, NULL, corpus, tokens[i], spaced && spaced[i]);
    kl_json_end(json);
}

void kl_json_add_token(struct kl_json *json, const struct kl_corpus *corpus, uint32_t token)
{
    kl_json_count(json, "token", token);
    kl_json_add_token_text(json, "text", corpus, token, 0);
}

static void add_document(struct kl_json *json, const struct kl_run *run,
                         struct kl_sample_place place)
{
    const struct kl_document *document =
        kl_corpus_document(run->data.datasets[0]->corpus, place.split, place.index);

    kl_json_object(json, "document");
    kl_json_string(json, "name", document ? document->name : "");
    kl_json_count(json, "position", document ? place.index - document->first : 0);
    kl_json_end(json);
}

void kl_json_add_position(struct kl_json *json, const struct kl_run *run, uint32_t sample)
{
    struct kl_sample_place place = kl_collection_place(&run->data, sample);

    kl_json_count(json, "sample", sample);
    kl_json_string(json, "split", kl_split_name(place.split));
    kl_json_count(json, "index", place.index);
    add_document(json, run, place);
}
