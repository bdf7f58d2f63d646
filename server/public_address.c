#include <stdio.h>
#include <string.h>

#include "server/options.h"

static enum kl_status refuse(const char *url, struct kl_error *err)
{
    return kl_fail(err, KL_ERR_USAGE,
                   "--public-url is the address that people use, as in "
                   "https://lab.example.org/keylight, not '%.100s'",
                   url);
}

enum kl_status kl_public_address_parse(const char *url, struct kl_public_address *address,
                                       struct kl_error *err)
{
    static const char names[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.";
    static const char paths[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~/%@+";
    size_t scheme = !strncmp(url, "https://", 8) ? 8 : !strncmp(url, "http://", 7) ? 7 : 0;
    const char *host = url + scheme, *path;
    size_t n_host = *host == '[' ? strcspn(host, "]") + 1 : strspn(host, names), n_port = 0;

    if (!scheme || n_host == 0 || n_host >= sizeof address->host || n_host > strlen(host))
        return refuse(url, err);
    if (host[n_host] == ':')
        n_port = 1 + strspn(host + n_host + 1, "0123456789");
    path = host + n_host + n_port;
    if (n_port == 1 || n_port > 6 || (*path && *path != '/') ||
        strspn(path, paths) != strlen(path) || strlen(path) >= sizeof address->path)
        return refuse(url, err);
    snprintf(address->host, sizeof address->host, "%.*s", (int)n_host, host);
    snprintf(address->origin, sizeof address->origin, "%.*s", (int)(path - url), url);
    snprintf(address->path, sizeof address->path, "%s", path);
    while (*address->path && address->path[strlen(address->path) - 1] == '/')
        address->path[strlen(address->path) - 1] = '\0';
    return KL_OK;
}
