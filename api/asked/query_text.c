#include "api/asked/query_text.h"

#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/explain/text/reading.h"
#include "core/base/utf8.h"

enum kl_status kl_query_text_stored(const struct kl_run *run, uint32_t sample, uint32_t count,
                                    struct kl_query_text *text, struct kl_error *err)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    uint32_t n_samples = kl_collection_size(&run->data), begin, end;
    struct kl_sample_place place;

    if (sample >= n_samples)
        return kl_fail_on(err, KL_ERR_NOT_FOUND, "sample",
                          "there is no position %u: ids go from 0 to %u", sample, n_samples - 1);
    place = kl_collection_place(&run->data, sample);
    begin = place.index < KL_CONTEXT ? 0 : place.index - KL_CONTEXT + 1;
    end = corpus->lengths[place.split] - place.index > count ? place.index + count
                                                             : corpus->lengths[place.split];
    *text = (struct kl_query_text){
        .sample = sample,
        .tokens = corpus->tokens[place.split] + begin,
        .spaced = corpus->spaced[place.split] ? corpus->spaced[place.split] + begin : NULL,
        .first = place.index - begin,
        .n = end - begin};
    return KL_OK;
}

/* Whether a JSON text, or some string of it, holds the character 0, where cJSON would end it. */
static int has_zero(const char *json, size_t n_bytes)
{
    if (memchr(json, '\0', n_bytes))
        return 1;
    for (; *json; json++) {
        if (*json != '\\')
            continue;
        if (!strncmp(json + 1, "u0000", 5))
            return 1;
        if (json[1])
            json++; /* what is escaped begins nothing */
    }
    return 0;
}

enum kl_status kl_query_text_typed(const struct kl_run *run, const char *json, size_t n_bytes,
                                   const cJSON *body, struct kl_query_text *out,
                                   struct kl_error *err)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, "text");
    struct kl_query_text text = {.sample = -1};

    if (!cJSON_IsString(item))
        return kl_fail_on(err, KL_ERR_USAGE, "text", "the body is a JSON object with a text");
    if (has_zero(json, n_bytes) || kl_utf8_clean(item->valuestring))
        return kl_fail_on(err, KL_ERR_USAGE, "text",
                          "the text is UTF-8 without the character U+0000");
    if (kl_corpus_encode(corpus, item->valuestring, &text.own_tokens, &text.own_spaced, &text.n,
                         &text.missing, err)) {
        kl_notes_clear(&text.missing);
        return err->status;
    }
    text.tokens = text.own_tokens;
    text.spaced = corpus->kind == KL_TOKENS_CHARACTERS ? NULL : text.own_spaced;
    if (text.n < 1 || text.n > KL_READING_MAX) {
        kl_fail_on(err, KL_ERR_USAGE, "text", "a text has 1 to %d tokens, not %u", KL_READING_MAX,
                   text.n);
        kl_query_text_clear(&text);
        return err->status;
    }
    *out = text;
    return KL_OK;
}

void kl_query_text_clear(struct kl_query_text *text)
{
    free(text->own_tokens);
    free(text->own_spaced);
    kl_notes_clear(&text->missing);
    *text = (struct kl_query_text){0};
}
