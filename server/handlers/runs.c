/* The runs being served. */
#include "server/handlers/handlers.h"
#include "api/answers.h"

void kl_serve_runs(struct kl_service *service, const struct kl_request *request,
                   struct kl_reply *reply)
{
    if (!kl_request_allows(request, reply, NULL))
        kl_reply_json(reply, kl_json_runs(service->runs, service->n_runs));
}

void kl_serve_run(struct kl_run *run, const struct kl_request *request, struct kl_reply *reply)
{
    if (!kl_request_allows(request, reply, NULL))
        kl_reply_json(reply, kl_json_run(run));
}

void kl_serve_progress(struct kl_run *run, const struct kl_request *request, struct kl_reply *reply)
{
    if (!kl_request_allows(request, reply, NULL))
        kl_reply_json(reply, kl_json_progress(run));
}

void kl_serve_ranks(const struct kl_request *request, struct kl_reply *reply)
{
    if (!kl_request_allows(request, reply, NULL))
        kl_reply_json(reply, kl_json_ranks());
}
