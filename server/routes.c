#include "server/routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/hash.h"
#include "server/assets.h"
#include "server/options.h"

#define API "/api/v1/"

/* What was kept of answers, of which other processes may have no more than a part. */
static void forget_answers(void *self)
{
    struct kl_service *service = self;

    kl_batch_queries_forget(&service->batch, NULL);
    kl_inquiries_forget(&service->inquiries, NULL);
}

void kl_service_init(struct kl_service *service, struct kl_served *served, struct kl_pool *pool)
{
    service->served = served;
    service->pool = pool;
    kl_sharing_init(&service->sharing, kl_served_peers(served), forget_answers, service);
    kl_batch_queries_init(&service->batch);
    kl_inquiries_init(&service->inquiries);
    kl_jobs_init(&service->jobs, pool);
    kl_sample_lists_init(&service->lists);
    kl_turns_init(&service->turns, KL_SCANS_MAX);
    kl_turns_init(&service->shared_turns, 1);
    sem_init(&service->pictures, 0, KL_PICTURES_MAX);
}

void kl_service_clear(struct kl_service *service)
{
    kl_jobs_clear(&service->jobs);
    kl_sample_lists_clear(&service->lists);
    kl_batch_queries_clear(&service->batch);
    kl_inquiries_clear(&service->inquiries);
    kl_turns_clear(&service->turns);
    kl_turns_clear(&service->shared_turns);
    kl_sharing_clear(&service->sharing);
    sem_destroy(&service->pictures);
}

void kl_service_forget(void *argument, const struct kl_run *run)
{
    struct kl_service *service = argument;

    kl_sample_lists_forget(&service->lists, run);
    kl_batch_queries_forget(&service->batch, run);
    kl_inquiries_forget(&service->inquiries, run);
}

static void serve_asset(const char *path, struct kl_reply *reply)
{
    const struct kl_asset *asset = kl_asset_find(path);
    char content[17];

    if (!asset) {
        kl_reply_problem(reply, 404, NULL, "there is no page at this address: start at /");
        return;
    }
    snprintf(content, sizeof content, "%016" PRIx64,
             kl_hash(KL_HASH_START, asset->bytes, asset->n_bytes));
    reply->status = 200;
    reply->type = asset->type;
    reply->borrowed = asset->bytes;
    reply->n_bytes = asset->n_bytes;
    reply->is_gzip = asset->is_gzip;
    reply->cache = KL_CACHE_REVALIDATE;
    kl_reply_tag(reply, content, NULL);
}

static void no_such_resource(struct kl_reply *reply)
{
    kl_reply_problem(reply, 404, NULL, "there is nothing at this address: see docs/api.md");
}

/* What takes a POST, too. */
static int takes_post(const char *rest)
{
    return kl_is_about_subject(rest) || !strcmp(rest, "reading") || !strcmp(rest, "heat") ||
           !strcmp(rest, "continuation") || !strcmp(rest, "marks") ||
           !kl_errand_parse(rest, &(enum kl_errand_kind){0});
}

/* What is there of images only. */
static int is_of_images(const char *rest)
{
    return !strncmp(rest, "samples", 7) || !strncmp(rest, "images/", 7) ||
           !strcmp(rest, "sheet.png") || !strcmp(rest, "confusion") || !strcmp(rest, "common") ||
           !strcmp(rest, "suspects") || !strcmp(rest, "marks") || !strcmp(rest, "why") ||
           !strcmp(rest, "map");
}

/* What lies below a run's address. */
static void route_below(struct kl_service *service, struct kl_run *run, const char *rest,
                        const struct kl_request *request, struct kl_reply *reply)
{
    enum kl_errand_kind errand;

    if (request->is_post && !takes_post(rest)) {
        kl_reply_problem(reply, 405, NULL, "this address takes GET only");
        reply->allow = "GET, HEAD";
    } else if (is_of_images(rest) && kl_history_is_text(&run->history))
        kl_reply_problem(reply, 404, NULL,
                         "this run is of text: it has documents, readings, strips, attention and "
                         "figures");
    else if (!*rest)
        kl_serve_run(run, request, reply);
    else if (!strcmp(rest, "progress"))
        kl_serve_progress(run, request, reply);
    else if (!strcmp(rest, "documents"))
        kl_serve_documents(run, request, reply);
    else if (!strcmp(rest, "reading"))
        kl_serve_reading(service, run, request, reply);
    else if (!strcmp(rest, "heat"))
        kl_serve_attention_map(service, run, request, reply);
    else if (!strcmp(rest, "continuation"))
        kl_serve_continuation(service, run, request, reply);
    else if (!strcmp(rest, "samples"))
        kl_serve_samples(service, run, request, reply);
    else if (!strcmp(rest, "confusion"))
        kl_serve_confusion(run, request, reply);
    else if (!strcmp(rest, "map"))
        kl_serve_map(service, run, request, reply);
    else if (!strncmp(rest, "samples/", 8))
        kl_serve_sample(run, rest + 8, request, reply);
    else if (!strncmp(rest, "images/", 7))
        kl_serve_image(service, run, rest + 7, request, reply);
    else if (!strcmp(rest, "sheet.png"))
        kl_serve_sheet(service, run, request, reply);
    else if (!strcmp(rest, "common"))
        kl_serve_hubness(service, run, request, reply);
    else if (!strcmp(rest, "suspects"))
        kl_serve_suspects(service, run, request, reply);
    else if (!strcmp(rest, "marks"))
        kl_serve_marks(run, request, reply);
    else if (!kl_errand_parse(rest, &errand))
        kl_serve_errand(service, run, errand, request, reply);
    else if (kl_is_about_subject(rest))
        kl_serve_about_subject(service, run, rest, request, reply);
    else
        no_such_resource(reply);
}

/* Whether what lies below is answered from the history, which all processes have together. */
static int is_of_history(const struct kl_run *run, const char *rest)
{
    return kl_is_about_subject(rest) || !strcmp(rest, "heat") || !strcmp(rest, "common") ||
           !strcmp(rest, "suspects") || (!strcmp(rest, "map") && run->history.queries);
}

/* By all processes of the job, if there are several and they are needed. */
static void route_shared(struct kl_service *service, struct kl_run *run, const char *rest,
                         const struct kl_request *request, struct kl_reply *reply)
{
    if (kl_peers_n(run->history.peers) == 1 || service->follows || !is_of_history(run, rest)) {
        route_below(service, run, rest, request, reply);
    } else if (kl_turns_take(&service->shared_turns, request, reply)) {
        if (!kl_sharing_begin(&service->sharing, request, reply)) {
            route_below(service, run, rest, request, reply);
            kl_sharing_end(&service->sharing, reply);
        }
        kl_turns_give(&service->shared_turns);
    }
}

#define WORDS_BYTES ((size_t)64 << 10) /* of a body: a text, many names of samples */
#define TEXT_BYTES ((size_t)256 << 10) /* of one that may be written as \uXXXX */
#define NUMBER_BYTES 24                /* as JSON writes it, with what stands around it */

/* Refuses a body that can mean nothing before it is parsed, which takes forty times its size: by
 * its length (of a recorded network it has numbers as text, as many as there are), and by its
 * values. */
static int is_too_large(const struct kl_run *run, const struct kl_request *request,
                        struct kl_reply *reply)
{
    size_t n_pixels = kl_dataset_image_size(run->data.datasets[0]), n_values = 0;
    size_t limit =
        (kl_history_is_text(&run->history) ? TEXT_BYTES : WORDS_BYTES) + NUMBER_BYTES * n_pixels;

    if (request->body_bytes > limit && !run->history.queries) {
        kl_reply_problem(reply, 413, NULL, "a body about this run has at most %zu bytes", limit);
        return 1;
    }
    for (size_t i = 0; i < request->body_bytes; i++)
        n_values += request->body[i] == ',';
    if (n_values <= WORDS_BYTES + n_pixels)
        return 0;
    kl_reply_problem(reply, 413, NULL, "a body about this run has at most %zu values",
                     WORDS_BYTES + n_pixels);
    return 1;
}

/* /api/v1/runs/RUN and what lies below; path starts at RUN. */
static void route_run(struct kl_service *service, const char *path,
                      const struct kl_request *request, struct kl_reply *reply)
{
    size_t length = strcspn(path, "/");
    struct kl_run *run = kl_served_take(service->served, path, length);

    if (!run) {
        kl_reply_problem(reply, 404, "run",
                         "this server has no run of that id: GET /api/v1/runs lists those it has");
        return;
    }
    if (kl_run_is_sound(run) && !is_too_large(run, request, reply))
        route_shared(service, run, path + length + (path[length] == '/'), request, reply);
    if (!kl_run_is_sound(run)) { /* perhaps while it was read */
        struct kl_error err;

        kl_fail(&err, KL_ERR_IO,
                "the file of this run was changed, or cut off, while it was served: what is read "
                "of it is no answer; put a whole copy in its place and start the server again");
        free(reply->owned);
        memset(reply, 0, sizeof *reply);
        kl_reply_error(reply, NULL, &err);
    }
    if (run->history.n_missing)
        reply->history_share = kl_history_share(&run->history);
    kl_served_give(service->served, run);
}

static void route_api(struct kl_service *service, const char *path,
                      const struct kl_request *request, struct kl_reply *reply)
{
    if (!strncmp(path, "runs/", 5)) {
        route_run(service, path + 5, request, reply);
    } else if (request->is_post) {
        kl_reply_problem(reply, 405, NULL, "this address takes GET only");
        reply->allow = "GET, HEAD";
    } else if (!strcmp(path, "runs")) {
        kl_serve_runs(service, request, reply);
    } else if (!strcmp(path, "ranks")) {
        kl_serve_ranks(request, reply);
    } else if (!strcmp(path, "memory")) {
        kl_serve_memory(service, request, reply);
    } else if (!strcmp(path, "openapi.json")) {
        serve_asset("openapi.json", reply);
    } else {
        no_such_resource(reply);
    }
}

void kl_route(struct kl_service *service, const struct kl_request *request, struct kl_reply *reply)
{
    const char *path = request->path;

    if (!strncmp(path, API, strlen(API))) {
        route_api(service, path + strlen(API), request, reply);
    } else if (request->is_post) {
        kl_reply_problem(reply, 405, NULL, "this address takes GET only");
        reply->allow = "GET, HEAD";
    } else if (!strcmp(path, "/") || !strcmp(path, "/runs") || !strncmp(path, "/r/", 3)) {
        kl_serve_page(service, request, reply); /* it reads the rest of its address */
    } else if (!strncmp(path, "/assets/", 8)) {
        serve_asset(path + 8, reply);
    } else if (!strcmp(path, "/favicon.ico")) {
        serve_asset("icon.svg", reply);
    } else if (!strncmp(path, "/api/", 5)) {
        no_such_resource(reply);
    } else { /* the page says that there is nothing here, and shows what there is */
        kl_serve_page(service, request, reply);
        reply->status = reply->status == 200 ? 404 : reply->status;
    }
}
