/* Who may ask: pure checks of request headers, without a connection. */
#ifndef KL_SERVER_HTTP_GUARD_H
#define KL_SERVER_HTTP_GUARD_H

#include <stddef.h>

/* Whether a Host header names this machine itself (localhost, 127.x.x.x, [::1], any port) or one of
 * the allowed names (without port). A page of another site that makes its name resolve to
 * 127.0.0.1 (DNS rebinding) is thus refused. host may be NULL: refused. */
int kl_guard_host(const char *host, const char *const *allowed, size_t n_allowed);

/* Whether an address to listen on is a loopback one. */
int kl_guard_is_loopback(const char *address);

/* Whether a POST comes from our own page or from no page: by Sec-Fetch-Site where the browser sends
 * it, by Origin otherwise, against Host (with http or https, which a proxy may speak for us) and
 * the public origin. Anything may be NULL (absent). */
int kl_guard_same_origin(const char *sec_fetch_site, const char *origin, const char *host,
                         const char *public_origin);

/* Whether a Content-Type is application/json, with or without parameters. */
int kl_guard_is_json(const char *content_type);

/* Whether If-None-Match (a list of tags, weak or strong, or "*") names etag, which has its quotes.
 */
int kl_guard_etag_matches(const char *if_none_match, const char *etag);

/* Whether two texts are equal, in a time that does not tell where they differ. */
int kl_guard_secret_equals(const char *given, const char *secret);

/* The value of a cookie in a Cookie header into value (n_bytes with NUL); 0, or -1 if it is not
 * there or too long. */
int kl_guard_cookie(const char *header, const char *name, char *value, size_t n_bytes);

#endif
