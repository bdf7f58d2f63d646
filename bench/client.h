/* A client that keeps its connection: the least that an HTTP/1.1 server can be asked with. One
 * thread each. */
#ifndef KL_BENCH_CLIENT_H
#define KL_BENCH_CLIENT_H

#include <stdint.h>

struct client {
    int socket;
    char *buffer;
};

/* Connects to 127.0.0.1; ends the program if that fails. The caller ends it with client_close. */
struct client client_open(uint16_t port);
void client_close(struct client *client);

/* Asks for a path and reads the whole answer, which must have status 200; otherwise ends the
 * program. */
void client_get(struct client *client, const char *path);

#endif
