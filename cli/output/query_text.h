/* 'keylight query' of a run of text. */
#ifndef KL_CLI_OUTPUT_QUERY_TEXT_H
#define KL_CLI_OUTPUT_QUERY_TEXT_H

#include "core/explain/attention.h"
#include "db/run.h"

struct kl_text_request {
    struct kl_query query;
    const char *text; /* typed; or NULL: */
    uint32_t sample;  /* a position of the run */
    int json;
};

/* Asks and prints. Errors: KL_ERR_USAGE, those of reading. */
enum kl_status kl_query_text(struct kl_run *run, struct kl_pool *pool,
                             const struct kl_text_request *request, struct kl_error *err);

#endif
