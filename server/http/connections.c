#include "server/http/connections.h"

#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "server/http/guard.h"

#define WAIT_MS 30e3  /* for a request, then for its head as a whole, then for its body */
#define SEND_MS 120e3 /* for an answer to be taken */
#define SLOW_MS 5e3   /* who takes longer for an answer gives way, too */
#define LOOK_S 1      /* between looks for who is late */

struct kl_connection {
    struct kl_connection *next;
    int fd;
    unsigned char address[16]; /* IPv4 in its first four bytes */
    enum { WAITS, IS_ANSWERED, SENDS } state;
    double since_ms; /* in this state */
    int is_closed;
};

struct kl_connections {
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    pthread_t watcher;
    struct kl_connection *all;
    unsigned n, room;
    int is_stopping;
};

/* The library sees the end of the stream and ends the connection. */
static void hang_up(struct kl_connection *connection)
{
    connection->is_closed = 1;
    shutdown(connection->fd, SHUT_RDWR);
}

static int is_late(const struct kl_connection *connection, double now)
{
    double most = connection->state == SENDS ? SEND_MS : WAIT_MS;

    return !connection->is_closed && connection->state != IS_ANSWERED &&
           now - connection->since_ms > most;
}

static int may_go(const struct kl_connection *connection, double now)
{
    return !connection->is_closed &&
           (connection->state == WAITS ||
            (connection->state == SENDS && now - connection->since_ms > SLOW_MS));
}

static void *watch(void *argument)
{
    struct kl_connections *connections = argument;
    struct timespec until;

    pthread_mutex_lock(&connections->lock);
    while (!connections->is_stopping) {
        double now = kl_now_ms();

        for (struct kl_connection *one = connections->all; one; one = one->next)
            if (is_late(one, now))
                hang_up(one);
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LOOK_S;
        pthread_cond_timedwait(&connections->stopped, &connections->lock, &until);
    }
    pthread_mutex_unlock(&connections->lock);
    return NULL;
}

enum kl_status kl_connections_create(unsigned room, struct kl_connections **out,
                                     struct kl_error *err)
{
    struct kl_connections *connections = NULL;
    pthread_condattr_t attributes;
    enum kl_status status = kl_alloc(&connections, 1, sizeof *connections, "the server", err);

    if (status)
        return status;
    connections->room = room;
    pthread_mutex_init(&connections->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&connections->stopped, &attributes);
    pthread_condattr_destroy(&attributes);
    if (pthread_create(&connections->watcher, NULL, watch, connections)) {
        pthread_cond_destroy(&connections->stopped);
        pthread_mutex_destroy(&connections->lock);
        free(connections);
        return kl_fail(err, KL_ERR_MEMORY, "cannot start another thread: close other programs");
    }
    *out = connections;
    return KL_OK;
}

void kl_connections_free(struct kl_connections *connections)
{
    if (!connections)
        return;
    pthread_mutex_lock(&connections->lock);
    connections->is_stopping = 1;
    pthread_cond_signal(&connections->stopped);
    pthread_mutex_unlock(&connections->lock);
    pthread_join(connections->watcher, NULL);
    while (connections->all) {
        struct kl_connection *one = connections->all;

        connections->all = one->next;
        free(one);
    }
    pthread_cond_destroy(&connections->stopped);
    pthread_mutex_destroy(&connections->lock);
    free(connections);
}

static void copy_address(const struct sockaddr *from, unsigned char address[16])
{
    if (from && from->sa_family == AF_INET)
        memcpy(address, &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
    else if (from && from->sa_family == AF_INET6)
        memcpy(address, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
}

static unsigned count_of(const struct kl_connections *connections, const unsigned char address[16],
                         double now)
{
    unsigned n = 0;

    for (const struct kl_connection *one = connections->all; one; one = one->next)
        n += may_go(one, now) && !memcmp(one->address, address, 16);
    return n;
}

/* Whether bytes have come that nobody has read yet: a request that its thread will see. */
static int has_asked(const struct kl_connection *connection)
{
    int n_bytes = 0;

    return !ioctl(connection->fd, FIONREAD, &n_bytes) && n_bytes > 0;
}

/* Of the address that has the most, who has waited longest and sent nothing that is still to be
 * read: with the lock held. */
static void make_room(struct kl_connections *connections)
{
    struct kl_connection *victim = NULL;
    double now = kl_now_ms();
    unsigned most = 0;

    for (struct kl_connection *one = connections->all; one; one = one->next) {
        unsigned n = may_go(one, now) ? count_of(connections, one->address, now) : 0;

        if ((n > most || (n && n == most && one->since_ms < victim->since_ms)) && !has_asked(one)) {
            victim = one;
            most = n;
        }
    }
    if (victim)
        hang_up(victim);
}

struct kl_connection *kl_connection_begin(struct kl_connections *connections, int fd,
                                          const struct sockaddr *address)
{
    struct kl_connection *connection = calloc(1, sizeof *connection);

    if (!connection)
        return NULL;
    connection->fd = fd;
    connection->since_ms = kl_now_ms();
    copy_address(address, connection->address);
    pthread_mutex_lock(&connections->lock);
    if (connections->n >= connections->room)
        make_room(connections);
    connection->next = connections->all;
    connections->all = connection;
    connections->n++;
    pthread_mutex_unlock(&connections->lock);
    return connection;
}

void kl_connection_end(struct kl_connections *connections, struct kl_connection *connection)
{
    struct kl_connection **link = &connections->all;

    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    connections->n--;
    pthread_mutex_unlock(&connections->lock);
    free(connection);
}

/* Returns whether it is still open. */
static int set(struct kl_connections *connections, struct kl_connection *connection, int state)
{
    int is_open;

    if (!connection)
        return 1;
    pthread_mutex_lock(&connections->lock);
    connection->state = state;
    connection->since_ms = kl_now_ms();
    is_open = !connection->is_closed;
    pthread_mutex_unlock(&connections->lock);
    return is_open;
}

int kl_connection_is_answered(struct kl_connections *connections, struct kl_connection *connection)
{
    return set(connections, connection, IS_ANSWERED);
}

void kl_connection_sends(struct kl_connections *connections, struct kl_connection *connection)
{
    (void)set(connections, connection, SENDS);
}

void kl_connection_waits(struct kl_connections *connections, struct kl_connection *connection)
{
    (void)set(connections, connection, WAITS);
}

void kl_client_name(const struct sockaddr *address, char *client, size_t n_bytes)
{
    socklen_t length = address && address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                                 : sizeof(struct sockaddr_in);
    char host[64] = "", port[8] = "";

    if (address)
        (void)getnameinfo(address, length, host, sizeof host, port, sizeof port,
                          NI_NUMERICHOST | NI_NUMERICSERV);
    snprintf(client, n_bytes, kl_guard_is_loopback(host) ? "%s %s" : "%s", host, port);
}
