/* The words in which a query is put, in URLs, request bodies and on the command line. */
#ifndef KL_API_PARAMETERS_H
#define KL_API_PARAMETERS_H

#include "core/explain/attention.h"

#define KL_DEFAULT_TOP 20

/* The query that nothing has been said of: layer 0 stands for the last one. */
extern const struct kl_query kl_default_query;

/* Sets rank and logit from "abs", "positive", "negative", "cosine", "logit" and "effect" (of the
 * predicted class), "logit:OUTPUT", "effect:OUTPUT", "helped" or "harmed". Returns 0, or -1 for any
 * other word. */
int kl_parse_rank(const char *text, struct kl_query *query);

/* Sets by_sample from "pattern" or "sample". */
int kl_parse_by(const char *text, struct kl_query *query);

/* Sets views from a list such as "curves,time". Returns 0, or -1 for any other word. */
int kl_parse_views(const char *text, struct kl_query *query);

/* Sets what to remove from a list of terms: top:N, class:NUMBER (over all data sets), dataset:NAME,
 * steps:FIRST-LAST, sample:ID, all; the empty list removes nothing. history says what there is.
 * Errors: KL_ERR_USAGE, naming the term. */
enum kl_status kl_parse_removal(const char *text, const struct kl_history *history,
                                struct kl_removal *removal, struct kl_error *err);

/* A decimal number of at most nine digits and nothing else. */
int kl_parse_number(const char *text, uint32_t *number);

#endif
