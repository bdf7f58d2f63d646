/* What a server is told. */
#ifndef KL_SERVER_OPTIONS_H
#define KL_SERVER_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"

/* Queries that are computed at once: each holds two float32 per pattern. The others wait. */
#define KL_SCANS_MAX 16

#define KL_ALLOWED_HOSTS_MAX 16
#define KL_FRAMES_BYTES 512 /* of the origins that may show the page in a frame */

struct kl_public_address {
    char origin[272], host[256], path[256]; /* "https://host:1", "host", "/path" or "" */
};

struct kl_server_options {
    const char *bind; /* address to listen on; NULL: 127.0.0.1 */
    uint16_t port;    /* 0: any free one */
    const char
        *token; /* asked of every request, or NULL; needed on other than loopback addresses */
    const char *allowed_hosts[KL_ALLOWED_HOSTS_MAX]; /* besides loopback names */
    size_t n_allowed_hosts;
    char frames[KL_FRAMES_BYTES]; /* origins that may show the page in a frame, with a space before
                                     each; empty: none */
    /* The address that people use, behind a proxy: "https://host/path", as kl_public_address takes
     * it apart; all empty: none. */
    struct kl_public_address public_address;
};

/* Takes apart http or https, a host with or without a port, and a path or none. Errors:
 * KL_ERR_USAGE (it is no such address). */
enum kl_status kl_public_address_parse(const char *url, struct kl_public_address *address,
                                       struct kl_error *err);

/* Adds an origin ("http://localhost:8888") to those that may show the page in a frame. Errors:
 * KL_ERR_USAGE (it is none, or there are too many). */
enum kl_status kl_frame_allow(const char *origin, struct kl_server_options *options,
                              struct kl_error *err);

#endif
