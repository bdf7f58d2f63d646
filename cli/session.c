#include "cli/session.h"

enum kl_status kl_session_open(const char *path, struct kl_session *session, struct kl_error *err)
{
    enum kl_status status = kl_pool_create(0, &session->pool, err);

    return status ? status
                  : kl_run_open(path, kl_pool_n_workers(session->pool), &session->run, err);
}

void kl_session_close(struct kl_session *session)
{
    kl_run_close(session->run);
    kl_pool_free(session->pool);
}
