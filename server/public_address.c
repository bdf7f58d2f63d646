#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/options.h"

static enum kl_status refuse(const char *url, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_USAGE,
                   "--public-url is the address that people use, as in "
                   "https://lab.example.org/keylight, not '%.100s'",
                   url);
}

/* "[", hexadecimal digits and colons, "]": how many bytes, 0 if it is none. */
static size_t ipv6_length(const char *host)
{
    size_t n = 1 + strspn(host + 1, "0123456789abcdefABCDEF:.");

    return n > 2 && host[n] == ']' ? n + 1 : 0;
}

/* Whether a path has an empty, "." or ".." segment, or bytes that hide one. */
static int is_crooked(const char *path)
{
    static const char hidden[][4] = {"%2e", "%2E", "%2f", "%2F", "%5c", "%5C", "%00"};

    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (strstr(path, hidden[i]))
            return 1;
    for (; *path; path += 1 + strcspn(path + 1, "/")) {
        size_t n = strcspn(path + 1, "/");

        if ((n == 0 && path[1]) || (n == 1 && path[1] == '.') ||
            (n == 2 && path[1] == '.' && path[2] == '.'))
            return 1;
    }
    return 0;
}

enum kl_status kl_public_address_parse(const char *url, struct kl_public_address *address,
                                       struct kl_error *err)
{
    static const char names[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    static const char paths[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/%@+";
    size_t scheme = !strncmp(url, "https://", 8) ? 8 : !strncmp(url, "http://", 7) ? 7 : 0;
    const char *host = url + scheme, *path;
    size_t n_host = *host == '[' ? ipv6_length(host) : strspn(host, names), n_port = 0;
    unsigned long port = 0;

    if (!scheme || n_host == 0 || n_host >= sizeof address->host)
        return refuse(url, err);
    if (host[n_host] == ':') {
        n_port = 1 + strspn(host + n_host + 1, "0123456789");
        port = strtoul(host + n_host + 1, NULL, 10);
    }
    path = host + n_host + n_port;
    if (n_port == 1 || n_port > 6 || (n_port && (port < 1 || port > 65535)) ||
        (*path && *path != '/') || strspn(path, paths) != strlen(path) ||
        strlen(path) >= sizeof address->path || is_crooked(path))
        return refuse(url, err);
    for (size_t i = 0; i < n_host; i++) /* as browsers write an origin */
        address->host[i] = (char)tolower((unsigned char)host[i]);
    address->host[n_host] = '\0';
    snprintf(address->origin, sizeof address->origin, "%.*s%s", (int)scheme, url, address->host);
    if (port && port != (scheme == 8 ? 443 : 80))
        snprintf(address->origin + strlen(address->origin),
                 sizeof address->origin - strlen(address->origin), ":%lu", port);
    snprintf(address->path, sizeof address->path, "%s", path);
    if (*address->path && address->path[strlen(address->path) - 1] == '/')
        address->path[strlen(address->path) - 1] = '\0';
    return KL_OK;
}

enum kl_status kl_frame_allow(const char *origin, struct kl_server_options *options,
                              struct kl_error *err)
{
    struct kl_public_address address;
    size_t used = strlen(options->frames);

    if (kl_public_address_parse(origin, &address, err) || *address.path)
        return kl_fail(err, KL_ERR_USAGE,
                       "--allow-frame is a scheme, a host and a port, as in http://localhost:8888, "
                       "not '%.100s'",
                       origin);
    if (used + 1 + strlen(address.origin) >= sizeof options->frames)
        return kl_fail(err, KL_ERR_USAGE, "there are too many of --allow-frame");
    snprintf(options->frames + used, sizeof options->frames - used, " %s", address.origin);
    return KL_OK;
}
