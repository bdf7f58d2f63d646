/* Samples and their pictures. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/number.h"
#include "core/base/memory.h"
#include "server/handlers/handlers.h"
#include "api/asked/sample_name.h"
#include "api/asked/question.h"
#include "api/png.h"
#include "api/answers.h"

#define DEFAULT_LIMIT 100
#define LIMIT_MAX 1000 /* samples a page: some 150 kB of JSON */
#define SHEET_MAX 256  /* pictures a sheet: as many as fit a URL of 2 kB */
#define SCALE_MAX 32
#define DEFAULT_COLUMNS 16

static int optional_number(const struct kl_request *request, struct kl_reply *reply,
                           const char *name, uint32_t high, int *value)
{
    uint32_t number = UINT32_MAX;

    if (kl_request_number(request, reply, name, 0, high, &number))
        return -1;
    *value = number == UINT32_MAX ? KL_ANY : (int)number;
    return 0;
}

static int optional_truth(const struct kl_request *request, struct kl_reply *reply,
                          const char *name, int *value)
{
    const char *text = kl_request_get(request, name);

    *value = text ? !strcmp(text, "true") : KL_ANY;
    if (!text || *value || !strcmp(text, "false"))
        return 0;
    kl_reply_problem(reply, 400, name, "%s is true or false", name);
    return -1;
}

static int parse_filter(const struct kl_run *run, const struct kl_request *request,
                        struct kl_reply *reply, struct kl_sample_filter *filter)
{
    const char *dataset = kl_request_get(request, "dataset");
    const char *split = kl_request_get(request, "split");
    const char *vote = kl_request_get(request, "vote");
    enum kl_split parsed = KL_SPLIT_TEST;
    struct kl_error err;

    *filter = (struct kl_sample_filter){KL_ANY, KL_ANY, KL_ANY, KL_ANY, KL_ANY,
                                        KL_ANY, KL_ANY, NULL,   NULL};
    filter->name = kl_request_get(request, "name");
    if (filter->name && !*filter->name)
        filter->name = NULL;
    for (uint32_t d = 0; dataset && d < run->data.n_datasets; d++)
        if (!strcmp(run->data.datasets[d]->name, dataset))
            filter->dataset = (int)d;
    if (dataset && filter->dataset == KL_ANY) {
        kl_reply_problem(reply, 400, "dataset", "this run has no data set of that name");
        return -1;
    }
    if (split && kl_split_parse(split, &parsed, &err)) {
        kl_reply_error(reply, "split", &err);
        return -1;
    }
    filter->split = split ? (int)parsed : KL_ANY;
    if (vote && strcmp(vote, "differs") != 0 && strcmp(vote, "agrees") != 0) {
        kl_reply_problem(reply, 400, "vote", "vote is differs or agrees");
        return -1;
    }
    filter->differs = vote ? !strcmp(vote, "differs") : KL_ANY;
    return optional_truth(request, reply, "correct", &filter->correct) ||
                   optional_truth(request, reply, "flipped", &filter->flipped) ||
                   optional_number(request, reply, "label", KL_CLASSES_MAX - 1, &filter->label) ||
                   optional_number(request, reply, "predicted", KL_CLASSES_MAX - 1,
                                   &filter->predicted)
               ? -1
               : 0;
}

/* Which samples of an order are asked for. */
struct window {
    enum kl_sample_order order;
    uint32_t offset, limit;
    int64_t at; /* a sample whose position is wanted, or -1 */
};

static int parse_window(const struct kl_run *run, const struct kl_request *request,
                        struct kl_reply *reply, struct window *window)
{
    const char *sort = kl_request_get(request, "sort"), *at = kl_request_get(request, "at");
    struct kl_error err;
    uint32_t sample = 0;

    *window = (struct window){KL_ORDER_STORED, 0, DEFAULT_LIMIT, -1};
    if (sort && kl_sample_order_parse(sort, &window->order)) {
        kl_reply_problem(reply, 400, "sort",
                         "sort is stored, least-sure, most-sure, loss or margin");
        return -1;
    }
    if (at && kl_sample_named(&run->data, at, "at", &sample, &err)) {
        kl_reply_error(reply, NULL, &err);
        return -1;
    }
    window->at = at ? (int64_t)sample : -1;
    if (kl_request_get(request, "next") && kl_request_get(request, "offset")) {
        kl_reply_problem(reply, 400, "offset", "a page begins at next or at offset, not at both");
        return -1;
    }
    return kl_request_number(request, reply, "limit", 1, LIMIT_MAX, &window->limit) ||
                   kl_request_page(request, reply, &window->offset) ||
                   kl_request_number(request, reply, "offset", 0, UINT32_MAX - LIMIT_MAX,
                                     &window->offset)
               ? -1
               : 0;
}

/* Tells the lists what the votes of a run are, if they have been counted. */
static enum kl_status learn_votes(struct kl_service *service, struct kl_run *run,
                                  struct kl_error *err)
{
    struct kl_errand errand;
    struct kl_job_view view;
    struct kl_error cause = *err; /* that nobody has told them */
    enum kl_status status = kl_errand_possible(KL_ERRAND_VOTES, run, err);

    if (status)
        return status;
    kl_errand_init(KL_ERRAND_VOTES, run, &errand);
    status = kl_jobs_look(&service->jobs, run, &errand, &view, err);
    if (!status && view.answer)
        status = kl_sample_lists_learn(&service->lists, run, view.answer, err);
    else if (!status) {
        *err = cause;
        status = cause.status;
    }
    free(view.answer);
    free(view.note);
    kl_errand_clear(&errand);
    return status;
}

/* A page of the samples that match. */
static enum kl_status find_page(struct kl_service *service, struct kl_run *run,
                                const struct kl_sample_filter *filter, const struct window *window,
                                uint32_t *ids, struct kl_sample_page *page, struct kl_error *err)
{
    enum kl_status status = kl_sample_lists_page(&service->lists, run, filter, window->order,
                                                 window->offset, window->limit, window->at, ids,
                                                 &page->n, &page->total, &page->position, err);

    if (status != KL_ERR_NOT_FOUND || strcmp(err->parameter, "vote") != 0)
        return status;
    status = learn_votes(service, run, err);
    return status ? status
                  : kl_sample_lists_page(&service->lists, run, filter, window->order,
                                         window->offset, window->limit, window->at, ids, &page->n,
                                         &page->total, &page->position, err);
}

void kl_serve_samples(struct kl_service *service, struct kl_run *run,
                      const struct kl_request *request, struct kl_reply *reply)
{
    struct kl_sample_filter filter;
    struct kl_sample_page page = {0};
    struct window window;
    struct kl_sample *samples = NULL;
    uint32_t ids[LIMIT_MAX];
    struct kl_error err;
    enum kl_status status;

    if (kl_request_allows(request, reply, "dataset", "split", "label", "predicted", "correct",
                          "flipped", "vote", "name", "sort", "limit", "next", "offset", "at",
                          NULL) ||
        parse_filter(run, request, reply, &filter) || parse_window(run, request, reply, &window))
        return;
    status = kl_alloc(&samples, window.limit, sizeof *samples, "samples", &err);
    page.offset = window.offset;
    if (!status)
        status = find_page(service, run, &filter, &window, ids, &page, &err);
    if (!status)
        status = kl_samples_some(run, ids, page.n, samples, &err);
    page.samples = samples;
    page.has_position = window.at >= 0;
    if (status)
        kl_reply_error(reply, NULL, &err);
    else
        kl_reply_json(reply, kl_json_samples(run, &page));
    free(samples);
}

void kl_serve_confusion(struct kl_run *run, const struct kl_request *request,
                        struct kl_reply *reply)
{
    struct kl_sample_filter filter;
    struct kl_confusion *confusions = NULL;
    struct kl_error err;
    uint32_t n = 0;

    if (kl_request_allows(request, reply, "dataset", "split", NULL) ||
        parse_filter(run, request, reply, &filter))
        return;
    if (kl_samples_confusions(run, &filter, &confusions, &n, &err))
        kl_reply_error(reply, NULL, &err);
    else
        kl_reply_json(reply, kl_json_confusions(confusions, n));
    free(confusions);
}

void kl_serve_map(struct kl_service *service, struct kl_run *run, const struct kl_request *request,
                  struct kl_reply *reply)
{
    const struct kl_sample_map *map = NULL;
    struct kl_error err;

    if (kl_request_allows(request, reply, NULL))
        return;
    if (!kl_sample_map_applies(&run->history))
        kl_reply_problem(reply, 404, NULL,
                         "this run has no map: its last layer sees a sample at several places");
    else if (kl_sample_lists_map(&service->lists, service->pool, run, &map, &err))
        kl_reply_error(reply, NULL, &err);
    else
        kl_reply_json(reply, kl_json_sample_map(run, map));
}

void kl_serve_sample(struct kl_run *run, const char *id, const struct kl_request *request,
                     struct kl_reply *reply)
{
    struct kl_sample sample;
    struct kl_error err;
    uint32_t number;

    if (kl_request_allows(request, reply, NULL))
        return;
    if (kl_sample_named(&run->data, id, "sample", &number, &err))
        kl_reply_error(reply, NULL, &err);
    else if (kl_samples_get(run, number, &sample, &err))
        kl_reply_error(reply, "sample", &err);
    else
        kl_reply_json(reply, kl_json_sample(run, &sample));
}

/* What a failed picture is to be blamed on: a parameter the client gave, or none. */
static const char *culprit(const struct kl_error *err, const char *samples_parameter)
{
    return err->status == KL_ERR_NOT_FOUND ? samples_parameter
           : err->status == KL_ERR_USAGE   ? "scale"
                                           : NULL;
}

/* Draws the samples' pictures on one sheet; samples_parameter is what the client named them by. */
static void reply_pictures(struct kl_service *service, struct kl_run *run,
                           const char *samples_parameter, const uint32_t *ids, uint32_t n,
                           uint32_t columns, uint32_t scale, struct kl_reply *reply)
{
    const struct kl_dataset *dataset = run->data.datasets[0];
    size_t size = kl_dataset_image_size(dataset), n_bytes = 0;
    uint8_t *pixels = NULL, *png = NULL;
    struct kl_error err;
    enum kl_status status;

    if (kl_collection_kind(&run->data) == KL_DATA_DESCRIBED) {
        kl_reply_problem(reply, 404, samples_parameter,
                         "the samples of this run have no pictures, but a description");
        return;
    }
    while (sem_wait(&service->pictures) && errno == EINTR)
        ;
    status = kl_alloc(&pixels, n, size, "pictures", &err);
    for (uint32_t i = 0; !status && i < n; i++)
        status = kl_run_image(run, ids[i], pixels + i * size, &err);
    if (!status)
        status = kl_png_sheet(dataset, pixels, n, columns, scale, &png, &n_bytes, &err);
    free(pixels);
    sem_post(&service->pictures);
    if (status) {
        kl_reply_error(reply, culprit(&err, samples_parameter), &err);
        return;
    }
    reply->status = 200;
    reply->type = "image/png";
    reply->owned = png;
    reply->n_bytes = n_bytes;
    reply->cache = KL_CACHE_IMMUTABLE;
}

void kl_serve_image(struct kl_service *service, struct kl_run *run, const char *file,
                    const struct kl_request *request, struct kl_reply *reply)
{
    size_t length = strlen(file);
    char digits[16] = "", scale_text[16];
    uint32_t id, scale = 1;

    if (kl_request_allows(request, reply, "scale", NULL) ||
        kl_request_number(request, reply, "scale", 1, SCALE_MAX, &scale))
        return;
    if (length > 4 && length - 4 < sizeof digits && !strcmp(file + length - 4, ".png"))
        memcpy(digits, file, length - 4);
    if (kl_parse_number(digits, &id)) {
        kl_reply_problem(reply, 404, "sample", "an image is named by its sample's id: 17.png");
        return;
    }
    snprintf(scale_text, sizeof scale_text, "%u", scale);
    kl_reply_tag(reply, run->fingerprint, "image", digits, scale_text, NULL);
    reply_pictures(service, run, "sample", &id, 1, 1, scale, reply);
}

/* Reads "1,2,3": 0, or -1 with the problem in *reply. */
static int parse_ids(const char *text, struct kl_reply *reply, uint32_t ids[SHEET_MAX], uint32_t *n)
{
    *n = 0;
    while (text && *text) {
        size_t length = strcspn(text, ",");
        char digits[16] = "";

        if (length < sizeof digits)
            memcpy(digits, text, length);
        if (*n == SHEET_MAX || kl_parse_number(digits, &ids[*n]))
            break;
        (*n)++;
        text += length;
        if (!*text)
            return 0;
        text++;
    }
    kl_reply_problem(reply, 400, "samples", "samples is a list of 1 to %d ids: 4,8,15", SHEET_MAX);
    return -1;
}

void kl_serve_sheet(struct kl_service *service, struct kl_run *run,
                    const struct kl_request *request, struct kl_reply *reply)
{
    const char *list = kl_request_get(request, "samples");
    uint32_t ids[SHEET_MAX], n, columns = DEFAULT_COLUMNS, scale = 1;
    char layout[32];

    if (kl_request_allows(request, reply, "samples", "columns", "scale", NULL) ||
        parse_ids(list, reply, ids, &n) ||
        kl_request_number(request, reply, "columns", 1, SHEET_MAX, &columns) ||
        kl_request_number(request, reply, "scale", 1, SCALE_MAX, &scale))
        return;
    columns = n < columns ? n : columns;
    snprintf(layout, sizeof layout, "%u %u", columns, scale);
    kl_reply_tag(reply, run->fingerprint, "sheet", list, layout, NULL);
    reply_pictures(service, run, "samples", ids, n, columns, scale, reply);
}
