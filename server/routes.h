/* From a request to its reply: all that keylight serves, without a connection. */
#ifndef KL_SERVER_ROUTES_H
#define KL_SERVER_ROUTES_H

#include "server/handlers.h"

/* Thread-safe. */
void kl_route(struct kl_service *service, const struct kl_request *request, struct kl_reply *reply);

#endif
