/* The lengths of keys, which cosines need: computed at the first use and kept. */
#ifndef KL_CORE_EXPLAIN_NORMS_H
#define KL_CORE_EXPLAIN_NORMS_H

#include "core/base/error.h"
#include "core/base/pool.h"

#include <stdint.h>

struct kl_history;
struct kl_norms;

/* An empty store; the caller ends *norms with kl_norms_free. Errors: KL_ERR_MEMORY. */
enum kl_status kl_norms_create(struct kl_norms **norms, struct kl_error *err);
void kl_norms_free(struct kl_norms *norms);

/* |x_t| of every pattern at a layer, from 0: *out (n_patterns), valid as long as the store, which
 * is history->norms. Thread-safe. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_norms_of(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                           const float **out, struct kl_error *err);

#endif
