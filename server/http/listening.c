#include "server/http/listening.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static enum kl_status fail(const char *host, const char *port, struct kl_error *err)
{
    if (errno == EADDRINUSE)
        return kl_fail(
            err, KL_ERR_BUSY,
            "port %s is in use: stop the other server, or take another with --port N (0: "
            "any free one)",
            port);
    return kl_fail(err, KL_ERR_IO, "cannot listen on %.60s port %s: %s", host, port,
                   strerror(errno));
}

enum kl_status kl_listen(const char *address, uint16_t port, struct kl_listening *listening,
                         struct kl_error *err)
{
    const char *bind_to = address ? address : "127.0.0.1";
    char host[80], digits[8];
    struct addrinfo hints = {.ai_family = AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct sockaddr_storage bound = {0};
    socklen_t bound_bytes = sizeof bound;
    struct addrinfo *found = NULL;
    int yes = 1, failed, fd;

    snprintf(host, sizeof host, "%s", bind_to + (*bind_to == '['));
    host[strcspn(host, "]")] = '\0'; /* an IPv6 address may stand in brackets */
    if (strcmp(host, "localhost") != 0)
        hints.ai_flags |= AI_NUMERICHOST;
    snprintf(digits, sizeof digits, "%u", port);
    if (getaddrinfo(host, digits, &hints, &found))
        return kl_fail(err, KL_ERR_USAGE, "--bind %.60s is no address of this machine", host);
    snprintf(listening->host, sizeof listening->host,
             found->ai_family == AF_INET6 ? "[%.70s]" : "%.70s", host);
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes); /* a convenience */
    failed = fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, 128) ||
             getsockname(fd, (struct sockaddr *)&bound, &bound_bytes);
    freeaddrinfo(found);
    if (failed) {
        fail(host, digits, err);
        if (fd >= 0)
            close(fd);
        return err->status;
    }
    listening->fd = fd;
    listening->port =
        ntohs(bound.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)(void *)&bound)->sin6_port
                                          : ((struct sockaddr_in *)(void *)&bound)->sin_port);
    return KL_OK;
}
