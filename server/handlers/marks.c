/* What people decide about suspicious labels. */
#include <cJSON.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/answers.h"
#include "api/csv.h"
#include "server/handlers/handlers.h"

static void reply_marks(const struct kl_run *run, int as_csv, int has_bom, struct kl_reply *reply)
{
    struct kl_mark *marks = NULL;
    struct kl_error err;
    uint32_t n = 0;

    if (kl_marks_read(run, &marks, &n, &err))
        kl_reply_error(reply, NULL, &err);
    else if (as_csv)
        kl_reply_text(reply, "text/csv; charset=utf-8", kl_csv_marks(run, marks, n, has_bom));
    else
        kl_reply_json(reply, kl_json_marks(run, marks, n));
    free(marks);
}

/* A whole number of a body's member: 0, or -1. */
static int read_number(const cJSON *item, double most, double *value)
{
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= most) ||
        item->valuedouble != floor(item->valuedouble))
        return -1;
    *value = item->valuedouble;
    return 0;
}

/* {"sample": ID, "decision": "wrong" | "fine" | "unsure" | null, "label": LABEL or null}: 0, or -1
 * with the problem in *reply. */
static int read_mark(const cJSON *body, struct kl_mark *mark, struct kl_reply *reply)
{
    const cJSON *decision = cJSON_GetObjectItemCaseSensitive(body, "decision");
    const cJSON *label = cJSON_GetObjectItemCaseSensitive(body, "label"), *item;
    double value = 0;

    if (!cJSON_IsObject(body)) {
        kl_reply_problem(reply, 400, NULL,
                         "the body is a JSON object with a sample's id and what is decided of it");
        return -1;
    }
    cJSON_ArrayForEach(item, body)
    {
        if (strcmp(item->string, "sample") != 0 && strcmp(item->string, "decision") != 0 &&
            strcmp(item->string, "label") != 0) {
            kl_reply_problem(reply, 400, item->string, "a mark has sample, decision and label");
            return -1;
        }
    }
    if (read_number(cJSON_GetObjectItemCaseSensitive(body, "sample"), INT32_MAX, &value)) {
        kl_reply_problem(reply, 400, "sample", "sample is the id of a sample");
        return -1;
    }
    mark->sample = (uint32_t)value;
    mark->decision = KL_N_DECISIONS;
    if (!cJSON_IsNull(decision) &&
        (!cJSON_IsString(decision) || kl_decision_parse(decision->valuestring, &mark->decision))) {
        kl_reply_problem(reply, 400, "decision",
                         "decision is wrong, fine, unsure, or null to take the mark back");
        return -1;
    }
    mark->label = -1;
    if (!label || cJSON_IsNull(label))
        return 0;
    if (mark->decision != KL_MARK_WRONG || read_number(label, KL_CLASSES_MAX, &value)) {
        kl_reply_problem(reply, 400, "label", "label is the right class of what is wrong");
        return -1;
    }
    mark->label = (int64_t)value;
    return 0;
}

void kl_serve_marks(struct kl_run *run, const struct kl_request *request, struct kl_reply *reply)
{
    const char *format = kl_request_get(request, "format");
    uint32_t bom = 0;
    struct kl_mark mark;
    struct kl_error err;
    cJSON *body;

    if (!request->is_post) {
        if (kl_request_allows(request, reply, "format", "bom", NULL) ||
            kl_request_number(request, reply, "bom", 0, 1, &bom))
            return;
        if (format && strcmp(format, "csv") != 0 && strcmp(format, "json") != 0)
            kl_reply_problem(reply, 400, "format", "format is json or csv");
        else
            reply_marks(run, format && !strcmp(format, "csv"), (int)bom, reply);
        return;
    }
    if (kl_request_allows(request, reply, NULL))
        return;
    body = cJSON_ParseWithLength(request->body, request->body_bytes);
    if (!read_mark(body, &mark, reply)) {
        if (kl_marks_set(run, &mark, &err))
            kl_reply_error(reply, NULL, &err);
        else
            reply_marks(run, 0, 0, reply);
    }
    cJSON_Delete(body);
}
