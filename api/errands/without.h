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

/* Whether a list of terms names those that are marked, and which these are now: *marks is a hash of
 * them, 0 where they cannot be read. */
int kl_without_marks(const char *terms, const struct kl_run *run, uint64_t *marks);

/* without (samples of the run): 1 for each training sample that the terms name, otherwise 0.
 * inquiry, or NULL, is about the sample whose spotlight, as query has it, top:N are the first of;
 * marked are those that people marked as wrong. Errors: likewise; those of reading. */
enum kl_status kl_without_choose(const char *terms, const struct kl_run *run,
                                 struct kl_inquiry *inquiry, const struct kl_query *query,
                                 uint8_t *without, struct kl_error *err);

#endif
