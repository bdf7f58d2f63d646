/* Any words of a question: a path below a run, or any path, and parameters, cut out of the bytes at
 * NULs, against a run of images and one of text. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/http/guard.h"
#include "tests/fuzz/lib/fuzz.h"

static const char *const below[] = {"/attention",
                                    "/answer",
                                    "/spotlight",
                                    "/strips",
                                    "/why",
                                    "/removal",
                                    "/views/classes",
                                    "/views/curves",
                                    "/views/time",
                                    "/views/samples",
                                    "/views/places",
                                    "/views/learning",
                                    "/figures/answer.svg",
                                    "/figures/strips.svg",
                                    "/figures/spotlight.svg",
                                    "/figures/wall.svg",
                                    "/figures/heat.svg",
                                    "/samples",
                                    "/samples/0",
                                    "/sheet.png",
                                    "/images/0.png",
                                    "/confusion",
                                    "/map",
                                    "/common",
                                    "/suspects",
                                    "/marks",
                                    "/documents",
                                    "/reading",
                                    "/heat",
                                    "/continuation",
                                    "/progress",
                                    ""};

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    const struct kl_run *image, *text;
    struct kl_service *service = fuzz_service(&image, &text);
    char *words = malloc(n_bytes + 2), path[700];
    struct kl_request request = {.path = path, .body = ""};
    unsigned which = n_bytes ? bytes[0] : 0, where = n_bytes > 1 ? bytes[1] : 0;
    char *at = words;

    if (!words)
        abort();
    memcpy(words, bytes, n_bytes);
    words[n_bytes] = words[n_bytes + 1] = '\0';
    at += n_bytes > 1 ? 2 : n_bytes;
    if (which % 4 < 2)
        snprintf(path, sizeof path, "/api/v1/runs/%s%s",
                 which % 4 ? text->fingerprint : image->fingerprint,
                 below[where % (sizeof below / sizeof below[0])]);
    else if (which % 4 == 2)
        snprintf(path, sizeof path, "/api/v1/runs/%s/%.500s", image->fingerprint, at);
    else
        snprintf(path, sizeof path, "/%.500s", at);
    if (which % 4 >= 2)
        at += strlen(at) + 1;
    request.accepts_gzip = which / 4 % 2;
    while (at < words + n_bytes && request.n_parameters < KL_PARAMETERS_MAX) {
        char *value = at + strlen(at) + 1 <= words + n_bytes ? at + strlen(at) + 1 : "";

        request.parameters[request.n_parameters++] = (struct kl_parameter){at, value};
        at = value + strlen(value) + 1;
        if (!*value)
            break;
    }
    fuzz_ask(service, &request);
    if (request.n_parameters) {
        kl_guard_host(request.parameters[0].value, NULL, 0);
        kl_guard_etag_matches(request.parameters[0].value, "\"a\"");
        kl_guard_cookie(request.parameters[0].value, "k", path, 8);
    }
    free(words);
    return 0;
}
