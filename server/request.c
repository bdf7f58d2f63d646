#include "server/http.h"

#include <stdarg.h>
#include <string.h>

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
