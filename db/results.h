/* What it took training to find out of a run, in a file of its own beside it ("RUN.results"), so
 * that it need not be found out again: a finished run never changes. Another SQLite database,
 * opened through the same VFS; an answer is kept as the JSON text that was given. What is found out
 * while shards of the run are missing is not kept, nor is what is kept then found: it is of all. */
#ifndef KL_DB_RESULTS_H
#define KL_DB_RESULTS_H

#include "db/run.h"

/* Keeps an answer to a question of a kind, in place of one that is there. The file is made with the
 * first. Thread-safe. Errors: KL_ERR_FOREIGN (no file of results, or of another run), KL_ERR_BUSY,
 * KL_ERR_IO, KL_ERR_FULL, KL_ERR_DAMAGED, KL_ERR_MEMORY. */
enum kl_status kl_results_keep(const struct kl_run *run, const char *kind, const char *question,
                               const char *answer, struct kl_error *err);

/* The answer to a question of a kind, or (question NULL) the one that was kept last: *answer is the
 * caller's to free, NULL where there is none. Thread-safe. Errors: as above. */
enum kl_status kl_results_find(const struct kl_run *run, const char *kind, const char *question,
                               char **answer, struct kl_error *err);

/* Moves the results of a run at path that is about to be replaced out of the way: db/beside.h. */
enum kl_status kl_results_set_aside(const char *path, char **moved, struct kl_error *err);

#endif
