/* The page, whose addresses are relative to its own: whatever stands before it in the browser, such
 * as a proxy's path, stays. Two marks in it are filled in: @BASE@, the way up from there to the
 * server's root, and @PREVIEW@, what others show of a link to it (Open Graph). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/asked/sample_name.h"
#include "api/words.h"
#include "server/assets.h"
#include "server/handlers/handlers.h"

static void put_base(FILE *stream, const char *path)
{
    fputs("./", stream);
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/'))
        fputs("../", stream);
}

static void put_escaped(FILE *stream, const char *text)
{
    for (; *text; text++) {
        if (strchr("&<>\"'", *text))
            fprintf(stream, "&#%d;", *text);
        else
            putc(*text, stream);
    }
}

/* A name in an address. */
static void put_encoded(FILE *stream, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/";

    for (; *text; text++) {
        if (strchr(plain, *text))
            putc(*text, stream);
        else
            fprintf(stream, "%%%02X", (unsigned char)*text);
    }
}

/* The run of a path "/r/RUN/...", to be given back, and the rest of it; or NULL. */
static struct kl_run *take_run(const struct kl_service *service, const char *path,
                               const char **rest)
{
    const char *id = path + strlen("/r/");
    size_t length;

    if (strncmp(path, "/r/", 3) != 0)
        return NULL;
    length = strcspn(id, "/");
    *rest = id + length;
    return length ? kl_served_take(service->served, id, length) : NULL;
}

/* Previews need whole addresses: that of the server, or as this client reached it. */
static void put_preview_of(FILE *stream, const struct kl_service *service, const struct kl_run *run,
                           uint32_t sample, const struct kl_request *request)
{
    char name[KL_NAME_MAX + 40];

    kl_word_sample(run, sample, name, sizeof name);
    fputs("<meta property=\"og:title\" content=\"Which training ", stream);
    fputs(kl_history_is_text(&run->history) ? "passages" : "images", stream);
    fputs(" is this network looking at?\">\n  <meta property=\"og:description\" content=\"",
          stream);
    put_escaped(stream, name);
    fputs(" in the run ", stream);
    put_escaped(stream, run->training.name);
    fputs("\">\n", stream);
    if (kl_history_is_text(&run->history) || (!*service->public_url && !request->host))
        return;
    fputs("  <meta name=\"twitter:card\" content=\"summary_large_image\">\n"
          "  <meta property=\"og:image\" content=\"",
          stream);
    if (!*service->public_url)
        fputs("http://", stream);
    put_escaped(stream, *service->public_url ? service->public_url : request->host);
    fprintf(stream, "/api/v1/runs/%s/figures/card.png?sample=", run->fingerprint);
    put_encoded(stream, name);
    fputs("\">\n", stream);
}

static void put_preview(FILE *stream, const struct kl_service *service,
                        const struct kl_request *request)
{
    const char *rest = "";
    struct kl_run *run = take_run(service, request->path, &rest);
    struct kl_error ignored;
    uint32_t sample = 0;

    if (!run)
        return;
    rest += !strncmp(rest, "/q/", 3) ? 3 : !strncmp(rest, "/how/", 5) ? 5 : strlen(rest);
    if (*rest && !kl_sample_named(&run->data, rest, "sample", &sample, &ignored))
        put_preview_of(stream, service, run, sample, request);
    kl_served_give(service->served, run);
}

void kl_serve_page(const struct kl_service *service, const struct kl_request *request,
                   struct kl_reply *reply)
{
    static const char base[] = "@BASE@", preview[] = "@PREVIEW@";
    const struct kl_asset *asset = kl_asset_find("index.html");
    const char *at = (const char *)asset->bytes, *end = at + asset->n_bytes;
    char *text = NULL;
    size_t n_bytes = 0;
    FILE *stream = open_memstream(&text, &n_bytes);
    int failed;

    while (stream && at < end) {
        const char *next = memchr(at, '@', (size_t)(end - at));
        size_t left = next ? (size_t)(end - next) : 0;

        fwrite(at, 1, (size_t)((next ? next : end) - at), stream);
        at = next ? next : end;
        if (left >= sizeof base - 1 && !memcmp(at, base, sizeof base - 1)) {
            put_base(stream, request->path);
            at += sizeof base - 1;
        } else if (left >= sizeof preview - 1 && !memcmp(at, preview, sizeof preview - 1)) {
            put_preview(stream, service, request);
            at += sizeof preview - 1;
        } else if (next) {
            putc(*at++, stream);
        }
    }
    failed = !stream || ferror(stream);
    if (stream)
        failed |= fclose(stream);
    if (failed) {
        free(text);
        text = NULL;
    }
    kl_reply_text(reply, asset->type, text);
}
