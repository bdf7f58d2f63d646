/* Text that travels compressed. */
#ifndef KL_SERVER_HTTP_ENCODING_H
#define KL_SERVER_HTTP_ENCODING_H

#include "server/http/http.h"

/* Shorter texts fit into a packet or two as they are. */
#define KL_GZIP_MIN_BYTES 1024

/* Whether an Accept-Encoding header (NULL: there is none) wants gzip. */
int kl_encoding_accepts_gzip(const char *accept_encoding);

/* Gives a reply the form that the client takes: compresses a long text, or expands a compressed
 * one; the tag then tells which it is. Without memory for it a text stays as it is, and what cannot
 * be expanded becomes a problem. */
void kl_encode(const struct kl_request *request, struct kl_reply *reply);

#endif
