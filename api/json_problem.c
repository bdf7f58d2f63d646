/* Problem documents (RFC 9457). */
#include <cJSON.h>
#include <stdio.h>

#include "core/base/utf8.h"
#include "api/json.h"
#include "api/represent.h"

char *kl_represent_problem(int http_status, const char *title, const char *detail,
                           const char *parameter)
{
    cJSON *object = cJSON_CreateObject();
    char text[600], name[80]; /* what a request said may be no UTF-8 */

    snprintf(text, sizeof text, "%s", detail);
    snprintf(name, sizeof name, "%s", parameter ? parameter : "");
    kl_utf8_repair(text);
    kl_utf8_repair(name);
    cJSON_AddStringToObject(object, "type", "about:blank");
    cJSON_AddStringToObject(object, "title", title);
    kl_json_count(object, "status", (uint64_t)http_status);
    cJSON_AddStringToObject(object, "detail", text);
    if (parameter)
        cJSON_AddStringToObject(object, "parameter", name);
    return kl_json_finish(object);
}
