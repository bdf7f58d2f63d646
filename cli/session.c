#include "cli/session.h"

#include "cli/remedy.h"
#include "core/base/blas.h"

enum kl_status kl_session_open(const char *path, struct kl_session *session, struct kl_error *err)
{
    /* workers, the library's own threads, and this one */
    enum kl_status status = kl_blas_reserve(2 * kl_pool_processors() + 1, err);

    if (!status)
        status = kl_pool_create(0, &session->pool, err);
    if (!status && kl_run_open(path, kl_pool_n_workers(session->pool), &session->run, err))
        status = kl_remedy(err, path);
    return status;
}

void kl_session_close(struct kl_session *session)
{
    kl_run_close(session->run);
    kl_pool_free(session->pool);
}
