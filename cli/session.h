/* A run opened for scanning, with the workers that scan. */
#ifndef KL_CLI_SESSION_H
#define KL_CLI_SESSION_H

#include "core/base/pool.h"
#include "db/run.h"

struct kl_session {
    struct kl_pool *pool;
    struct kl_run *run;
};

/* Opens the run at path with a worker per processor, and says what of it is missing. The caller
 * ends the session with kl_session_close, after a failure too. Errors: those of kl_pool_create and
 * kl_run_open. */
enum kl_status kl_session_open(const char *path, struct kl_session *session, struct kl_error *err);
void kl_session_close(struct kl_session *session);

/* Says, beside what a command prints, which shards of a run are missing, if any are. */
void kl_print_missing(const struct kl_run *run);

#endif
