#include "cli/session.h"

#include <stdio.h>
#include <string.h>

#include "cli/job/job.h"
#include "cli/remedy.h"
#include "core/base/blas.h"

enum kl_status kl_session_open(const char *path, struct kl_session *session, struct kl_error *err)
{
    enum kl_status status = kl_blas_reserve(kl_pool_processors() + 1, err); /* workers, and this */

    if (!status)
        status = kl_pool_create(0, &session->pool, err);
    if (!status && kl_run_open_among(path, NULL, 0, kl_job_peers(),
                                     kl_pool_n_workers(session->pool), &session->run, err))
        status = kl_remedy(err, path);
    if (!status) {
        kl_job_holds(session->run);
        kl_print_missing(session->run);
    }
    return status;
}

void kl_print_missing(const struct kl_run *run)
{
    char missing[200];

    if (!run->history.n_missing)
        return;
    kl_run_missing_shards(run, missing, sizeof missing);
    fprintf(
        stderr,
        "keylight: of the shards 0 to %u of %s, %s %s missing: all that follows is from %.3g %% of "
        "its history%s%s\n",
        run->n_shards - 1, run->training.name, missing, strpbrk(missing, ", ") ? "are" : "is",
        100 * kl_history_share(&run->history), run->unreadable[0] ? "; " : "", run->unreadable);
}

void kl_session_close(struct kl_session *session)
{
    kl_run_close(session->run);
    kl_pool_free(session->pool);
}
