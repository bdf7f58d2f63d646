/* Questions answered: core/explain/query.h says what can be asked, core/explain/answer.h what is
 * found. */
#ifndef KL_CORE_EXPLAIN_ATTENTION_H
#define KL_CORE_EXPLAIN_ATTENTION_H

#include "core/explain/answer.h"
#include "core/explain/query.h"

/* Answers a query about an inquiry's subject, as far as query->parts says; the caller ends *answer
 * with kl_answer_clear, before the inquiry. Thread-safe: scans of a layer are made together.
 * Errors: those of kl_query_check, KL_ERR_MEMORY, reading's. */
enum kl_status kl_attend_to(struct kl_inquiry *inquiry, const struct kl_query *query,
                            struct kl_answer *answer, struct kl_error *err);

/* The same of one question, with an inquiry of its own. */
enum kl_status kl_attend(struct kl_pool *pool, const struct kl_history *history,
                         const struct kl_query *query, struct kl_answer *answer,
                         struct kl_error *err);

#endif
