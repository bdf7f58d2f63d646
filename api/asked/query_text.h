/* Texts that are asked about: places of the run's own, or what somebody typed. */
#ifndef KL_API_ASKED_QUERY_TEXT_H
#define KL_API_ASKED_QUERY_TEXT_H

#include "db/run.h"

struct cJSON;

/* A stretch of text. What is asked about ends it; what stands before first is read on the way. */
struct kl_query_text {
    int64_t sample;         /* id of the token at first, in the run; -1: typed */
    const uint32_t *tokens; /* (n) */
    const uint8_t *spaced;  /* (n) or NULL, as of a corpus */
    uint32_t first, n;
    uint32_t *own_tokens; /* what the text owns, or NULL */
    uint8_t *own_spaced;
    struct kl_notes missing; /* what was typed and the vocabulary lacks, each once; owned */
};

/* count tokens of a text run from a sample on (fewer at the end of its split), with what is read
 * before them. The caller ends *text with kl_query_text_clear. Errors: KL_ERR_NOT_FOUND. */
enum kl_status kl_query_text_stored(const struct kl_run *run, uint32_t sample, uint32_t count,
                                    struct kl_query_text *text, struct kl_error *err);

/* The member "text" of a request's body (json, n_bytes), valid UTF-8 of 1 to KL_READING_MAX tokens:
 * all of it. The caller ends *text with kl_query_text_clear. Errors: KL_ERR_USAGE, KL_ERR_MEMORY.
 */
enum kl_status kl_query_text_typed(const struct kl_run *run, const char *json, size_t n_bytes,
                                   const struct cJSON *body, struct kl_query_text *text,
                                   struct kl_error *err);

void kl_query_text_clear(struct kl_query_text *text);

#endif
