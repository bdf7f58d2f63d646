/* What a spotlight can be ordered by, in one table: a new rank is a row in core/explain/ranks.c and
 * its score in core/explain/scores.c. Command line, API and page have the names from here. */
#ifndef KL_CORE_EXPLAIN_RANKS_H
#define KL_CORE_EXPLAIN_RANKS_H

#include <stddef.h>

#include "core/explain/rank.h"

/* Number i of the table, NULL behind its end: the first, |attention|, is the one where nobody names
 * another. */
const struct kl_rank *kl_rank_at(uint32_t i);

/* The rank of that name, or NULL. */
const struct kl_rank *kl_rank_find(const char *name);

/* The rank that a text names, "abs" or "logit:3", and the logit, or -1 without one; NULL for any
 * other text. */
const struct kl_rank *kl_rank_parse(const char *text, int *logit);

/* "abs, positive, ... or logit:C" into text, of those that are rows (only_rows) or of all. */
void kl_rank_names(int only_rows, char *text, size_t n_bytes);

#endif
