#include "bench/client.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)8 << 20)

static void stop(const char *why)
{
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
}

struct client client_open(uint16_t port)
{
    struct client client = {socket(AF_INET, SOCK_STREAM, 0), malloc(BUFFER_BYTES)};
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int yes = 1;

    if (client.socket < 0 || !client.buffer ||
        connect(client.socket, (struct sockaddr *)&address, sizeof address))
        stop("cannot connect to the server");
    setsockopt(client.socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return client;
}

void client_close(struct client *client)
{
    close(client->socket);
    free(client->buffer);
}

/* The length of the whole answer, or 0 if its head is not there yet. */
static size_t answer_bytes(const char *buffer)
{
    const char *end = strstr(buffer, "\r\n\r\n"), *length = strstr(buffer, "\nContent-Length:");

    if (!end)
        return 0;
    if (strncmp(buffer, "HTTP/1.1 200", 12) || !length || length > end)
        stop("the server did not answer with status 200 and a length");
    return (size_t)(end - buffer) + 4 + strtoul(length + 16, NULL, 10);
}

void client_get(struct client *client, const char *path)
{
    char request[512];
    int n = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    size_t have = 0, whole = 0;

    if (send(client->socket, request, (size_t)n, MSG_NOSIGNAL) != n)
        stop("cannot send a request");
    while (!whole || have < whole) {
        ssize_t got = recv(client->socket, client->buffer + have, BUFFER_BYTES - 1 - have, 0);

        if (got <= 0)
            stop("the server ended the connection");
        have += (size_t)got;
        client->buffer[have] = '\0';
        if (!whole)
            whole = answer_bytes(client->buffer);
        if (whole >= BUFFER_BYTES)
            stop("the answer is too long");
    }
}
