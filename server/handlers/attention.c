/* What is asked about one subject: a stored sample (GET), or given pixels or text (POST). */
#include <errno.h>
#include <cJSON.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/explain/text/passages.h"
#include "api/asked/query_text.h"
#include "server/handlers/handlers.h"
#include "api/answers.h"
#include "api/figures/figure.h"
#include "api/asked/question.h"
#include "api/asked/recorded_sample.h"
#include "api/asked/sample_name.h"

/* A resource has what it depends on for its words, and is tagged by these alone. */
struct resource {
    const char *name;
    unsigned parts;       /* of enum kl_part_of_answer */
    const char *words[9]; /* of api/asked/question.h */
};

static const struct resource resources[] = {
    {"answer", KL_ANSWER_LOGITS, {"rank"}},                         /* the logit that it names */
    {"figures", 0, {"layer", "place", "rank", "by", "class", "k"}}, /* /VIEW.svg or .png */
    {"strips", 0, {NULL}}, /* several answers: core/explain/strips.h */
    {"spotlight",
     KL_ANSWER_SPOTLIGHT,
     {"layer", "place", "rank", "by", "class", "k", "contributions", "scan"}},
    {"views/classes", KL_ANSWER_CLASSES, {"layer", "place"}},
    {"views/curves", KL_ANSWER_CURVES, {"layer", "place"}},
    {"views/time", KL_ANSWER_TIME, {"layer", "place", "rank"}},
    {"views/samples", KL_ANSWER_SAMPLES, {"layer", "place", "rank"}},
    {"views/places", KL_ANSWER_PLACES, {"layer", "rank"}}, /* the logit that the rank names */
    {"views/learning", KL_ANSWER_LEARNING, {"rank"}},
    {"why", KL_ANSWER_SHOWINGS, {"rank", "training"}}, /* the logit that the rank names */
    {"removal", KL_ANSWER_LOGITS, {"layer", "rank", "by", "class", "remove"}},
    {"attention",
     KL_ANSWER_ALWAYS,
     {"layer", "place", "rank", "by", "class", "k", "views", "remove"}},
};

struct asked {
    const struct resource *resource;
    const struct kl_figure *figure; /* or NULL */
    int is_png;
    struct kl_question question;
    struct kl_query_text text;   /* of a text run */
    struct kl_queries *recorded; /* of a client that ran the network itself, or NULL */
    uint32_t place;              /* the token of it whose following is asked */
};

/* Sets one word of the question from its text: 0, or -1 with the problem in *reply. */
static int set_word(const struct kl_run *run, const char *name, const char *text,
                    struct asked *asked, struct kl_reply *reply)
{
    struct kl_error err;

    if (!kl_question_set(&asked->question, &run->history, name, text, &err))
        return 0;
    kl_reply_error(reply, NULL, &err);
    return -1;
}

static int takes_word(const struct resource *resource, const char *name)
{
    for (uint32_t i = 0; resource->words[i]; i++)
        if (!strcmp(resource->words[i], name))
            return 1;
    return 0;
}

/* Replies with an answer about a text. */
static void reply_text(const struct kl_run *run, const struct asked *asked,
                       const struct kl_query *query, const struct kl_answer *answer, double started,
                       struct kl_reply *reply)
{
    struct kl_passages passages = {0};
    struct kl_error err;

    if ((query->parts & KL_ANSWER_SPOTLIGHT) &&
        kl_passages_find(&run->history, answer, asked->question.query.top, &passages, &err)) {
        kl_reply_error(reply, NULL, &err);
        return;
    }
    kl_reply_json(reply, kl_json_text_attention(run, query, &asked->text, asked->place, answer,
                                                &passages, kl_now_ms() - started));
    kl_passages_clear(&passages);
}

static void reply_strips(struct kl_inquiry *inquiry, const struct kl_run *run, int target,
                         struct kl_reply *reply)
{
    double started = kl_now_ms();
    struct kl_strips strips;
    struct kl_error err;

    if (kl_strips_find(inquiry, target, &strips, &err))
        kl_reply_error(reply, NULL, &err);
    else
        kl_reply_json(reply, kl_json_strips(run, &strips, kl_now_ms() - started));
}

static void reply_figure(struct kl_service *service, struct kl_inquiry *inquiry, struct kl_run *run,
                         const struct asked *asked, int64_t sample, struct kl_reply *reply)
{
    struct kl_figure_request request = {.figure = asked->figure,
                                        .is_png = asked->is_png,
                                        .sample = sample,
                                        .query = &asked->question.query};
    uint8_t *bytes = NULL;
    size_t n_bytes = 0;
    struct kl_error err;
    enum kl_status status;

    while (sem_wait(&service->pictures) && errno == EINTR)
        ;
    status = kl_figure_draw(run, inquiry, &request, &bytes, &n_bytes, &err);
    sem_post(&service->pictures);
    if (status) {
        kl_reply_error(reply, NULL, &err);
        return;
    }
    reply->status = 200;
    reply->type = asked->is_png ? "image/png" : "image/svg+xml";
    reply->owned = bytes;
    reply->n_bytes = n_bytes;
}

/* Answers with what is found of an inquiry; sample is negative for what was given. */
static void answer_inquiry(struct kl_service *service, struct kl_inquiry *inquiry,
                           struct kl_run *run, const struct asked *asked, int64_t sample,
                           struct kl_reply *reply)
{
    int is_text = kl_history_is_text(&run->history);
    struct kl_query query = asked->question.query;
    double started = kl_now_ms();
    struct kl_answer answer;
    struct kl_error err;

    if (asked->figure)
        reply_figure(service, inquiry, run, asked, sample, reply);
    else if (asked->resource->parts == 0)
        reply_strips(inquiry, run, query.target, reply);
    if (asked->resource->parts == 0)
        return;
    if (is_text && (query.top *= KL_HITS_PER_PASSAGE) > KL_TOP_MAX)
        query.top = KL_TOP_MAX;
    if (kl_attend_to(inquiry, &query, &answer, &err)) {
        kl_reply_error(reply, NULL, &err);
        return;
    }
    if (is_text)
        reply_text(run, asked, &query, &answer, started, reply);
    else
        kl_reply_json(reply,
                      kl_json_attention(run, &query, sample, &answer, kl_now_ms() - started));
    kl_answer_clear(&answer);
}

/* In a turn of the caller's. */
static void answer_query(struct kl_service *service, struct kl_run *run, const struct asked *asked,
                         int64_t sample, struct kl_reply *reply)
{
    struct kl_inquiry *inquiry = NULL;
    struct kl_error err;

    if (kl_inquiries_take(&service->inquiries, service->pool, run, &asked->question.query.subject,
                          &inquiry, &err)) {
        kl_reply_error(reply, NULL, &err);
    } else {
        answer_inquiry(service, inquiry, run, asked, sample, reply);
        kl_inquiries_give(&service->inquiries, inquiry);
    }
}

/* Makes a stored sample what the question is about: *pixels is the caller's. 0, or -1 with the
 * problem in *reply. */
static int find_stored(struct kl_run *run, uint32_t id, struct asked *asked, uint8_t **pixels,
                       struct kl_reply *reply)
{
    struct kl_query *query = &asked->question.query;
    struct kl_error err;

    if (kl_history_is_text(&run->history)) {
        if (kl_query_text_stored(run, id, 1, &asked->text, &err)) {
            kl_reply_error(reply, NULL, &err);
            return -1;
        }
        asked->place = asked->text.n - 1;
        kl_subject_at(&run->data, id, &query->subject);
    } else {
        if (kl_alloc(pixels, kl_dataset_image_size(run->data.datasets[0]), 1, "an image", &err) ||
            kl_run_image(run, id, *pixels, &err)) {
            kl_reply_error(reply, "sample", &err);
            return -1;
        }
        query->subject.pixels = *pixels;
        query->subject.stored = id + 1;
        query->subject.dataset = kl_collection_place(&run->data, id).dataset;
    }
    query->subject.place_layer = query->place ? query->layer : 0;
    query->subject.place = query->place;
    query->target = (int)kl_collection_target(&run->data, id);
    return 0;
}

/* Refuses parameters that the resource does not depend on. */
static int allows(const struct resource *resource, const struct kl_request *request,
                  struct kl_reply *reply)
{
    const char *const *w = resource->words;

    return kl_request_allows(request, reply, "sample", w[0], w[1], w[2], w[3], w[4], w[5], w[6],
                             w[7], NULL);
}

static void tag(const struct kl_run *run, const struct asked *asked, uint32_t id,
                const char *removal, struct kl_reply *reply)
{
    const struct kl_query *query = &asked->question.query;
    const struct kl_queries *queries = run->history.queries;
    char canonical[150];

    if (query->by_bytes) /* which scan it is of depends on what is known by then */
        return;

    snprintf(canonical, sizeof canonical, "%llx %u %u %u %s %d %d %d %u %u %u %d ",
             (unsigned long long)(queries ? queries->generation(queries->self) : 0), id,
             query->layer, query->place, query->rank->name, query->logit, query->by_sample,
             query->only_class, query->top, query->parts, query->training_sample,
             query->attention_alone);
    kl_reply_tag(reply, run->version, asked->resource->name,
                 asked->figure ? kl_figure_name(asked->figure) : "", asked->is_png ? "png" : "",
                 canonical, removal ? "remove" : "keep", removal ? removal : "", NULL);
}

static void attend_stored(struct kl_service *service, struct kl_run *run, struct asked *asked,
                          const struct kl_request *request, struct kl_reply *reply)
{
    const char *id_text = kl_request_get(request, "sample");
    const char *const *words = asked->resource->words;
    uint8_t *pixels = NULL;
    struct kl_error err;
    uint32_t id = 0;

    if (allows(asked->resource, request, reply))
        return;
    if (!id_text) {
        kl_reply_problem(reply, 400, "sample",
                         "sample names the sample to explain; POST takes pixels or text instead");
        return;
    }
    if (kl_sample_named(&run->data, id_text, "sample", &id, &err)) {
        kl_reply_error(reply, NULL, &err);
        return;
    }
    for (uint32_t i = 0; words[i]; i++) {
        const char *text = kl_request_get(request, words[i]);

        if (text && set_word(run, words[i], text, asked, reply))
            return;
    }
    if (!find_stored(run, id, asked, &pixels, reply)) {
        tag(run, asked, id, kl_request_get(request, "remove"), reply);
        answer_query(service, run, asked, id, reply);
    }
    free(pixels);
}

static int read_pixels(const struct kl_run *run, const cJSON *array, uint8_t *pixels,
                       struct kl_reply *reply)
{
    uint32_t n = (uint32_t)kl_dataset_image_size(run->data.datasets[0]), i = 0;
    const cJSON *item;

    if (cJSON_IsArray(array) && cJSON_GetArraySize(array) == (int)n) {
        cJSON_ArrayForEach(item, array)
        {
            if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= 255))
                break;
            pixels[i++] = (uint8_t)(item->valuedouble + 0.5);
        }
    }
    if (i == n)
        return 0;
    kl_reply_problem(reply, 400, "pixels",
                     "pixels is a list of %u numbers from 0 to 255, row by row from the top", n);
    return -1;
}

/* Makes the typed text what the question is about: the token at place, or the last, and what stands
 * before it. What follows is known of all but the last. */
static int find_place(const cJSON *body, struct asked *asked, struct kl_reply *reply)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(body, "place");
    const struct kl_query_text *text = &asked->text;
    uint32_t place = text->n - 1, first;

    if (item && (!cJSON_IsNumber(item) || !(item->valuedouble >= 0) || item->valuedouble > place ||
                 item->valuedouble != floor(item->valuedouble))) {
        kl_reply_problem(reply, 400, "place",
                         "place counts the text's tokens from 0: it has %u of them", text->n);
        return -1;
    }
    place = item ? (uint32_t)item->valuedouble : place;
    first = place + 1 > KL_CONTEXT ? place + 1 - KL_CONTEXT : 0;
    asked->place = place;
    asked->question.query.subject =
        (struct kl_subject){.tokens = text->tokens + first, .n_tokens = place + 1 - first};
    if (place + 1 < text->n)
        asked->question.query.target = (int)text->tokens[place + 1];
    return 0;
}

/* One member of a POST's body: pixels is room for those of an image run, NULL of a text run. */
static int set_member(struct kl_run *run, const struct kl_request *request, const cJSON *body,
                      const cJSON *item, struct asked *asked, uint8_t *pixels,
                      struct kl_reply *reply)
{
    const char *name = item->string;
    struct kl_error err;
    char digits[32];

    if (!strcmp(name, "pixels") && pixels)
        return read_pixels(run, item, pixels, reply);
    if (!strcmp(name, "recorded") && pixels) {
        if (!kl_recorded_sample_read(run, item, &asked->recorded, &asked->question.query.target,
                                     &err))
            return 0;
        kl_reply_error(reply, NULL, &err);
        return -1;
    }
    if (!strcmp(name, "text") && !pixels) {
        if (!kl_query_text_typed(run, request->body, request->body_bytes, body, &asked->text, &err))
            return 0;
        kl_reply_error(reply, NULL, &err);
        return -1;
    }
    if (!strcmp(name, "place") && !pixels)
        return 0; /* once the text is known */
    if (!strcmp(name, "dataset")) {
        for (uint32_t d = 0; cJSON_IsString(item) && d < run->data.n_datasets; d++) {
            if (!strcmp(run->data.datasets[d]->name, item->valuestring)) {
                asked->question.query.subject.dataset = d;
                return 0;
            }
        }
        kl_reply_problem(reply, 400, name, "dataset names a data set of this run");
        return -1;
    }
    if (takes_word(asked->resource, name) && cJSON_IsString(item))
        return set_word(run, name, item->valuestring, asked, reply);
    if (takes_word(asked->resource, name) && cJSON_IsNumber(item)) {
        snprintf(digits, sizeof digits, "%.17g", item->valuedouble);
        return set_word(run, name, digits, asked, reply);
    }
    if (takes_word(asked->resource, name) && cJSON_IsNull(item))
        return 0;
    kl_reply_problem(reply, 400, name,
                     "the body has no member of that name and type: see "
                     "docs/api.md");
    return -1;
}

/* Refuses a member whose name came before, as repeated parameters are. */
static int is_repeated(const cJSON *item, const cJSON *body, struct kl_reply *reply)
{
    if (cJSON_GetObjectItemCaseSensitive(body, item->string) == item)
        return 0;
    kl_reply_problem(reply, 400, item->string, "%.40s is given twice", item->string);
    return 1;
}

static void attend_given(struct kl_service *service, struct kl_run *run, struct asked *asked,
                         const struct kl_request *request, struct kl_reply *reply)
{
    cJSON *body = cJSON_ParseWithLength(request->body, request->body_bytes);
    int is_text = kl_history_is_text(&run->history);
    const char *subject = is_text ? "text" : run->history.queries ? "recorded" : "pixels";
    const cJSON *item;
    uint8_t *pixels = NULL;
    struct kl_error err;
    int failed = 0;

    if (kl_request_allows(request, reply, NULL)) {
        failed = 1;
    } else if (!cJSON_IsObject(body) || !cJSON_HasObjectItem(body, subject)) {
        kl_reply_problem(reply, 400, subject, "the body is a JSON object with %s", subject);
        failed = 1;
    } else if (!is_text && kl_alloc(&pixels, kl_dataset_image_size(run->data.datasets[0]), 1,
                                    "an image", &err)) {
        kl_reply_error(reply, NULL, &err);
        failed = 1;
    }
    if (!failed) {
        cJSON_ArrayForEach(item, body)
        {
            failed = failed || is_repeated(item, body, reply) ||
                     set_member(run, request, body, item, asked, pixels, reply);
        }
    }
    if (is_text)
        failed = failed || find_place(body, asked, reply);
    else
        asked->question.query.subject.pixels = pixels;
    asked->question.query.subject.recorded = asked->recorded;
    if (!failed)
        answer_query(service, run, asked, -1, reply);
    kl_recorded_sample_free(asked->recorded);
    cJSON_Delete(body);
    kl_query_text_clear(&asked->text);
    free(pixels);
}

/* A figure's name may follow its resource's. */
static const struct resource *find_resource(const char *name)
{
    int is_figure = !strncmp(name, "figures/", 8);

    for (size_t i = 0; i < sizeof resources / sizeof resources[0]; i++)
        if (!strcmp(resources[i].name, is_figure ? "figures" : name))
            return is_figure == !strcmp(resources[i].name, "figures") ? &resources[i] : NULL;
    return NULL;
}

/* VIEW.svg or VIEW.png: 0, or -1 with the problem in *reply. */
static int find_figure(const char *name, struct asked *asked, struct kl_reply *reply)
{
    const char *dot = strrchr(name, '.');
    char view[24] = "";

    if (dot && (size_t)(dot - name) < sizeof view)
        memcpy(view, name, (size_t)(dot - name));
    asked->figure = kl_figure_find(view);
    asked->is_png = dot && !strcmp(dot, ".png");
    if (asked->figure && dot && (asked->is_png || !strcmp(dot, ".svg")))
        return 0;
    kl_reply_problem(reply, 404, NULL,
                     "there is no figure of that name: GET /api/v1/openapi.json lists them, "
                     "each as .svg and .png");
    return -1;
}

int kl_is_about_subject(const char *resource)
{
    return find_resource(resource) != NULL;
}

void kl_serve_about_subject(struct kl_service *service, struct kl_run *run, const char *resource,
                            const struct kl_request *request, struct kl_reply *reply)
{
    struct asked asked = {.resource = find_resource(resource)};

    if (!strcmp(asked.resource->name, "figures") && find_figure(resource + 8, &asked, reply))
        return;
    kl_question_init(&run->history, &asked.question);
    asked.question.query.parts = asked.resource->parts;
    if (kl_history_is_text(&run->history) && (asked.resource->parts & KL_ANSWER_SPOTLIGHT))
        asked.question.query.parts |= KL_ANSWER_CLASSES; /* the spotlight votes */
    if (!kl_turns_take(&service->turns, request, reply)) /* a body takes memory to be read, too */
        return;
    if (request->is_post)
        attend_given(service, run, &asked, request, reply);
    else
        attend_stored(service, run, &asked, request, reply);
    kl_turns_give(&service->turns);
}
