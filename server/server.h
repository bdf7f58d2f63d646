/* The HTTP server: libmicrohttpd around kl_route. */
#ifndef KL_SERVER_SERVER_H
#define KL_SERVER_SERVER_H

#include "core/base/pool.h"
#include "server/options.h"
#include "server/served/served.h"

struct kl_server;

/* Listens and serves the runs (the caller's, made for the pool) from threads of its own. SIGPIPE
 * must be ignored. The caller ends *server with kl_server_stop. Errors: KL_ERR_USAGE (address,
 * token), KL_ERR_BUSY (port in use), KL_ERR_IO. */
enum kl_status kl_server_start(const struct kl_server_options *options, struct kl_served *served,
                               struct kl_pool *pool, struct kl_server **server,
                               struct kl_error *err);

/* The port it listens on. */
uint16_t kl_server_port(const struct kl_server *server);

/* Accepts nothing new, waits (some seconds at most) until every request under way is answered, and
 * ends. Not from a handler. */
void kl_server_stop(struct kl_server *server);

/* Of a process of a job that is not asked itself: helps process 0 answer, until that stops. Errors:
 * KL_ERR_MEMORY, KL_ERR_PEERS. */
enum kl_status kl_server_help(struct kl_served *served, struct kl_pool *pool, struct kl_error *err);

/* Of process 0, in the end, whether it could serve or not: lets the others stop. */
void kl_server_dismiss(struct kl_served *served);

#endif
