/* From a request to its reply: all that keylight serves, without a connection. */
#ifndef KL_SERVER_ROUTES_H
#define KL_SERVER_ROUTES_H

#include "server/handlers/handlers.h"

/* Makes a service of runs and a pool, which outlive it; ended with kl_service_clear. */
void kl_service_init(struct kl_service *service, struct kl_served *served, struct kl_pool *pool);
void kl_service_clear(struct kl_service *service);

/* Lets go of all that is kept about a run, which nobody uses any more. Thread-safe. */
void kl_service_forget(void *service, const struct kl_run *run);

/* Thread-safe. */
void kl_route(struct kl_service *service, const struct kl_request *request, struct kl_reply *reply);

#endif
