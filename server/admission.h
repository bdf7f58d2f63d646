/* Who is let in: host names, the token, and for POST the origin and the media type. */
#ifndef KL_SERVER_ADMISSION_H
#define KL_SERVER_ADMISSION_H

#include <microhttpd.h>

#include "server/http/http.h"
#include "server/options.h"

/* Whom a server answers to. */
struct kl_admission {
    const struct kl_server_options *options;
    char bind_host[80]; /* the address bound to, as a Host header would name it */
    uint16_t port;
};

/* Texts of a reply that lets a browser in: they must live until it is sent. */
struct kl_welcome {
    char cookie[1024];   /* Set-Cookie, or empty */
    char location[4096]; /* where the browser goes on: room for the largest drawing */
};

/* Returns 1 when the request may be answered. Otherwise *reply says why not, or, to a GET that came
 * with the token in its address, sends the browser on to the same address without it. */
int kl_admit(const struct kl_admission *admission, struct MHD_Connection *connection,
             const struct kl_request *request, struct kl_reply *reply, struct kl_welcome *welcome);

#endif
