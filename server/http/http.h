/* Requests and replies, between the connection (server.c) and the handlers (handlers.h). */
#ifndef KL_SERVER_HTTP_HTTP_H
#define KL_SERVER_HTTP_HTTP_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

#define KL_PARAMETERS_MAX 16 /* no route knows more; more is a mistake or an attack */

struct kl_parameter {
    const char *name, *value; /* decoded; value is "" where there is none */
};

struct kl_request {
    const char *path; /* decoded, without the query */
    int is_post;
    const char *body; /* of a POST, NUL-terminated */
    size_t body_bytes;
    struct kl_parameter parameters[KL_PARAMETERS_MAX];
    size_t n_parameters;
    char client[80];           /* who asks: an address, or, of this machine, a connection */
    const char *if_none_match; /* or NULL */
    const char *host;          /* as the client named this server, admitted; or NULL */
    int accepts_gzip;
};

/* The value of a parameter, or NULL. */
const char *kl_request_get(const struct kl_request *request, const char *name);

struct kl_reply;

/* Refuses parameters other than the named ones (a list ended by NULL) and repeated ones: returns 0,
 * or -1 with the problem in *reply. */
int kl_request_allows(const struct kl_request *request, struct kl_reply *reply, ...)
    __attribute__((sentinel));

/* Reads a number of a parameter into *value, which keeps its default if it is absent: returns 0, or
 * -1 with the problem in *reply. */
int kl_request_number(const struct kl_request *request, struct kl_reply *reply, const char *name,
                      uint32_t low, uint32_t high, uint32_t *value);

/* Where a page begins: the parameter next is what the page before gave as next, "s" and a
 * hexadecimal number; 0 if it is absent. Returns 0, or -1 with the problem in *reply. */
int kl_request_page(const struct kl_request *request, struct kl_reply *reply, uint32_t *from);

enum kl_cache {
    KL_CACHE_NONE,       /* no-store: errors */
    KL_CACHE_REVALIDATE, /* no-cache: ask again with the ETag */
    KL_CACHE_IMMUTABLE,  /* the URL names the content */
};

/* What a handler answers; zeroed before. */
struct kl_reply {
    int status;
    const char *type;     /* media type, a static string */
    void *owned;          /* the body, freed after sending; or NULL and */
    const void *borrowed; /* a static body */
    size_t n_bytes;
    int is_gzip, varies; /* the body is compressed; it depends on what the client takes */
    enum kl_cache cache;
    char etag[24];            /* with its quotes, or empty */
    const char *location;     /* for redirects; lives until the reply is sent */
    const char *allow;        /* methods, for 405 */
    const char *authenticate; /* how, for 401 */
    int retry_after;          /* seconds, for 503 */
    enum kl_status failed;    /* what a call that failed told, for other processes; KL_OK */
    char why[600];            /* likewise, as it is told here */
    double history_share;     /* of the run's history that it is from, or 0: it is whole */
};

/* Answers with a JSON text, which the reply then owns (NULL: out of memory), tagged by content. */
void kl_reply_json(struct kl_reply *reply, char *text);

/* The same of another media type. */
void kl_reply_text(struct kl_reply *reply, const char *type, char *text);

/* Sets a strong ETag over the parts, a list ended by NULL, which together determine the answer (but
 * for the times it tells). Whether the client has it already is asked before sending. */
void kl_reply_tag(struct kl_reply *reply, ...) __attribute__((sentinel));

/* Answers with a problem document; parameter may be NULL. */
void kl_reply_problem(struct kl_reply *reply, int status, const char *parameter, const char *format,
                      ...) __attribute__((format(printf, 4, 5)));

/* Answers with the problem that a failed call told: the one place where a status becomes an HTTP
 * status. */
void kl_reply_error(struct kl_reply *reply, const char *parameter, const struct kl_error *err);

/* A message without folders, of n_bytes at most, as where files lie is nobody's business but the
 * server's: of a path its last part stays. In what went wrong with a file every word with a "/" is
 * one (a folder's name may have spaces); elsewhere it may be a sample's name. */
void kl_drop_folders(const char *message, int are_all_paths, char *to, size_t n_bytes);

#endif
