/* Arrays of a float32 per pattern that queries borrow. Some are kept for the next one: memory fresh
 * from the system has to be cleared first, which takes longer than a pass over it. */
#ifndef KL_CORE_BASE_SCRATCH_H
#define KL_CORE_BASE_SCRATCH_H

#include <stddef.h>

#include "core/base/error.h"

struct kl_scratch;

/* For arrays of n numbers. The caller ends *scratch with kl_scratch_free, when all arrays are back.
 * Errors: KL_ERR_MEMORY. */
enum kl_status kl_scratch_create(size_t n, struct kl_scratch **scratch, struct kl_error *err);
void kl_scratch_free(struct kl_scratch *scratch);

/* Lends an array, whose numbers mean nothing yet; kl_scratch_give takes it back (NULL is allowed).
 * Thread-safe. Errors: KL_ERR_MEMORY. */
enum kl_status kl_scratch_take(struct kl_scratch *scratch, float **numbers, struct kl_error *err);
void kl_scratch_give(struct kl_scratch *scratch, float *numbers);

#endif
