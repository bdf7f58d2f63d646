/* Any bytes as what a client sends: the request line, the head and a body, as the server itself
 * reads them from a socket. It answers, or closes the connection, and stays. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/server.h"
#include "tests/fuzz/lib/fuzz.h"

static struct kl_server *server;

static void start(void)
{
    struct kl_server_options options = {0};
    const struct kl_run *image, *text;
    struct kl_error err;

    signal(SIGPIPE, SIG_IGN);
    if (kl_server_start(&options, fuzz_service(&image, &text)->served,
                        fuzz_service(&image, &text)->pool, &server, &err))
        abort();
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    struct timeval patience = {20, 0};
    struct linger at_once = {1, 0};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience) ||
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) ||
        connect(fd, (const struct sockaddr *)&address, sizeof address))
        abort();
    return fd;
}

/* Sends the bytes and nothing more, and reads until the server has nothing more to say. */
static void converse(const unsigned char *bytes, size_t n_bytes)
{
    char answer[65536];
    int fd = connect_to(kl_server_port(server));
    ssize_t n = send(fd, bytes, n_bytes, 0), total = 0;

    if (n == (ssize_t)n_bytes)
        shutdown(fd, SHUT_WR);
    while ((n = recv(fd, answer, sizeof answer, 0)) > 0) {
        if (!total && (n < 5 || memcmp(answer, "HTTP/", 5) != 0))
            abort();
        total += n;
    }
    if (n < 0 && total == 0 && n_bytes == 0)
        abort(); /* nothing was asked, and nothing is waited for */
    close(fd);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    static const char good[] = "GET /api/v1/ranks HTTP/1.1\r\nHost: 127.0.0.1\r\n";
    unsigned char all[8192];
    size_t n = 0;

    if (!server)
        start();
    if (n_bytes && bytes[0] % 2) { /* so that the rest is the head's */
        memcpy(all, good, sizeof good - 1);
        n = sizeof good - 1;
    }
    if (n_bytes > sizeof all - n - 4)
        n_bytes = sizeof all - n - 4;
    if (n_bytes)
        memcpy(all + n, bytes + 1, n_bytes - 1);
    n += n_bytes ? n_bytes - 1 : 0;
    if (n_bytes && bytes[0] / 2 % 2) {
        memcpy(all + n, "\r\n\r\n", 4);
        n += 4;
    }
    converse(all, n);
    return 0;
}
