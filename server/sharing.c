#include "server/sharing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"

/* A request on its way: this, and then its texts, one after the other, each with its NUL. */
struct head {
    uint64_t n_bytes; /* of the texts; 0: nobody asks any more */
    uint64_t body_bytes;
    uint32_t n_parameters, is_post, accepts_gzip;
    uint32_t has_tag, has_host;
};

void kl_sharing_init(struct kl_sharing *sharing, struct kl_peers *peers, kl_sharing_forget forget,
                     void *self)
{
    sharing->peers = peers;
    sharing->forget = forget;
    sharing->self = self;
    pthread_mutex_init(&sharing->lock, NULL);
}

void kl_sharing_clear(struct kl_sharing *sharing)
{
    pthread_mutex_destroy(&sharing->lock);
}

/* The texts of a request, in their order: returns how many. */
static size_t list_texts(const struct kl_request *request,
                         const char *texts[2 * KL_PARAMETERS_MAX + 4])
{
    size_t n = 0;

    texts[n++] = request->path;
    texts[n++] = request->client;
    texts[n++] = request->if_none_match ? request->if_none_match : "";
    texts[n++] = request->host ? request->host : "";
    for (size_t i = 0; i < request->n_parameters; i++) {
        texts[n++] = request->parameters[i].name;
        texts[n++] = request->parameters[i].value;
    }
    return n;
}

/* *bytes (head->n_bytes) is the caller's to free. */
static enum kl_status pack(const struct kl_request *request, struct head *head, char **bytes,
                           struct kl_error *err)
{
    const char *texts[2 * KL_PARAMETERS_MAX + 4];
    size_t n = list_texts(request, texts), at = 0;
    enum kl_status status;

    *head = (struct head){.body_bytes = request->body_bytes,
                          .n_parameters = (uint32_t)request->n_parameters,
                          .is_post = request->is_post != 0,
                          .accepts_gzip = request->accepts_gzip != 0,
                          .has_tag = request->if_none_match != NULL,
                          .has_host = request->host != NULL};
    head->n_bytes = request->body_bytes + 1;
    for (size_t i = 0; i < n; i++)
        head->n_bytes += strlen(texts[i]) + 1;
    status = kl_alloc(bytes, (size_t)head->n_bytes, 1, "a request", err);
    for (size_t i = 0; !status && i < n; i++) {
        memcpy(*bytes + at, texts[i], strlen(texts[i]) + 1);
        at += strlen(texts[i]) + 1;
    }
    if (!status && request->body_bytes)
        memcpy(*bytes + at, request->body, request->body_bytes);
    return status;
}

static const char *next_text(const char **at)
{
    const char *text = *at;

    *at += strlen(text) + 1;
    return text;
}

/* The request points into bytes. */
static void unpack(const struct head *head, const char *bytes, struct kl_request *request)
{
    const char *at = bytes;

    *request = (struct kl_request){.path = next_text(&at),
                                   .is_post = (int)head->is_post,
                                   .body_bytes = (size_t)head->body_bytes,
                                   .n_parameters = head->n_parameters,
                                   .accepts_gzip = (int)head->accepts_gzip};
    snprintf(request->client, sizeof request->client, "%s", next_text(&at));
    request->if_none_match = next_text(&at);
    request->host = next_text(&at);
    if (!head->has_tag)
        request->if_none_match = NULL;
    if (!head->has_host)
        request->host = NULL;
    for (size_t i = 0; i < request->n_parameters; i++) {
        request->parameters[i].name = next_text(&at);
        request->parameters[i].value = next_text(&at);
    }
    request->body = at;
}

int kl_sharing_begin(struct kl_sharing *sharing, const struct kl_request *request,
                     struct kl_reply *reply)
{
    struct kl_error err = {0};
    struct head head;
    char *bytes = NULL;
    enum kl_status status = pack(request, &head, &bytes, &err);

    if (!status) {
        pthread_mutex_lock(&sharing->lock);
        kl_peers_begin(sharing->peers);
        status = kl_peers_broadcast(sharing->peers, &head, sizeof head, &err);
        if (!status)
            status = kl_peers_broadcast(sharing->peers, bytes, (size_t)head.n_bytes, &err);
        if (status) {
            (void)kl_peers_end(sharing->peers, status, &err);
            pthread_mutex_unlock(&sharing->lock);
        }
    }
    free(bytes);
    if (status)
        kl_reply_error(reply, NULL, &err);
    return status ? -1 : 0;
}

/* All know of an answer, after it, whether anything went wrong; then it is none. */
static void conclude(struct kl_sharing *sharing, struct kl_reply *reply)
{
    struct kl_error err = {.status = reply->failed};
    enum kl_status status;

    memcpy(err.message, reply->why, sizeof reply->why);
    status = kl_peers_end(sharing->peers, reply->failed, &err);
    if (status && status != KL_ERR_USAGE && status != KL_ERR_NOT_FOUND)
        sharing->forget(sharing->self);
    if (status && !reply->failed) { /* what another one read is part of it */
        free(reply->owned);
        memset(reply, 0, sizeof *reply);
        kl_reply_error(reply, NULL, &err);
    }
}

void kl_sharing_end(struct kl_sharing *sharing, struct kl_reply *reply)
{
    conclude(sharing, reply);
    pthread_mutex_unlock(&sharing->lock);
}

void kl_sharing_stop(struct kl_sharing *sharing)
{
    struct head head = {0};
    struct kl_error err = {0};

    if (kl_peers_n(sharing->peers) == 1)
        return;
    pthread_mutex_lock(&sharing->lock);
    kl_peers_begin(sharing->peers);
    (void)kl_peers_broadcast(sharing->peers, &head, sizeof head, &err);
    pthread_mutex_unlock(&sharing->lock);
}

/* Waits for a request: *bytes is the caller's to free; head->n_bytes is 0 after the last one. */
static enum kl_status hear(struct kl_sharing *sharing, struct head *head, char **bytes,
                           struct kl_error *err)
{
    enum kl_status status = kl_peers_broadcast(sharing->peers, head, sizeof *head, err);

    if (!status)
        status = kl_alloc(bytes, (size_t)head->n_bytes, 1, "a request", err);
    return status ? status : kl_peers_broadcast(sharing->peers, *bytes, (size_t)head->n_bytes, err);
}

enum kl_status kl_sharing_follow(struct kl_sharing *sharing, kl_sharing_route route, void *self,
                                 struct kl_error *err)
{
    enum kl_status status;

    for (;;) {
        struct head head = {0};
        struct kl_request request;
        struct kl_reply reply = {0};
        char *bytes = NULL;

        kl_peers_begin(sharing->peers);
        status = hear(sharing, &head, &bytes, err);
        if (status) { /* all refuse it, and go on */
            (void)kl_peers_end(sharing->peers, status, err);
        } else if (head.n_bytes > 0) {
            unpack(&head, bytes, &request);
            route(self, &request, &reply);
            conclude(sharing, &reply);
        }
        free(reply.owned);
        free(bytes);
        if (kl_peers_are_lost(sharing->peers) || (!status && head.n_bytes == 0))
            return status;
    }
}
