/* Tokens and positions of a text as JSON. Internal to api/. */
#ifndef KL_API_TEXT_JSON_TEXT_H
#define KL_API_TEXT_JSON_TEXT_H

#include "api/json.h"
#include "core/data/text/corpus.h"
#include "db/run.h"

/* One token's text, with the space before it if it has one. */
void kl_json_add_token_text(struct kl_json *json, const char *name, const struct kl_corpus *corpus,
                            uint32_t token, int spaced);

/* n tokens as members: their numbers, and their texts, each with the space before it. spaced may be
 * NULL: none has one. */
void kl_json_add_tokens(struct kl_json *json, const struct kl_corpus *corpus,
                        const uint32_t *tokens, const uint8_t *spaced, uint32_t n);

/* A token's number and text, as members. */
void kl_json_add_token(struct kl_json *json, const struct kl_corpus *corpus, uint32_t token);

/* Where a position stands, as members: sample (its id), split, index, and its document. */
void kl_json_add_position(struct kl_json *json, const struct kl_run *run, uint32_t sample);

#endif
