/* Samples that only the framework could run that trained the network: their logits, keys and
 * gradients. Internal to db/. */
#ifndef KL_DB_TABLES_QUERIES_H
#define KL_DB_TABLES_QUERIES_H

#include <sqlite3.h>

#include "core/explain/history.h"

#define KL_QUERIES_SUFFIX ".queries" /* behind the run's path: of what was added later */

/* Those of a run of the shape and so many samples, and of the file RUN.queries beside it, if there
 * is one that says that it is of the run: each has a connection of its own. The caller ends
 * *queries with kl_queries_close. Errors: KL_ERR_MEMORY, KL_ERR_FOREIGN (that file is another
 * run's) and those of opening. */
enum kl_status kl_queries_open(const char *path, const char *fingerprint,
                               const struct kl_shape *shape, uint32_t n_samples,
                               struct kl_queries **queries, struct kl_error *err);
void kl_queries_close(struct kl_queries *queries);

#endif
