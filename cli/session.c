#include "cli/session.h"

#include "cli/remedy.h"

enum kl_status kl_session_open(const char *path, struct kl_session *session, struct kl_error *err)
{
    enum kl_status status = kl_pool_create(0, &session->pool, err);

    if (!status && kl_run_open(path, kl_pool_n_workers(session->pool), &session->run, err))
        status = kl_remedy(err, path);
    return status;
}

enum kl_status kl_session_read_trainable(struct kl_session *session, struct kl_error *err)
{
    struct kl_run *run = session->run;

    /* A framework's own order of samples, and its sizes of batches, nobody here can make again. */
    if (!run->training.shape.model->step || kl_history_is_text(&run->history) ||
        kl_run_other_setting(run, "framework"))
        return kl_fail(err, KL_ERR_USAGE,
                       "%s cannot be trained again here: that takes a run of images that keylight "
                       "trained",
                       run->path);
    return kl_run_read_images(run, err);
}

void kl_session_close(struct kl_session *session)
{
    kl_run_close(session->run);
    kl_pool_free(session->pool);
}
