/* Problem documents (RFC 9457). */
#include <stdio.h>

#include "core/base/utf8.h"
#include "api/json.h"
#include "api/answers.h"

char *kl_json_problem(int http_status, const char *title, const char *detail, const char *parameter)
{
    struct kl_json writer = kl_json_begin(), *json = &writer;
    char said[600], name[80]; /* what a request said may be no UTF-8 */

    snprintf(said, sizeof said, "%s", detail);
    snprintf(name, sizeof name, "%s", parameter ? parameter : "");
    kl_utf8_repair(said);
    kl_utf8_repair(name);
    kl_json_string(json, "type", "about:blank");
    kl_json_string(json, "title", title);
    kl_json_count(json, "status", (uint64_t)http_status);
    kl_json_string(json, "detail", said);
    if (parameter)
        kl_json_string(json, "parameter", name);
    return kl_json_finish(json);
}
