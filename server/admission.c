#include "server/admission.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/http/guard.h"

static const char *header(struct MHD_Connection *connection, const char *name)
{
    return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* Cookies do not tell ports apart, so their names do. */
static void name_cookie(const struct kl_admission *admission, char *name, size_t n_bytes)
{
    snprintf(name, n_bytes, "keylight_%u", admission->port);
}

/* Whether the request carries the token: as a bearer token or in our cookie. */
static int has_token(const struct kl_admission *admission, struct MHD_Connection *connection)
{
    const char *authorization = header(connection, MHD_HTTP_HEADER_AUTHORIZATION);
    char name[24], cookie[256];

    if (authorization && !strncasecmp(authorization, "Bearer ", 7) &&
        kl_guard_secret_equals(authorization + 7, admission->options->token))
        return 1;
    name_cookie(admission, name, sizeof name);
    return !kl_guard_cookie(header(connection, MHD_HTTP_HEADER_COOKIE), name, cookie,
                            sizeof cookie) &&
           kl_guard_secret_equals(cookie, admission->options->token);
}

/* Appends text, percent-encoded but for what stands for itself in an address; returns the new
 * length, or n_bytes when there is no room. */
static size_t append_encoded(char *out, size_t used, size_t n_bytes, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "-._~/:,";

    for (; *text && used + 4 < n_bytes; text++) {
        if (strchr(plain, *text))
            out[used++] = *text;
        else
            used += (size_t)snprintf(out + used, 4, "%%%02X", (unsigned char)*text);
    }
    out[used] = '\0';
    return *text ? n_bytes : used;
}

/* The request's own address without the token, relative to itself, so that it is right below a
 * proxy's path, too; "./" for what is none of our pages. */
static void write_location(const struct kl_request *request, char *out, size_t n_bytes)
{
    const char *slash = strrchr(request->path, '/');
    size_t used = append_encoded(out, 0, n_bytes, "./");
    char separator = '?';

    if (strncmp(request->path, "/r/", 3) != 0)
        return;
    used = append_encoded(out, used, n_bytes, slash + 1);
    for (size_t i = 0; i < request->n_parameters && used + 8 < n_bytes; i++) {
        if (!strcmp(request->parameters[i].name, "token"))
            continue;
        out[used++] = separator;
        separator = '&';
        used = append_encoded(out, used, n_bytes, request->parameters[i].name);
        if (used + 8 < n_bytes) {
            out[used++] = '=';
            used = append_encoded(out, used, n_bytes, request->parameters[i].value);
        }
    }
    if (used + 8 >= n_bytes)
        snprintf(out, n_bytes, "./");
}

static int admit_token(const struct kl_admission *admission, struct MHD_Connection *connection,
                       const struct kl_request *request, struct kl_reply *reply,
                       struct kl_welcome *welcome)
{
    const char *secret = admission->options->token, *given = kl_request_get(request, "token");
    char name[24];

    if (!secret)
        return 1;
    if (given && !request->is_post && kl_guard_secret_equals(given, secret)) {
        name_cookie(admission, name, sizeof name);
        snprintf(welcome->cookie, sizeof welcome->cookie,
                 "%s=%s; HttpOnly; SameSite=Strict; Path=%s/%s", name, secret,
                 admission->options->public_address.path,
                 strncmp(admission->options->public_address.origin, "https:", 6) ? "" : "; Secure");
        write_location(request, welcome->location, sizeof welcome->location);
        reply->status = 303;
        reply->location = welcome->location;
        return 0;
    }
    if (has_token(admission, connection))
        return 1;
    kl_reply_problem(reply, 401, "token",
                     "this server asks for its token: open the address it printed");
    reply->authenticate = "Bearer realm=\"keylight\"";
    return 0;
}

/* Whether another site's page asks the API: it could not read the answer, but have the server work,
 * and learn from the time that takes. Pages are opened from links of other sites; figures are not.
 */
static int is_foreign_api(struct MHD_Connection *connection, const struct kl_request *request)
{
    const char *site = header(connection, "Sec-Fetch-Site");

    return site && !strcmp(site, "cross-site") && !strncmp(request->path, "/api/", 5);
}

int kl_admit(const struct kl_admission *admission, struct MHD_Connection *connection,
             const struct kl_request *request, struct kl_reply *reply, struct kl_welcome *welcome)
{
    const struct kl_server_options *options = admission->options;
    const char *host = header(connection, MHD_HTTP_HEADER_HOST);

    if (!kl_guard_host(host, options->allowed_hosts, options->n_allowed_hosts) &&
        !kl_guard_host(
            host, (const char *const[]){admission->bind_host, options->public_address.host}, 2)) {
        kl_reply_problem(reply, 421, NULL,
                         "this server does not answer to that host name: use localhost, or start "
                         "it with --allow-host NAME, or behind a proxy with --public-url URL");
        return 0;
    }
    if (!admit_token(admission, connection, request, reply, welcome))
        return 0;
    if (!request->is_post && !is_foreign_api(connection, request))
        return 1;
    if (!request->is_post ||
        !kl_guard_same_origin(
            header(connection, "Sec-Fetch-Site"), header(connection, "Origin"), host,
            *options->public_address.origin ? options->public_address.origin : NULL)) {
        kl_reply_problem(reply, 403, NULL,
                         "another site's page may not ask here; if this is the server's own, "
                         "behind a proxy, start it with --public-url and the address that people "
                         "use");
        return 0;
    }
    if (!kl_guard_is_json(header(connection, MHD_HTTP_HEADER_CONTENT_TYPE))) {
        kl_reply_problem(reply, 415, NULL, "send the body as Content-Type: application/json");
        return 0;
    }
    return 1;
}
