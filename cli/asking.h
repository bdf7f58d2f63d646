/* A question about one subject, as it is put on the command line: what `keylight query` and
 * `keylight figure` have in common. */
#ifndef KL_CLI_ASKING_H
#define KL_CLI_ASKING_H

#include "api/asked/query_text.h"
#include "api/asked/question.h"
#include "cli/options/option.h"
#include "db/run.h"

#define KL_ASKING_OPTIONS 8

struct kl_asking {
    const char *sample, *text; /* what was said: one of them */
    const char *words[6];      /* of the question, as they were said: asking.c */
    const char *remove;        /* what to take out of the memory, or NULL: of those who ask it */
    char rank_help[2400];
    struct kl_question question;
    int64_t id;                 /* the stored sample; -1: typed */
    uint8_t *pixels;            /* of an image */
    struct kl_query_text typed; /* of a text, stored or typed; its last token is asked about */
};

/* Fills the first KL_ASKING_OPTIONS rows of a command's table, and returns the next. */
struct kl_option *kl_asking_options(struct kl_asking *asking, struct kl_option *table);

/* That there is one subject. Errors: KL_ERR_USAGE. */
enum kl_status kl_asking_check(const struct kl_asking *asking, struct kl_error *err);

/* What was said as a question about a run, with its subject. The caller ends *asking with
 * kl_asking_clear, also on failure. Errors: KL_ERR_USAGE, KL_ERR_NOT_FOUND, KL_ERR_MEMORY,
 * reading's. */
enum kl_status kl_asking_find(struct kl_asking *asking, struct kl_run *run, struct kl_error *err);
void kl_asking_clear(struct kl_asking *asking);

#endif
