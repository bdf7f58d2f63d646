#include "server/http/http.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/number.h"

const char *kl_request_get(const struct kl_request *request, const char *name)
{
    for (size_t i = 0; i < request->n_parameters; i++)
        if (!strcmp(request->parameters[i].name, name))
            return request->parameters[i].value;
    return NULL;
}

int kl_request_allows(const struct kl_request *request, struct kl_reply *reply, ...)
{
    for (size_t i = 0; i < request->n_parameters; i++) {
        const char *name = request->parameters[i].name, *allowed;
        int known = 0;
        va_list names;

        va_start(names, reply);
        while ((allowed = va_arg(names, const char *)))
            known |= !strcmp(name, allowed);
        va_end(names);
        if (!known) {
            kl_reply_problem(reply, 400, name,
                             "this address knows no parameter of that name: see docs/api.md");
            return -1;
        }
        if (kl_request_get(request, name) != request->parameters[i].value) {
            kl_reply_problem(reply, 400, name, "this parameter may be given once only");
            return -1;
        }
    }
    return 0;
}

int kl_request_number(const struct kl_request *request, struct kl_reply *reply, const char *name,
                      uint32_t low, uint32_t high, uint32_t *value)
{
    const char *text = kl_request_get(request, name);
    uint32_t number;

    if (!text)
        return 0;
    if (kl_parse_number(text, &number) || number < low || number > high) {
        kl_reply_problem(reply, 400, name, "%s is a whole number from %u to %u", name, low, high);
        return -1;
    }
    *value = number;
    return 0;
}

int kl_request_page(const struct kl_request *request, struct kl_reply *reply, uint32_t *from)
{
    const char *token = kl_request_get(request, "next");
    unsigned long value;

    *from = 0;
    if (!token)
        return 0;
    value = *token == 's' ? strtoul(token + 1, NULL, 16) : 0;
    if (*token != 's' || strspn(token + 1, "0123456789abcdef") != strlen(token + 1) ||
        strlen(token) < 2 || strlen(token) > 9 || value > INT32_MAX) {
        kl_reply_problem(reply, 400, "next", "next is what the page before gave as next");
        return -1;
    }
    *from = (uint32_t)value;
    return 0;
}
