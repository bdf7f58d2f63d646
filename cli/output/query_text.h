/* 'keylight query' of a run of text. */
#ifndef KL_CLI_OUTPUT_QUERY_TEXT_H
#define KL_CLI_OUTPUT_QUERY_TEXT_H

#include "core/explain/attention.h"
#include "db/run.h"

/* Asks about the last token of a text, and prints, or writes JSON. Errors: KL_ERR_MEMORY, those of
 * reading. */
struct kl_query_text;
enum kl_status kl_query_text(struct kl_run *run, struct kl_pool *pool, const struct kl_query *asked,
                             const struct kl_query_text *text, int json, struct kl_error *err);

#endif
