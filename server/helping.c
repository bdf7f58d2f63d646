/* A process of a job that nobody but process 0 asks. */
#include "server/routes.h"
#include "server/server.h"

static void route(void *service, const struct kl_request *request, struct kl_reply *reply)
{
    kl_route(service, request, reply);
}

enum kl_status kl_server_help(struct kl_served *served, struct kl_pool *pool, struct kl_error *err)
{
    struct kl_service service = {.follows = 1};
    enum kl_status status;

    kl_service_init(&service, served, pool);
    status = kl_sharing_follow(&service.sharing, route, &service, err);
    kl_service_clear(&service);
    return status;
}

static void keep(void *self)
{
    (void)self;
}

void kl_server_dismiss(struct kl_served *served)
{
    struct kl_sharing sharing;

    kl_sharing_init(&sharing, kl_served_peers(served), keep, NULL);
    kl_sharing_stop(&sharing);
    kl_sharing_clear(&sharing);
}
