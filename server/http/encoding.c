#include "server/http/encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <zlib.h>

#define GZIP_WINDOW (15 + 16) /* zlib's way to say gzip instead of its own format */
#define LEVEL 5               /* of 9: a third of the time of 9 for a few percent more bytes */

int kl_encoding_accepts_gzip(const char *header)
{
    int any = -1; /* what "*" says, if it is there */

    while (header && *header) {
        size_t n = strcspn(header, ","), name = strcspn(header, ",; \t");
        const char *quality = memchr(header, ';', n);
        int wanted = 1;

        if (quality) {
            quality += 1 + strspn(quality + 1, " \t");
            wanted = strncasecmp(quality, "q=", 2) != 0 || strtod(quality + 2, NULL) > 0;
        }
        if (name == 4 && !strncasecmp(header, "gzip", 4))
            return wanted;
        if (name == 1 && *header == '*')
            any = wanted;
        header += n;
        header += strspn(header, ", \t");
    }
    return any == 1;
}

static int is_text(const char *type)
{
    return type && (!strncmp(type, "text/", 5) || !strncmp(type, "image/svg", 9) ||
                    !strncmp(type, "application/", 12));
}

static const void *body_of(const struct kl_reply *reply)
{
    return reply->owned ? reply->owned : reply->borrowed;
}

static void set_body(struct kl_reply *reply, void *bytes, size_t n_bytes, int is_gzip)
{
    free(reply->owned);
    reply->owned = bytes;
    reply->borrowed = NULL;
    reply->n_bytes = n_bytes;
    reply->is_gzip = is_gzip;
}

static void compress_body(struct kl_reply *reply)
{
    z_stream stream = {0};
    size_t room;
    void *bytes;

    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, GZIP_WINDOW, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return;
    room = deflateBound(&stream, reply->n_bytes);
    bytes = malloc(room);
    stream.next_in = (Bytef *)(uintptr_t)body_of(reply);
    stream.avail_in = (uInt)reply->n_bytes;
    stream.next_out = bytes;
    stream.avail_out = (uInt)room;
    if (bytes && deflate(&stream, Z_FINISH) == Z_STREAM_END)
        set_body(reply, bytes, stream.total_out, 1);
    else
        free(bytes);
    deflateEnd(&stream);
}

/* The length of what is compressed stands in its last four bytes. */
static size_t expanded_size(const unsigned char *bytes, size_t n_bytes)
{
    const unsigned char *last = bytes + n_bytes - 4;

    return last[0] | (size_t)last[1] << 8 | (size_t)last[2] << 16 | (size_t)last[3] << 24;
}

static void expand_body(struct kl_reply *reply)
{
    size_t room = expanded_size(body_of(reply), reply->n_bytes);
    void *bytes = malloc(room + 1);
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)body_of(reply),
                       .avail_in = (uInt)reply->n_bytes};
    int is_whole = 0;

    if (bytes && inflateInit2(&stream, GZIP_WINDOW) == Z_OK) {
        stream.next_out = bytes;
        stream.avail_out = (uInt)room + 1;
        is_whole = inflate(&stream, Z_FINISH) == Z_STREAM_END;
        inflateEnd(&stream);
    }
    if (is_whole) {
        set_body(reply, bytes, room, 0);
        return;
    }
    free(bytes);
    reply->is_gzip = 0;
    kl_reply_problem(reply, 503, NULL, "not enough memory for this page: try again in a moment");
}

void kl_encode(const struct kl_request *request, struct kl_reply *reply)
{
    size_t length = strlen(reply->etag);

    if (!is_text(reply->type))
        return;
    reply->varies = 1;
    if (reply->is_gzip && !request->accepts_gzip)
        expand_body(reply);
    else if (!reply->is_gzip && request->accepts_gzip && reply->n_bytes > KL_GZIP_MIN_BYTES)
        compress_body(reply);
    if (reply->is_gzip && length)
        snprintf(reply->etag + length - 1, sizeof reply->etag - length + 1, "-gz\"");
}
