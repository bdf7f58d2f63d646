#include "server/http/guard.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* Four decimal bytes, the first of them 127. */
static int is_loopback_v4(const char *name)
{
    unsigned a, b, c, d;
    char end;

    return strspn(name, "0123456789.") == strlen(name) &&
           sscanf(name, "%3u.%3u.%3u.%3u%c", &a, &b, &c, &d, &end) == 4 && a == 127 && b < 256 &&
           c < 256 && d < 256;
}

/* Splits off the port: writes the name, with the brackets of an IPv6 address. */
static int split_host(const char *host, char *name, size_t n_bytes)
{
    const char *end = *host == '[' ? strchr(host, ']') : strchr(host, ':');
    size_t length;

    if (*host == '[') {
        if (!end)
            return -1;
        end++;
    }
    length = end ? (size_t)(end - host) : strlen(host);
    if (length == 0 || length >= n_bytes)
        return -1;
    memcpy(name, host, length);
    name[length] = '\0';
    if (!end || !*end)
        return 0;
    return *end == ':' && strspn(end + 1, "0123456789") == strlen(end + 1) ? 0 : -1;
}

int kl_guard_host(const char *host, const char *const *allowed, size_t n_allowed)
{
    char name[256];

    if (!host || split_host(host, name, sizeof name))
        return 0;
    if (!strcasecmp(name, "localhost") || !strcmp(name, "[::1]") || is_loopback_v4(name))
        return 1;
    for (size_t i = 0; i < n_allowed; i++)
        if (!strcasecmp(name, allowed[i]))
            return 1;
    return 0;
}

int kl_guard_is_loopback(const char *address)
{
    return !strcmp(address, "localhost") || !strcmp(address, "::1") || !strcmp(address, "[::1]") ||
           is_loopback_v4(address);
}

int kl_guard_same_origin(const char *sec_fetch_site, const char *origin, const char *host,
                         const char *public_origin)
{
    if (sec_fetch_site && strcmp(sec_fetch_site, "same-origin") != 0 &&
        strcmp(sec_fetch_site, "none") != 0)
        return 0;
    if (!origin)
        return 1;
    if (public_origin && !strcasecmp(origin, public_origin))
        return 1;
    if (!strncmp(origin, "http://", 7))
        origin += 7;
    else if (!strncmp(origin, "https://", 8)) /* a proxy before us speaks it */
        origin += 8;
    else
        return 0;
    return host && !strcasecmp(origin, host);
}

int kl_guard_is_json(const char *content_type)
{
    size_t length = strlen("application/json");

    if (!content_type || strncasecmp(content_type, "application/json", length) != 0)
        return 0;
    content_type += length;
    return *content_type == '\0' || *content_type == ';' || *content_type == ' ';
}

int kl_guard_etag_matches(const char *if_none_match, const char *etag)
{
    size_t length = strlen(etag);

    if (!if_none_match)
        return 0;
    while (*if_none_match) {
        if_none_match += strspn(if_none_match, " \t,");
        if (*if_none_match == '*')
            return 1;
        if (!strncmp(if_none_match, "W/", 2)) /* If-None-Match compares weakly (RFC 9110) */
            if_none_match += 2;
        if (!strncmp(if_none_match, etag, length))
            return 1;
        if (*if_none_match == '"') { /* a comma may stand inside the quotes */
            const char *close = strchr(if_none_match + 1, '"');

            if_none_match = close ? close + 1 : "";
        }
        if_none_match += strcspn(if_none_match, ",");
    }
    return 0;
}

int kl_guard_secret_equals(const char *given, const char *secret)
{
    size_t n_given = strlen(given), n_secret = strlen(secret);
    unsigned char differs = n_given != n_secret;

    for (size_t i = 0; i < n_secret; i++)
        differs |= (unsigned char)(given[n_given ? i % n_given : 0] ^ secret[i]);
    return !differs;
}

int kl_guard_cookie(const char *header, const char *name, char *value, size_t n_bytes)
{
    size_t n_name = strlen(name);

    while (header && *header) {
        size_t length;

        header += strspn(header, "; ");
        length = strcspn(header, ";");
        if (length > n_name && !strncmp(header, name, n_name) && header[n_name] == '=') {
            if (length - n_name - 1 >= n_bytes)
                return -1;
            memcpy(value, header + n_name + 1, length - n_name - 1);
            value[length - n_name - 1] = '\0';
            return 0;
        }
        header += length;
    }
    return -1;
}
