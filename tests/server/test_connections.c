/* Who has to give way where connections are many. */
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/http/connections.h"
#include "tests/lib/suite.h"

#define ROOM 3

/* Both ends of a connection, as the server and as the client has it. */
struct pair {
    int server, client;
    struct kl_connection *connection;
};

static struct pair begin(struct kl_connections *connections, const char *address)
{
    struct sockaddr_in from = {.sin_family = AF_INET};
    struct pair pair;
    int ends[2];

    ck_assert_int_eq(inet_pton(AF_INET, address, &from.sin_addr), 1);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pair.server = ends[0];
    pair.client = ends[1];
    pair.connection = kl_connection_begin(connections, ends[0], (const struct sockaddr *)&from);
    ck_assert_ptr_nonnull(pair.connection);
    usleep(2000); /* so that none came at the same time */
    return pair;
}

/* Whether the server ended it. */
static int is_closed(const struct pair *pair)
{
    char byte;

    return recv(pair->client, &byte, 1, MSG_DONTWAIT) == 0;
}

static void end(struct kl_connections *connections, struct pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        kl_connection_end(connections, pairs[i].connection);
        close(pairs[i].server);
        close(pairs[i].client);
    }
    kl_connections_free(connections);
}

START_TEST(who_has_waited_longest_gives_way)
{
    struct kl_connections *connections = NULL;
    struct pair pairs[ROOM + 1];
    struct kl_error err;

    ck_ok(kl_connections_create(ROOM, &connections, &err), err);
    for (size_t i = 0; i < ROOM; i++)
        pairs[i] = begin(connections, "192.0.2.1");
    ck_assert(kl_connection_is_answered(connections, pairs[0].connection));
    pairs[ROOM] = begin(connections, "192.0.2.2");
    ck_assert(!is_closed(&pairs[0])); /* it is being answered */
    ck_assert(is_closed(&pairs[1]));
    ck_assert(!is_closed(&pairs[2]) && !is_closed(&pairs[3]));
    ck_assert(!kl_connection_is_answered(connections, pairs[1].connection));
    end(connections, pairs, ROOM + 1);
}
END_TEST

START_TEST(a_request_that_has_come_is_not_thrown_out)
{
    struct kl_connections *connections = NULL;
    struct pair pairs[ROOM + 2];
    struct kl_error err;

    ck_ok(kl_connections_create(ROOM, &connections, &err), err);
    for (size_t i = 0; i < ROOM; i++)
        pairs[i] = begin(connections, "192.0.2.1");
    ck_assert_int_eq(send(pairs[0].client, "GET", 3, 0), 3); /* nobody has read it yet */
    pairs[ROOM] = begin(connections, "192.0.2.1");
    ck_assert(!is_closed(&pairs[0]));
    ck_assert(is_closed(&pairs[1]));
    ck_assert(kl_connection_is_answered(connections, pairs[0].connection));
    pairs[ROOM + 1] = begin(connections, "192.0.2.1");
    ck_assert(is_closed(&pairs[2]) && !is_closed(&pairs[3]) && !is_closed(&pairs[4]));
    end(connections, pairs, ROOM + 2);
}
END_TEST

START_TEST(the_address_with_the_most_gives_way)
{
    struct kl_connections *connections = NULL;
    struct pair pairs[ROOM + 1];
    struct kl_error err;

    ck_ok(kl_connections_create(ROOM, &connections, &err), err);
    pairs[0] = begin(connections, "192.0.2.1");
    pairs[1] = begin(connections, "192.0.2.2");
    pairs[2] = begin(connections, "192.0.2.2");
    pairs[3] = begin(connections, "192.0.2.1");
    ck_assert(!is_closed(&pairs[0]));
    ck_assert(is_closed(&pairs[1]));
    end(connections, pairs, ROOM + 1);
}
END_TEST

MAIN("connections", who_has_waited_longest_gives_way, a_request_that_has_come_is_not_thrown_out,
     the_address_with_the_most_gives_way)
