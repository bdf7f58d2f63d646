#include "api/json_text.h"

#include <stdlib.h>
#include <string.h>

#include "api/json.h"

cJSON *kl_json_token_text(const struct kl_corpus *corpus, uint32_t token, int spaced)
{
    char *text;
    cJSON *item;

    if (!spaced)
        return cJSON_CreateString(corpus->types[token]);
    text = malloc(strlen(corpus->types[token]) + 2);
    if (!text)
        return NULL;
    text[0] = ' ';
    memcpy(text + 1, corpus->types[token], strlen(corpus->types[token]) + 1);
    item = cJSON_CreateString(text);
    free(text);
    return item;
}

void kl_json_tokens(cJSON *object, const struct kl_corpus *corpus, const uint32_t *tokens,
                    const uint8_t *spaced, uint32_t n)
{
    cJSON *numbers = cJSON_AddArrayToObject(object, "tokens");
    cJSON *texts = cJSON_AddArrayToObject(object, "texts");

    for (uint32_t i = 0; i < n; i++) {
        cJSON_AddItemToArray(numbers, cJSON_CreateNumber(tokens[i]));
        cJSON_AddItemToArray(texts, kl_json_token_text(corpus, tokens[i], spaced && spaced[i]));
    }
}

void kl_json_type(cJSON *object, const struct kl_corpus *corpus, uint32_t token)
{
    kl_json_count(object, "token", token);
    cJSON_AddItemToObject(object, "text", kl_json_token_text(corpus, token, 0));
}

static void add_document(cJSON *object, const struct kl_run *run, struct kl_sample_place place)
{
    const struct kl_document *document =
        kl_corpus_document(run->data.datasets[0]->corpus, place.split, place.index);
    cJSON *item = cJSON_AddObjectToObject(object, "document");

    cJSON_AddStringToObject(item, "name", document ? document->name : "");
    kl_json_count(item, "position", document ? place.index - document->first : 0);
}

void kl_json_position(cJSON *object, const struct kl_run *run, uint32_t sample)
{
    struct kl_sample_place place = kl_collection_place(&run->data, sample);

    kl_json_count(object, "sample", sample);
    cJSON_AddStringToObject(object, "split", kl_split_name(place.split));
    kl_json_count(object, "index", place.index);
    add_document(object, run, place);
}
