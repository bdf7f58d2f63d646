/* What a server is told. */
#ifndef KL_SERVER_OPTIONS_H
#define KL_SERVER_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#define KL_ALLOWED_HOSTS_MAX 16

struct kl_server_options {
    const char *bind; /* address to listen on; NULL: 127.0.0.1 */
    uint16_t port;    /* 0: any free one */
    const char
        *token; /* asked of every request, or NULL; needed on other than loopback addresses */
    const char *allowed_hosts[KL_ALLOWED_HOSTS_MAX]; /* besides loopback names */
    size_t n_allowed_hosts;
};

#endif
