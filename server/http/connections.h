/* The connections of a server: who brings no request in time is closed, and, where room is short,
 * who has waited longest among those of the address that has the most, without having sent
 * anything that is still to be read. So nobody who only holds connections keeps others out. */
#ifndef KL_SERVER_HTTP_CONNECTIONS_H
#define KL_SERVER_HTTP_CONNECTIONS_H

#include <sys/socket.h>

#include "core/base/error.h"

struct kl_connections;
struct kl_connection;

/* From room connections on, each that comes takes the place of one whose request has not come yet.
 * A thread looks after them. The caller ends *connections with kl_connections_free when all have
 * ended. Errors: KL_ERR_MEMORY. */
enum kl_status kl_connections_create(unsigned room, struct kl_connections **connections,
                                     struct kl_error *err);
void kl_connections_free(struct kl_connections *connections);

/* A connection has begun: its socket, which stays open until kl_connection_end, and where it comes
 * from. NULL without memory: it is then not looked after. Thread-safe, as all that follows. */
struct kl_connection *kl_connection_begin(struct kl_connections *connections, int fd,
                                          const struct sockaddr *address);
void kl_connection_end(struct kl_connections *connections, struct kl_connection *connection);

/* Its request is being answered: this takes what it takes. Returns 0 if it was closed before. */
int kl_connection_is_answered(struct kl_connections *connections, struct kl_connection *connection);

/* The answer goes out: who takes it slowly may have to give way, and has two minutes. */
void kl_connection_sends(struct kl_connections *connections, struct kl_connection *connection);

/* The next is waited for: another request after an answer, the rest of a head after its first line,
 * a body after its head. */
void kl_connection_waits(struct kl_connections *connections, struct kl_connection *connection);

/* Who asks: an address. From this machine (or its proxy) many come from one, and each connection is
 * somebody: "127.0.0.1 54321". */
void kl_client_name(const struct sockaddr *address, char *client, size_t n_bytes);

#endif
