/* What takes training: GET tells how far it is and what came of it, POST begins or cancels it. */
#include <cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "api/json.h"
#include "db/results.h"
#include "server/handlers/handlers.h"

static const char *const states[] = {"none", "waiting", "running", "done", "failed", "cancelled"};

static int set_word(struct kl_errand *errand, const struct kl_run *run, const char *word,
                    const char *text, struct kl_reply *reply)
{
    struct kl_error err;

    if (!kl_errand_set(errand, run, word, text, &err))
        return 0;
    kl_reply_error(reply, NULL, &err);
    return -1;
}

static int read_parameters(const struct kl_run *run, const struct kl_request *request,
                           struct kl_errand *errand, struct kl_reply *reply)
{
    for (size_t i = 0; i < request->n_parameters; i++) {
        const struct kl_parameter *one = &request->parameters[i];

        for (size_t before = 0; before < i; before++)
            if (!strcmp(request->parameters[before].name, one->name)) {
                kl_reply_problem(reply, 400, one->name, "%.40s is given twice", one->name);
                return -1;
            }
        if (set_word(errand, run, one->name, one->value, reply))
            return -1;
    }
    return 0;
}

/* One member of a body, a text or a number. */
static int read_member(const struct kl_run *run, const cJSON *item, struct kl_errand *errand,
                       struct kl_reply *reply)
{
    char *number;
    int failed;

    if (cJSON_IsString(item))
        return set_word(errand, run, item->string, item->valuestring, reply);
    if (!cJSON_IsNumber(item)) {
        kl_reply_problem(reply, 400, item->string, "%.40s is a text or a number", item->string);
        return -1;
    }
    number = cJSON_PrintUnformatted(item);
    failed = set_word(errand, run, item->string, number ? number : "", reply);
    cJSON_free(number);
    return failed;
}

static int read_body(const struct kl_run *run, const struct kl_request *request,
                     struct kl_errand *errand, int *cancels, struct kl_reply *reply)
{
    /* with its NUL, so that nothing may stand behind the object */
    cJSON *body = cJSON_ParseWithLengthOpts(request->body, request->body_bytes + 1, NULL, 1);
    const cJSON *item;
    int failed = 0;

    if (!cJSON_IsObject(body)) {
        kl_reply_problem(reply, 400, NULL, "the body is a JSON object with the words of %s",
                         kl_errand_name(errand->kind));
        failed = -1;
    }
    cJSON_ArrayForEach(item, body)
    {
        if (failed)
            break;
        if (cJSON_GetObjectItemCaseSensitive(body, item->string) != item) {
            kl_reply_problem(reply, 400, item->string, "%.40s is given twice", item->string);
            failed = -1;
        } else if (!strcmp(item->string, "cancel") && !cJSON_IsBool(item)) {
            kl_reply_problem(reply, 400, "cancel", "cancel is true or false");
            failed = -1;
        } else if (!strcmp(item->string, "cancel")) {
            *cancels = cJSON_IsTrue(item);
        } else {
            failed = read_member(run, item, errand, reply);
        }
    }
    cJSON_Delete(body);
    return failed;
}

/* How long the last training without somebody took, from what is kept; null where nobody knows. */
static void add_seconds(struct kl_json *json, const struct kl_run *run)
{
    char *text = NULL;
    struct kl_error err;
    cJSON *answer;

    if (kl_results_find(run, kl_errand_name(KL_ERRAND_RETRAIN), NULL, &text, &err))
        text = NULL; /* who asks for an answer itself is told */
    answer = text ? cJSON_Parse(text) : NULL;
    kl_json_number(json, "training_seconds",
                   cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(answer, "seconds")));
    cJSON_Delete(answer);
    free(text);
}

/* Whether a text that a file has is JSON, as it is passed on. */
static int is_json(const char *text)
{
    cJSON *parsed = cJSON_ParseWithOpts(text, NULL, 1);
    int is_object = cJSON_IsObject(parsed);

    cJSON_Delete(parsed);
    return is_object;
}

static char *describe(const struct kl_run *run, const struct kl_job_view *view)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;

    kl_json_string(json, "state", states[view->state]);
    if (view->state == KL_JOB_NONE || view->state == KL_JOB_CANCELLED)
        add_seconds(json, run);
    if (view->state == KL_JOB_WAITING)
        kl_json_count(json, "before", view->before);
    if (view->state == KL_JOB_RUNNING) {
        kl_json_count(json, "done", view->done);
        kl_json_count(json, "total", view->total);
        kl_json_number(json, "seconds", view->seconds);
    }
    if (view->note) {
        char note[600];

        kl_drop_folders(view->note, 1, note, sizeof note);
        kl_json_string(json, "note", note);
    }
    if (view->answer)
        kl_json_raw(json, "answer", view->answer);
    return kl_json_finish(json);
}

static void look(struct kl_service *service, struct kl_run *run, const struct kl_errand *errand,
                 int takes_any, struct kl_reply *reply)
{
    const char *kind = kl_errand_name(errand->kind);
    struct kl_job_view view;
    struct kl_error err;
    enum kl_status status = kl_jobs_look(&service->jobs, run, errand, &view, &err);

    if (!status && takes_any && view.state == KL_JOB_NONE) {
        status = kl_results_find(run, kind, NULL, &view.answer, &err);
        view.state = view.answer ? KL_JOB_DONE : KL_JOB_NONE;
    }
    if (status)
        kl_reply_error(reply, NULL, &err);
    else if (view.answer && !is_json(view.answer))
        kl_reply_problem(reply, 500, NULL,
                         "an answer that is kept beside the run cannot be read: move its .results "
                         "file away");
    else
        kl_reply_json(reply, describe(run, &view));
    free(view.answer);
    free(view.note);
}

/* Of the table of scores, any that is kept will do where no words are given. */
static void serve(struct kl_service *service, struct kl_run *run, const struct kl_request *request,
                  struct kl_errand *errand, struct kl_reply *reply)
{
    int takes_any = errand->kind == KL_ERRAND_TRUTH && !request->is_post && !request->n_parameters;
    int cancels = 0;
    struct kl_error err;
    enum kl_status status;

    if (request->is_post ? kl_request_allows(request, reply, NULL) ||
                               read_body(run, request, errand, &cancels, reply)
                         : read_parameters(run, request, errand, reply))
        return;
    status = kl_errand_check(errand, &err);
    if (!status && request->is_post)
        status = cancels ? kl_jobs_cancel(&service->jobs, run, errand, &err)
                         : kl_jobs_begin(&service->jobs, run, errand, &err);
    if (status) {
        kl_reply_error(reply, NULL, &err);
        reply->retry_after = status == KL_ERR_BUSY ? 10 : 0;
    } else {
        look(service, run, errand, takes_any, reply);
    }
}

void kl_serve_errand(struct kl_service *service, struct kl_run *run, enum kl_errand_kind kind,
                     const struct kl_request *request, struct kl_reply *reply)
{
    struct kl_errand errand;
    struct kl_error err;

    if (kl_errand_possible(kind, run, &err)) {
        kl_reply_error(reply, NULL, &err);
        return;
    }
    if (request->is_post && kl_peers_n(run->history.peers) > 1) {
        kl_reply_problem(reply, 400, NULL,
                         "several processes serve this run, and do not do what takes long beside "
                         "their answers: ask 'keylight retrain' or 'keylight influence', whose "
                         "answers are kept and shown here, or one process that serves the run");
        return;
    }
    kl_errand_init(kind, run, &errand);
    serve(service, run, request, &errand, reply);
    kl_errand_clear(&errand);
}
