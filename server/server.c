#include "server/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "server/admission.h"
#include "server/http/connections.h"
#include "server/http/guard.h"
#include "server/http/http.h"
#include "server/http/encoding.h"
#include "server/http/listening.h"
#include "server/routes.h"

#define CONNECTIONS_MAX 128     /* a browser opens six; each is a thread here */
#define CONNECTIONS_ROOM 112    /* from here on, who comes takes the place of who only waits */
#define CONNECTION_TIMEOUT_S 30 /* the default is none: idle clients would stay for ever */
/* Bounds request line and headers together, 64 KB: the longest link of the page, of 2000 letters in
 * percents, and other programs' cookies. The library needs about as much again to read it. */
#define CONNECTION_MEMORY ((size_t)192 << 10)
#define BODY_MAX ((size_t)1 << 20) /* pixels of the largest layer, written as JSON */
#define STOP_PATIENCE_S 20         /* the longest request: a scan from a cold disk */

struct kl_server {
    struct MHD_Daemon *daemon;
    struct kl_server_options options;
    struct kl_admission admission;
    struct kl_service service;
    struct kl_connections *connections;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned n_active; /* requests that are being answered */
};

/* What a request line begins with in whose address there is a NUL: the library would end it there.
 */
static char marked;

/* One request while its body comes in. */
struct exchange {
    char *body;
    size_t n_bytes;
    int too_large;
    int is_ambiguous; /* it could be read in two ways */
    int refused;      /* from the headers on, or no POST: its body is not kept */
    int answered;     /* counted in n_active */
};

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    /* Fails only without memory; a missing header is then the smallest harm. */
    (void)MHD_add_response_header(response, name, value);
}

static void add_security_headers(const struct kl_server_options *options,
                                 struct MHD_Response *response)
{
    char policy[KL_FRAMES_BYTES + 160];

    snprintf(policy, sizeof policy,
             "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors%s; "
             "object-src 'none'",
             *options->frames ? options->frames : " 'none'");
    add_header(response, "Content-Security-Policy", policy);
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "Referrer-Policy", "no-referrer");
    add_header(response, "Cross-Origin-Resource-Policy", "same-origin");
    add_header(response, "Cross-Origin-Opener-Policy", "same-origin");
}

static void add_reply_headers(struct MHD_Response *response, const struct kl_reply *reply)
{
    static const char *const caches[] = {"no-store", "no-cache",
                                         "private, max-age=31536000, immutable"};
    char number[16];

    add_header(response, "Cache-Control", caches[reply->cache]);
    if (reply->type)
        add_header(response, "Content-Type", reply->type);
    if (reply->etag[0])
        add_header(response, "ETag", reply->etag);
    if (reply->is_gzip)
        add_header(response, "Content-Encoding", "gzip");
    if (reply->varies)
        add_header(response, "Vary", "Accept-Encoding");
    if (reply->location)
        add_header(response, "Location", reply->location);
    if (reply->allow)
        add_header(response, "Allow", reply->allow);
    if (reply->authenticate)
        add_header(response, "WWW-Authenticate", reply->authenticate);
    if (reply->retry_after) {
        snprintf(number, sizeof number, "%d", reply->retry_after);
        add_header(response, "Retry-After", number);
    }
    if (reply->history_share > 0) {
        snprintf(number, sizeof number, "%.6g", reply->history_share);
        add_header(response, "Keylight-History-Share", number);
    }
}

/* A 304 is made with the full body, too: libmicrohttpd tells its length and does not send it. (An
 * unknown length would be sent as an empty chunk, which puts the connection out of step.) */
static struct MHD_Response *make_response(struct kl_reply *reply)
{
    if (reply->owned)
        return MHD_create_response_from_buffer(reply->n_bytes, reply->owned, MHD_RESPMEM_MUST_FREE);
    return MHD_create_response_from_buffer(reply->n_bytes, (void *)(uintptr_t)reply->borrowed,
                                           MHD_RESPMEM_PERSISTENT);
}

static enum MHD_Result send_reply(const struct kl_server *server, struct MHD_Connection *connection,
                                  struct kl_reply *reply, const char *cookie)
{
    struct MHD_Response *response = make_response(reply);
    enum MHD_Result result;

    if (!response) {
        free(reply->owned);
        return MHD_NO;
    }
    add_security_headers(&server->options, response);
    add_reply_headers(response, reply);
    if (cookie)
        add_header(response, "Set-Cookie", cookie);
    result = MHD_queue_response(connection, (unsigned)reply->status, response);
    MHD_destroy_response(response);
    return result;
}

struct collector {
    struct kl_request *request;
    int overflow;
};

/* How often headers are there of which there must be one. */
struct headers {
    int hosts, lengths;
};

static enum MHD_Result count_header(void *self, enum MHD_ValueKind kind, const char *name,
                                    const char *value)
{
    struct headers *headers = self;

    (void)kind;
    (void)value;
    headers->hosts += !strcasecmp(name, MHD_HTTP_HEADER_HOST);
    headers->lengths += !strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return MHD_YES;
}

static int is_ambiguous(struct MHD_Connection *connection)
{
    struct headers headers = {0, 0};

    MHD_get_connection_values(connection, MHD_HEADER_KIND, count_header, &headers);
    return headers.hosts > 1 || headers.lengths > 1;
}

static struct kl_connection *connection_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/* Called when a connection begins and when it ends, before its socket is closed. */
static void notice_connection(void *self, struct MHD_Connection *connection, void **place,
                              enum MHD_ConnectionNotificationCode code)
{
    struct kl_server *server = self;
    const union MHD_ConnectionInfo *fd, *address;

    if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
        kl_connection_end(server->connections, *place);
        *place = NULL;
        return;
    }
    fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    address = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    *place = fd ? kl_connection_begin(server->connections, fd->connect_fd,
                                      address ? address->client_addr : NULL)
                : NULL;
}

static void *look_at_address(void *self, const char *address, struct MHD_Connection *connection)
{
    const struct kl_server *server = self;

    kl_connection_waits(server->connections,
                        connection_of(connection)); /* for the rest of the head */
    return strstr(address, "%00") ? &marked : NULL;
}

static enum MHD_Result collect_parameter(void *self, enum MHD_ValueKind kind, const char *name,
                                         const char *value)
{
    struct collector *collector = self;
    struct kl_request *request = collector->request;

    (void)kind;
    if (request->n_parameters == KL_PARAMETERS_MAX) {
        collector->overflow = 1;
        return MHD_NO;
    }
    request->parameters[request->n_parameters++] = (struct kl_parameter){name, value ? value : ""};
    return MHD_YES;
}

/* The path below that of the public address, where a proxy leaves it on. */
static const char *own_path(const struct kl_server *server, const char *path)
{
    const char *prefix = server->options.public_address.path;
    size_t length = strlen(prefix);

    return length && !strncmp(path, prefix, length) && path[length] == '/' ? path + length : path;
}

/* The request as far as its headers tell it; returns whether all its parameters had room. */
static int read_request(const struct kl_server *server, struct MHD_Connection *connection,
                        const char *path, int is_post, struct kl_request *request)
{
    struct collector collector = {request, 0};
    const union MHD_ConnectionInfo *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    *request = (struct kl_request){
        .path = own_path(server, path),
        .is_post = is_post,
        .body = "",
        .if_none_match = header(connection, MHD_HTTP_HEADER_IF_NONE_MATCH),
        .host = header(connection, MHD_HTTP_HEADER_HOST),
        .accepts_gzip =
            kl_encoding_accepts_gzip(header(connection, MHD_HTTP_HEADER_ACCEPT_ENCODING)),
    };
    kl_client_name(address ? address->client_addr : NULL, request->client, sizeof request->client);
    MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, collect_parameter, &collector);
    return !collector.overflow;
}

static enum MHD_Result answer(struct kl_server *server, struct MHD_Connection *connection,
                              const char *path, int is_post, struct exchange *exchange)
{
    struct kl_request request = {0};
    struct kl_reply reply = {0};
    struct kl_welcome welcome = {"", ""};
    enum MHD_Result result;
    int complete;

    if (!kl_connection_is_answered(server->connections, connection_of(connection)))
        return MHD_NO; /* it has given way: what it asks for is not done */
    complete = read_request(server, connection, path, is_post, &request);
    pthread_mutex_lock(&server->lock);
    server->n_active++;
    pthread_mutex_unlock(&server->lock);
    exchange->answered = 1;
    if (exchange->body) {
        request.body = exchange->body;
        request.body_bytes = exchange->n_bytes;
    }
    if (exchange->is_ambiguous) {
        kl_reply_problem(&reply, 400, NULL,
                         "this request could be read in two ways: send one Host, one "
                         "Content-Length, and no NUL in the address");
    } else if (!kl_admit(&server->admission, connection, &request, &reply, &welcome)) {
        /* answered */
    } else if (exchange->too_large) {
        kl_reply_problem(&reply, 413, NULL, "a body has at most %zu bytes", BODY_MAX);
    } else if (!complete) {
        kl_reply_problem(&reply, 400, NULL, "no address takes more than %d parameters",
                         KL_PARAMETERS_MAX);
    } else {
        kl_route(&server->service, &request, &reply);
        kl_encode(&request, &reply);
        if (reply.status == 200 && reply.etag[0] &&
            kl_guard_etag_matches(request.if_none_match, reply.etag))
            reply.status = 304;
    }
    result = send_reply(server, connection, &reply, welcome.cookie[0] ? welcome.cookie : NULL);
    kl_connection_sends(server->connections, connection_of(connection));
    return result;
}

/* Whether the headers alone refuse a request, so that its body need not be kept. */
static int is_refused(const struct kl_server *server, struct MHD_Connection *connection,
                      const char *path, int is_post)
{
    struct kl_request request = {0};
    struct kl_reply reply = {0};
    struct kl_welcome welcome;
    int admitted;

    (void)read_request(server, connection, path, is_post, &request);
    admitted = kl_admit(&server->admission, connection, &request, &reply, &welcome);
    free(reply.owned);
    return !admitted;
}

static void take_body(struct exchange *exchange, const char *data, size_t n_bytes)
{
    char *grown;

    if (exchange->n_bytes + n_bytes > BODY_MAX)
        exchange->too_large = 1;
    if (exchange->too_large || exchange->refused)
        return; /* read and dropped, so that the client gets to see the answer */
    grown = realloc(exchange->body, exchange->n_bytes + n_bytes + 1);
    if (!grown) {
        exchange->too_large = 1;
        return;
    }
    memcpy(grown + exchange->n_bytes, data, n_bytes);
    exchange->body = grown;
    exchange->n_bytes += n_bytes;
    grown[exchange->n_bytes] = '\0';
}

static enum MHD_Result refuse_method(const struct kl_server *server,
                                     struct MHD_Connection *connection)
{
    struct kl_reply reply = {0};

    kl_reply_problem(&reply, 405, NULL, "this server knows GET, HEAD and POST");
    reply.allow = "GET, HEAD, POST";
    return send_reply(server, connection, &reply, NULL);
}

/* Called for the headers, then for every piece of the body, then once more at its end. */
static enum MHD_Result handle(void *self, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *data,
                              size_t *n_bytes, void **state)
{
    struct kl_server *server = self;
    struct exchange *exchange = *state;
    int is_post = !strcmp(method, MHD_HTTP_METHOD_POST);

    (void)version;
    if (!*state || *state == &marked) {
        int has_nul = *state == &marked;

        *state = NULL;
        exchange = calloc(1, sizeof *exchange);
        if (!exchange)
            return MHD_NO;
        *state = exchange;
        kl_connection_waits(server->connections, connection_of(connection)); /* for the body */
        exchange->is_ambiguous = has_nul || is_ambiguous(connection);
        exchange->refused =
            !is_post || exchange->is_ambiguous || is_refused(server, connection, path, is_post);
        return MHD_YES;
    }
    if (*n_bytes) {
        take_body(exchange, data, *n_bytes);
        *n_bytes = 0;
        return MHD_YES;
    }
    if (!is_post && strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
        strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return refuse_method(server, connection);
    return answer(server, connection, path, is_post, exchange);
}

static void complete(void *self, struct MHD_Connection *connection, void **state,
                     enum MHD_RequestTerminationCode code)
{
    struct kl_server *server = self;
    struct exchange *exchange = *state;

    (void)code;
    kl_connection_waits(server->connections, connection_of(connection)); /* for another request */
    if (!exchange || *state == &marked)
        return;
    if (exchange->answered) {
        pthread_mutex_lock(&server->lock);
        if (--server->n_active == 0)
            pthread_cond_signal(&server->idle);
        pthread_mutex_unlock(&server->lock);
    }
    free(exchange->body);
    free(exchange);
    *state = NULL;
}

enum kl_status kl_server_start(const struct kl_server_options *options, struct kl_served *served,
                               struct kl_pool *pool, struct kl_server **out, struct kl_error *err)
{
    struct kl_server *server = NULL;
    struct kl_listening listening = {.fd = -1};
    enum kl_status status;

    if (options->bind && !kl_guard_is_loopback(options->bind) && !options->token)
        return kl_fail(err, KL_ERR_USAGE,
                       "--bind %.60s lets other machines in: protect the server with --token "
                       "SECRET, too",
                       options->bind);
    status = kl_alloc(&server, 1, sizeof *server, "the server", err);
    if (status)
        return status;
    server->options = *options;
    server->admission.options = &server->options;
    kl_service_init(&server->service, served, pool);
    snprintf(server->service.public_url, sizeof server->service.public_url, "%s%s",
             server->options.public_address.origin, server->options.public_address.path);
    pthread_mutex_init(&server->lock, NULL);
    pthread_cond_init(&server->idle, NULL);
    status = kl_connections_create(CONNECTIONS_ROOM, &server->connections, err);
    if (!status)
        status = kl_listen(options->bind, options->port, &listening, err);
    snprintf(server->admission.bind_host, sizeof server->admission.bind_host, "%s", listening.host);
    server->admission.port = listening.port;
    if (!status)
        status = kl_served_watch(served, kl_service_forget, &server->service, err);
    if (!status) {
        server->daemon = MHD_start_daemon(
            MHD_USE_AUTO | MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION |
                MHD_USE_ITC,
            0, NULL, NULL, handle, server, MHD_OPTION_LISTEN_SOCKET, listening.fd,
            MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
            (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY,
            MHD_OPTION_NOTIFY_COMPLETED, complete, server, MHD_OPTION_NOTIFY_CONNECTION,
            notice_connection, server, MHD_OPTION_URI_LOG_CALLBACK, look_at_address, server,
            MHD_OPTION_END);
        if (!server->daemon) {
            status = kl_fail(err, KL_ERR_IO, "cannot start the HTTP server: %s", strerror(errno));
        }
    }
    if (status) {
        if (listening.fd >= 0)
            close(listening.fd);
        kl_server_stop(server);
        return status;
    }
    *out = server;
    return KL_OK;
}

uint16_t kl_server_port(const struct kl_server *server)
{
    return server->admission.port;
}

static void wait_until_idle(struct kl_server *server)
{
    struct timespec until;
    int late = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_PATIENCE_S;
    pthread_mutex_lock(&server->lock);
    while (server->n_active && !late)
        late = pthread_cond_timedwait(&server->idle, &server->lock, &until) == ETIMEDOUT;
    pthread_mutex_unlock(&server->lock);
}

void kl_server_stop(struct kl_server *server)
{
    if (!server)
        return;
    if (server->daemon) {
        MHD_socket fd = MHD_quiesce_daemon(server->daemon);

        wait_until_idle(server);
        MHD_stop_daemon(server->daemon);
        if (fd != MHD_INVALID_SOCKET)
            close(fd);
    }
    kl_connections_free(server->connections);
    kl_served_unwatch(server->service.served);
    kl_service_clear(&server->service);
    pthread_cond_destroy(&server->idle);
    pthread_mutex_destroy(&server->lock);
    free(server);
}
