/* The runs being served. */
#include "server/handlers/handlers.h"
#include "api/answers.h"

void kl_serve_runs(struct kl_service *service, const struct kl_request *request,
                   struct kl_reply *reply)
{
    struct kl_run *runs[KL_SERVED_MAX];
    size_t n;

    if (kl_request_allows(request, reply, NULL))
        return;
    n = kl_served_take_all(service->served, runs);
    kl_reply_json(reply, kl_json_runs(runs, n));
    for (size_t i = 0; i < n; i++)
        kl_served_give(service->served, runs[i]);
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

void kl_serve_memory(struct kl_service *service, const struct kl_request *request,
                     struct kl_reply *reply)
{
    uint64_t copied, most;

    if (kl_request_allows(request, reply, NULL))
        return;
    kl_served_memory(service->served, &copied, &most);
    kl_reply_json(reply, kl_json_memory(copied, most, kl_served_peers(service->served)));
}

void kl_serve_ranks(const struct kl_request *request, struct kl_reply *reply)
{
    if (!kl_request_allows(request, reply, NULL))
        kl_reply_json(reply, kl_json_ranks());
}
