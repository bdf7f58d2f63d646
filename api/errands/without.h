/* Who is left out of a training, from the terms that name them. */
#ifndef KL_API_ERRANDS_WITHOUT_H
#define KL_API_ERRANDS_WITHOUT_H

#include "core/explain/inquiry.h"
#include "core/explain/query.h"
#include "db/run.h"

/* Whether a list of terms can be read, and (*needs_sample) whether it names the first of a sample's
 * spotlight. Errors: KL_ERR_USAGE, on without; KL_ERR_MEMORY. */
enum kl_status kl_without_check(const char *terms, const struct kl_run *run, int *needs_sample,
                                struct kl_error *err);

/* Whether a list of terms names those that are marked. */
int kl_without_names_marked(const char *terms);

/* The training samples that people marked as wrong, as they are now: *marked (*n) is the caller's
 * to free. Errors: those of kl_marks_read; KL_ERR_USAGE: there are none. */
enum kl_status kl_without_marked(const struct kl_run *run, uint32_t **marked, uint32_t *n,
                                 struct kl_error *err);

/* without (samples of the run): 1 for each training sample that the terms name, otherwise 0.
 * inquiry, or NULL, is about the sample whose spotlight, as query has it, top:N are the first of;
 * marked (n_marked) are those that the term marked names. Errors: likewise; those of reading. */
enum kl_status kl_without_choose(const char *terms, const struct kl_run *run,
                                 struct kl_inquiry *inquiry, const struct kl_query *query,
                                 const uint32_t *marked, uint32_t n_marked, uint8_t *without,
                                 struct kl_error *err);

#endif
