/* The socket that a server listens on. */
#ifndef KL_SERVER_HTTP_LISTENING_H
#define KL_SERVER_HTTP_LISTENING_H

#include <stdint.h>

#include "core/base/error.h"

struct kl_listening {
    int fd;        /* the caller's to close */
    uint16_t port; /* which it is, if any was asked for */
    char host[80]; /* the address, as a Host header would name it */
};

/* Listens on a numeric address of this machine, or localhost; NULL: 127.0.0.1. port 0: any free
 * one. Errors: KL_ERR_USAGE (the address), KL_ERR_BUSY (the port is in use), KL_ERR_IO. */
enum kl_status kl_listen(const char *address, uint16_t port, struct kl_listening *listening,
                         struct kl_error *err);

#endif
