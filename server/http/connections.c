#include "server/http/connections.h"

#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/memory.h"

#define REQUEST_MS 30e3 /* for a head as a whole, however slowly it comes, and for a body */
#define LOOK_S 1        /* between looks for who is late */

struct kl_connection {
    struct kl_connection *next;
    int fd;
    unsigned char address[16]; /* IPv4 in its first four bytes */
    double since_ms;           /* when it began to bring what it has not brought yet */
    int is_answered, is_closed;
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

static int may_go(const struct kl_connection *connection)
{
    return !connection->is_answered && !connection->is_closed;
}

static void *watch(void *argument)
{
    struct kl_connections *connections = argument;
    struct timespec until;

    pthread_mutex_lock(&connections->lock);
    while (!connections->is_stopping) {
        double late = kl_now_ms() - REQUEST_MS;

        for (struct kl_connection *one = connections->all; one; one = one->next)
            if (may_go(one) && one->since_ms < late)
                hang_up(one);
        clock_gettime(CLOCK_REALTIME, &until);
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
    enum kl_status status = kl_alloc(&connections, 1, sizeof *connections, "the server", err);

    if (status)
        return status;
    connections->room = room;
    pthread_mutex_init(&connections->lock, NULL);
    pthread_cond_init(&connections->stopped, NULL);
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

static unsigned count_of(const struct kl_connections *connections, const unsigned char address[16])
{
    unsigned n = 0;

    for (const struct kl_connection *one = connections->all; one; one = one->next)
        n += may_go(one) && !memcmp(one->address, address, 16);
    return n;
}

/* Of the address that has the most, who has waited longest: with the lock held. */
static void make_room(struct kl_connections *connections)
{
    struct kl_connection *victim = NULL;
    unsigned most = 0;

    for (struct kl_connection *one = connections->all; one; one = one->next) {
        unsigned n = may_go(one) ? count_of(connections, one->address) : 0;

        if (n > most || (n && n == most && one->since_ms < victim->since_ms)) {
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

static void set(struct kl_connections *connections, struct kl_connection *connection,
                int is_answered)
{
    if (!connection)
        return;
    pthread_mutex_lock(&connections->lock);
    connection->is_answered = is_answered;
    connection->since_ms = kl_now_ms();
    pthread_mutex_unlock(&connections->lock);
}

void kl_connection_is_answered(struct kl_connections *connections, struct kl_connection *connection)
{
    set(connections, connection, 1);
}

void kl_connection_waits(struct kl_connections *connections, struct kl_connection *connection)
{
    set(connections, connection, 0);
}
