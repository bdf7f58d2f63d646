#define _GNU_SOURCE /* memrchr */
#include "server/http/http.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "core/base/hash.h"
#include "core/scan/kernels.h"
#include "api/answers.h"

static void set_body(struct kl_reply *reply, int status, const char *type, char *text)
{
    static const char no_memory[] = "{\"type\":\"about:blank\",\"title\":\"Busy\",\"status\":503,"
                                    "\"detail\":\"not enough memory "
                                    "for an answer: ask again, or close other programs\"}";

    reply->owned = text;
    reply->borrowed = text ? NULL : no_memory;
    reply->n_bytes = text ? strlen(text) : sizeof no_memory - 1;
    reply->status = text ? status : 503;
    reply->type = text ? type : "application/problem+json";
    reply->cache = KL_CACHE_NONE;
}

static void write_etag(struct kl_reply *reply, uint64_t hash)
{
    snprintf(reply->etag, sizeof reply->etag, "\"%016" PRIx64 "\"", hash);
}

void kl_reply_json(struct kl_reply *reply, char *text)
{
    kl_reply_text(reply, "application/json", text);
}

void kl_reply_text(struct kl_reply *reply, const char *type, char *text)
{
    set_body(reply, 200, type, text);
    if (!text) {
        reply->etag[0] = '\0';
        return;
    }
    reply->cache = KL_CACHE_REVALIDATE;
    if (!reply->etag[0])
        write_etag(reply, kl_hash(KL_HASH_START, text, reply->n_bytes));
}

void kl_reply_tag(struct kl_reply *reply, ...)
{
    /* Another version or kernel may write other digits. */
    uint64_t hash = kl_hash(KL_HASH_START, PACKAGE_VERSION, sizeof PACKAGE_VERSION);
    const char *part = kl_kernels()->name;
    va_list parts;

    va_start(parts, reply);
    for (; part; part = va_arg(parts, const char *))
        hash = kl_hash(hash, part, strlen(part) + 1);
    va_end(parts);
    write_etag(reply, hash);
}

void kl_reply_problem(struct kl_reply *reply, int status, const char *parameter, const char *format,
                      ...)
{
    static const struct {
        int status;
        const char *title;
    } titles[] = {
        {400, "Bad request"}, {401, "Token needed"},       {403, "Forbidden"},
        {404, "Not found"},   {405, "Method not allowed"}, {413, "Body too large"},
        {415, "Not JSON"},    {421, "Unknown host"},       {500, "Server error"},
        {503, "Busy"},
    };
    const char *title = "Error";
    char detail[600];
    va_list args;

    va_start(args, format);
    vsnprintf(detail, sizeof detail, format, args);
    va_end(args);
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        title = titles[i].status == status ? titles[i].title : title;
    reply->etag[0] = '\0';
    set_body(reply, status, "application/problem+json",
             kl_json_problem(status, title, detail, parameter));
}

void kl_drop_folders(const char *message, int are_all_paths, char *to, size_t n_bytes)
{
    size_t n = 0;

    while (*message && n + 1 < n_bytes) {
        size_t before = strspn(message, " ('\""), length = strcspn(message + before, " ,;:)'\"");
        const char *word = message + before, *last = memrchr(word, '/', length);

        if (last && (are_all_paths || *word == '/') && last + 1 < word + length) {
            length -= (size_t)(last + 1 - word);
            word = last + 1;
        }
        n += (size_t)snprintf(to + n, n_bytes - n, "%.*s%.*s", (int)before, message, (int)length,
                              word);
        n = n < n_bytes ? n : n_bytes - 1;
        message = word + length;
        if (*message && n + 1 < n_bytes && !strchr(" ('\"", *message))
            to[n++] = *message++;
    }
    to[n] = '\0';
}

void kl_reply_error(struct kl_reply *reply, const char *parameter, const struct kl_error *err)
{
    int status = 500;
    char detail[600];

    switch (err->status) {
    case KL_ERR_USAGE:
        status = 400;
        break;
    case KL_ERR_NOT_FOUND:
        status = 404;
        break;
    case KL_ERR_UNFINISHED:
        status = 409;
        break;
    case KL_ERR_MEMORY:
    case KL_ERR_BUSY:
        status = 503;
        break;
    default:
        break;
    }
    if (!parameter && err->parameter[0])
        parameter = err->parameter;
    kl_drop_folders(err->message, status == 500, detail, sizeof detail);
    reply->failed = err->status;
    memcpy(reply->why, detail, sizeof detail);
    kl_reply_problem(reply, status, parameter, "%s", detail);
}
