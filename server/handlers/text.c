/* Text that is read, heated, continued: of the run's own (GET), or typed (POST). */
#include <cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/number.h"
#include "core/explain/text/attention_map.h"
#include "core/base/memory.h"
#include "core/explain/text/reading.h"
#include "api/asked/query_text.h"
#include "server/handlers/handlers.h"
#include "api/asked/question.h"
#include "api/answers.h"

#define READING_COUNT 400 /* tokens, unless it is said otherwise */
#define HEAT_COUNT 64
#define HEAT_COLUMNS 24
#define HEAT_BEST 3
#define CONTINUATION_COUNT 200
#define CONTINUATION_MAX 1000

/* What these addresses may be told. */
struct asked {
    uint32_t sample, count, layer, seed;
    double temperature;
    const struct kl_rank *rank;
};

/* One member of a body, or one parameter as a string: 0, or -1 with the problem in *reply. */
static int set_word(const struct kl_run *run, const char *name, const char *text, uint32_t most,
                    struct asked *asked, struct kl_reply *reply)
{
    uint32_t n_layers = run->training.shape.n_layers;
    struct kl_error err;
    char *end;

    if (!strcmp(name, "count")) {
        if (kl_parse_number(text, &asked->count) || asked->count < 1 || asked->count > most) {
            kl_reply_problem(reply, 400, name, "count is 1 to %u here", most);
            return -1;
        }
    } else if (!strcmp(name, "layer")) {
        if (kl_parse_number(text, &asked->layer) || asked->layer < 1 || asked->layer > n_layers) {
            kl_reply_problem(reply, 400, name, "layer is 1 to %u in this run", n_layers);
            return -1;
        }
    } else if (!strcmp(name, "rank")) {
        if (kl_question_row_rank(text, 0, &asked->rank, &err)) {
            kl_reply_error(reply, NULL, &err);
            return -1;
        }
    } else if (!strcmp(name, "temperature")) {
        asked->temperature = strtod(text, &end);
        if (end == text || *end || !(asked->temperature >= 0) || asked->temperature > 10) {
            kl_reply_problem(reply, 400, name, "temperature is 0 to 10");
            return -1;
        }
    } else if (!strcmp(name, "seed")) {
        if (kl_parse_number(text, &asked->seed)) {
            kl_reply_problem(reply, 400, name, "seed is a whole number of at most nine digits");
            return -1;
        }
    } else if (!strcmp(name, "sample")) {
        if (kl_parse_number(text, &asked->sample)) {
            kl_reply_problem(reply, 400, name, "sample is the id of a position in the run's text");
            return -1;
        }
    }
    return 0;
}

static int is_known(const char *const *words, const char *name)
{
    while (*words && strcmp(*words, name) != 0)
        words++;
    return *words != NULL;
}

/* A GET: the words (ended by NULL) of the address, one of them sample. 0, or -1 with the problem.
 */
static int read_address(const struct kl_run *run, const struct kl_request *request,
                        const char *const *words, uint32_t most, struct asked *asked,
                        struct kl_query_text *text, struct kl_reply *reply)
{
    struct kl_error err;

    for (size_t i = 0; i < request->n_parameters; i++) {
        const struct kl_parameter *parameter = &request->parameters[i];

        if (!is_known(words, parameter->name) ||
            kl_request_get(request, parameter->name) != parameter->value) {
            kl_reply_problem(reply, 400, parameter->name,
                             "this address takes this parameter once, or not at all: see "
                             "docs/api.md");
            return -1;
        }
        if (set_word(run, parameter->name, parameter->value, most, asked, reply))
            return -1;
    }
    if (asked->sample == UINT32_MAX) {
        kl_reply_problem(reply, 400, "sample",
                         "sample is the id of a position in the run's text; POST takes a text");
        return -1;
    }
    if (!kl_query_text_stored(run, asked->sample, asked->count, text, &err))
        return 0;
    kl_reply_error(reply, NULL, &err);
    return -1;
}

/* One member of a POST's body: a number but for rank. 0, or -1 with the problem. */
static int read_member(const struct kl_run *run, const cJSON *body, const cJSON *item,
                       const char *const *words, uint32_t most, struct asked *asked,
                       struct kl_reply *reply)
{
    int is_rank = !strcmp(item->string, "rank");
    char digits[32];

    if (!strcmp(item->string, "text") &&
        cJSON_GetObjectItemCaseSensitive(body, item->string) == item)
        return 0;
    if (!is_known(words, item->string) || !strcmp(item->string, "sample") ||
        cJSON_GetObjectItemCaseSensitive(body, item->string) != item ||
        !(is_rank ? cJSON_IsString(item) : cJSON_IsNumber(item))) {
        kl_reply_problem(reply, 400, item->string,
                         "the body has a text, and members as docs/api.md says, each once");
        return -1;
    }
    snprintf(digits, sizeof digits, "%.17g", item->valuedouble);
    return set_word(run, item->string, is_rank ? item->valuestring : digits, most, asked, reply);
}

/* Reads words from the address, or from a body that has a text, too, and finds the text that is
 * meant. Returns 0, or -1 with the problem in *reply. */
static int read_request(const struct kl_run *run, const struct kl_request *request,
                        const char *const *words, uint32_t most, struct asked *asked,
                        struct kl_query_text *text, struct kl_reply *reply)
{
    cJSON *body;
    const cJSON *item;
    struct kl_error err;
    int failed = 0;

    if (!request->is_post)
        return read_address(run, request, words, most, asked, text, reply);
    if (kl_request_allows(request, reply, NULL))
        return -1;
    body = cJSON_ParseWithLength(request->body, request->body_bytes);
    if (!cJSON_IsObject(body)) {
        kl_reply_problem(reply, 400, "text", "the body is a JSON object with a text");
        cJSON_Delete(body);
        return -1;
    }
    cJSON_ArrayForEach(item, body)
    {
        failed = failed || read_member(run, body, item, words, most, asked, reply);
    }
    if (!failed && kl_query_text_typed(run, request->body, request->body_bytes, body, text, &err)) {
        kl_reply_error(reply, NULL, &err);
        failed = 1;
    }
    cJSON_Delete(body);
    return failed ? -1 : 0;
}

/* Whether the run is of text: 1, or 0 with the problem in *reply. */
static int is_text(const struct kl_run *run, struct kl_reply *reply)
{
    if (kl_history_is_text(&run->history))
        return 1;
    kl_reply_problem(reply, 404, NULL, "this run is of images: it has no text");
    return 0;
}

void kl_serve_documents(struct kl_run *run, const struct kl_request *request,
                        struct kl_reply *reply)
{
    if (is_text(run, reply) && !kl_request_allows(request, reply, NULL))
        kl_reply_json(reply, kl_json_documents(run));
}

static void tell_reading(struct kl_service *service, struct kl_run *run,
                         const struct kl_request *request, struct kl_reply *reply)
{
    static const char *const stored[] = {"sample", "count", NULL}, *const typed[] = {NULL};
    struct asked asked = {.sample = UINT32_MAX, .count = READING_COUNT};
    struct kl_query_text text = {0};
    struct kl_reading reading;
    struct kl_error err;
    enum kl_status status;

    (void)service;
    if (read_request(run, request, request->is_post ? typed : stored, KL_READING_MAX, &asked, &text,
                     reply))
        return;
    status = run->history.queries && text.sample >= 0
                 ? kl_read_recorded_text(&run->history, (uint32_t)text.sample, text.tokens,
                                         text.first, text.n, &reading, &err)
                 : kl_read_text(run->final, text.tokens, text.n, &reading, &err);
    if (status) {
        kl_reply_error(reply, NULL, &err);
    } else {
        kl_reply_json(reply, kl_json_reading(run, &text, &reading));
        kl_reading_clear(&reading);
    }
    kl_query_text_clear(&text);
}

static void tell_attention_map(struct kl_service *service, struct kl_run *run,
                               const struct kl_request *request, struct kl_reply *reply)
{
    static const char *const words[] = {"sample", "count", "layer", "rank", NULL};
    struct asked asked = {.sample = UINT32_MAX,
                          .count = HEAT_COUNT,
                          .layer = run->training.shape.n_layers,
                          .rank = kl_rank_at(0)};
    struct kl_query_text text = {0};
    struct kl_attention_map_query query;
    struct kl_attention_map heat;
    struct kl_error err;

    if (read_request(run, request, words, KL_MAP_TOKENS_MAX, &asked, &text, reply))
        return;
    if (text.sample < 0 && text.n > asked.count)
        text.first = text.n - asked.count; /* the end of what was typed */
    query = (struct kl_attention_map_query){.tokens = text.tokens,
                                            .n_before = text.first,
                                            .n = text.n - text.first,
                                            .layer = asked.layer,
                                            .rank = asked.rank,
                                            .n_best = HEAT_BEST,
                                            .n_columns = HEAT_COLUMNS};
    if (kl_attention_map_find(service->pool, &run->history, &query, &heat, &err)) {
        kl_reply_error(reply, NULL, &err);
    } else {
        kl_reply_json(reply, kl_json_attention_map(run, &text, &query, &heat));
        kl_attention_map_clear(&heat);
    }
    kl_query_text_clear(&text);
}

static void tell_continuation(struct kl_service *service, struct kl_run *run,
                              const struct kl_request *request, struct kl_reply *reply)
{
    static const char *const words[] = {"sample", "count", "temperature", "seed", NULL};
    struct asked asked = {.sample = UINT32_MAX, .count = CONTINUATION_COUNT, .temperature = 0.7};
    struct kl_query_text text = {0};
    struct kl_continuing how;
    uint32_t *written = NULL;
    struct kl_error err;

    (void)service;
    if (read_request(run, request, words, CONTINUATION_MAX, &asked, &text, reply))
        return;
    if (text.sample >= 0)
        text.n = text.first + 1; /* it goes on after the position */
    how = (struct kl_continuing){asked.count, asked.temperature, asked.seed};
    if (kl_alloc(&written, asked.count, sizeof *written, "the continuation", &err) ||
        kl_continue(run->final, run->data.datasets[0]->corpus, text.tokens, text.n, &how, written,
                    &err))
        kl_reply_error(reply, NULL, &err);
    else
        kl_reply_json(reply, kl_json_continuation(run, &text, written, asked.count));
    free(written);
    kl_query_text_clear(&text);
}

/* A body takes memory to be read, too. */
static void tell_in_turn(struct kl_service *service, struct kl_run *run,
                         const struct kl_request *request, struct kl_reply *reply,
                         void (*tell)(struct kl_service *service, struct kl_run *run,
                                      const struct kl_request *request, struct kl_reply *reply))
{
    if (!is_text(run, reply) || !kl_turns_take(&service->turns, request, reply))
        return;
    tell(service, run, request, reply);
    kl_turns_give(&service->turns);
}

void kl_serve_reading(struct kl_service *service, struct kl_run *run,
                      const struct kl_request *request, struct kl_reply *reply)
{
    tell_in_turn(service, run, request, reply, tell_reading);
}

void kl_serve_attention_map(struct kl_service *service, struct kl_run *run,
                            const struct kl_request *request, struct kl_reply *reply)
{
    tell_in_turn(service, run, request, reply, tell_attention_map);
}

void kl_serve_continuation(struct kl_service *service, struct kl_run *run,
                           const struct kl_request *request, struct kl_reply *reply)
{
    tell_in_turn(service, run, request, reply, tell_continuation);
}
