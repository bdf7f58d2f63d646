#include "server/given_text.h"

#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/text/reading.h"
#include "core/text.h"
#include "core/trace.h"

int kl_is_text(const struct kl_run *run, struct kl_reply *reply)
{
    if (kl_history_is_text(&run->history))
        return 1;
    kl_reply_problem(reply, 404, NULL, "this run is of images: it has no text");
    return 0;
}

int kl_given_stored(const struct kl_run *run, uint32_t sample, uint32_t count,
                    struct kl_given_text *text, struct kl_reply *reply)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    uint32_t n_samples = kl_collection_size(&run->data), begin, end;
    struct kl_sample_place place;

    if (sample >= n_samples) {
        kl_reply_problem(reply, 404, "sample", "there is no position %u: ids go from 0 to %u",
                         sample, n_samples - 1);
        return -1;
    }
    place = kl_collection_place(&run->data, sample);
    begin = place.index < KL_CONTEXT ? 0 : place.index - KL_CONTEXT + 1;
    end = corpus->lengths[place.split] - place.index > count ? place.index + count
                                                             : corpus->lengths[place.split];
    *text = (struct kl_given_text){
        .sample = sample,
        .tokens = corpus->tokens[place.split] + begin,
        .spaced = corpus->spaced[place.split] ? corpus->spaced[place.split] + begin : NULL,
        .first = place.index - begin,
        .n = end - begin};
    return 0;
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

int kl_given_typed(const struct kl_run *run, const struct kl_request *request, const cJSON *body,
                   struct kl_given_text *out, struct kl_reply *reply)
{
    const struct kl_corpus *corpus = run->data.datasets[0]->corpus;
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, "text");
    struct kl_given_text text = {.sample = -1};
    struct kl_error err;

    if (!cJSON_IsString(item)) {
        kl_reply_problem(reply, 400, "text", "the body is a JSON object with a text");
        return -1;
    }
    if (has_zero(request->body, request->body_bytes) || kl_text_clean(item->valuestring)) {
        kl_reply_problem(reply, 400, "text", "the text is UTF-8 without the character U+0000");
        return -1;
    }
    if (kl_corpus_encode(corpus, item->valuestring, &text.own_tokens, &text.own_spaced, &text.n,
                         &err)) {
        kl_reply_error(reply, "text", &err);
        return -1;
    }
    text.tokens = text.own_tokens;
    text.spaced = corpus->kind == KL_TOKENS_CHARACTERS ? NULL : text.own_spaced;
    if (text.n < 1 || text.n > KL_READING_MAX) {
        kl_reply_problem(reply, 400, "text", "a text has 1 to %d tokens, not %u", KL_READING_MAX,
                         text.n);
        kl_given_clear(&text);
        return -1;
    }
    *out = text;
    return 0;
}

void kl_given_clear(struct kl_given_text *text)
{
    free(text->own_tokens);
    free(text->own_spaced);
    *text = (struct kl_given_text){0};
}
