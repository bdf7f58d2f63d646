/* Any bytes as the JSON body of what is posted about images and texts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/lib/fuzz.h"

static const char *const resources[] = {"attention", "answer",       "spotlight", "strips",
                                        "reading",   "continuation", "heat",      "views/time",
                                        "removal",   "marks"};

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    const struct kl_run *image, *text;
    struct kl_service *service = fuzz_service(&image, &text);
    char *body = malloc(n_bytes + 1), path[100];
    struct kl_request request = {.path = path, .body = body, .is_post = 1};
    unsigned which = n_bytes ? bytes[0] : 0;

    if (!body)
        abort();
    request.body_bytes = n_bytes ? n_bytes - 1 : 0;
    memcpy(body, bytes + (n_bytes > 0), request.body_bytes);
    body[request.body_bytes] = '\0';
    snprintf(path, sizeof path, "/api/v1/runs/%s/%s",
             which % 2 ? text->fingerprint : image->fingerprint,
             resources[which / 2 % (sizeof resources / sizeof resources[0])]);
    fuzz_ask(service, &request);
    free(body);
    return 0;
}
