/* Texts that are asked about: places of the run's own, or what somebody typed. */
#ifndef KL_SERVER_GIVEN_TEXT_H
#define KL_SERVER_GIVEN_TEXT_H

#include "db/run.h"
#include "server/http.h"

struct cJSON;

/* A stretch of text. What is asked about ends it; what stands before first is read on the way. */
struct kl_given_text {
    int64_t sample;         /* id of the token at first, in the run; -1: typed */
    const uint32_t *tokens; /* (n) */
    const uint8_t *spaced;  /* (n) or NULL, as of a corpus */
    uint32_t first, n;
    uint32_t *own_tokens; /* what the text owns, or NULL */
    uint8_t *own_spaced;
};

/* count tokens of the run's text from a sample on (fewer at the end of its split), with what is
 * read before them. Returns 0, or -1 with the problem in *reply. */
int kl_given_stored(const struct kl_run *run, uint32_t sample, uint32_t count,
                    struct kl_given_text *text, struct kl_reply *reply);

/* The member "text" of the request's body, valid UTF-8 of 1 to KL_READING_MAX tokens: all of it.
 * Returns 0, or -1 with the problem in *reply. */
int kl_given_typed(const struct kl_run *run, const struct kl_request *request,
                   const struct cJSON *body, struct kl_given_text *text, struct kl_reply *reply);

void kl_given_clear(struct kl_given_text *text);

/* Whether the run is of text: 1, or 0 with the problem in *reply. */
int kl_is_text(const struct kl_run *run, struct kl_reply *reply);

#endif
