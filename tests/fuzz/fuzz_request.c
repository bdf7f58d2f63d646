/* Any request: method, path, parameters and body, cut out of the bytes at NULs, against a real run.
 * Every answer has a status and a body, and nothing crashes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/http/guard.h"
#include "server/routes.h"
#include "tests/lib/small_run.h"

static struct kl_service service;
static struct kl_run *run;

static void set_up(void)
{
    static struct small_run small;
    struct kl_served *served = NULL;
    struct kl_pool *pool = NULL;
    struct kl_error err;

    small_run_create(&small, KL_F16);
    unlink("fuzz.keylight");
    small_run_write(&small, "fuzz.keylight", 0);
    if (kl_pool_create(2, &pool, &err) || kl_run_open("fuzz.keylight", 2, &run, &err) ||
        kl_served_create(pool, 0, &served, &err) || kl_served_add(served, run, &err))
        abort();
    kl_service_init(&service, served, pool);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t n_bytes)
{
    static const char *const below[] = {"",           "/attention", "/samples",
                                        "/sheet.png", "/images/",   "/samples/"};
    char *text = malloc(n_bytes + 2), path[600], *words[2 * KL_PARAMETERS_MAX + 2];
    struct kl_request request = {0};
    struct kl_reply reply = {0};
    size_t n_words = 0;

    if (!run)
        set_up();
    memcpy(text, bytes, n_bytes);
    text[n_bytes] = text[n_bytes + 1] = '\0';
    for (char *at = text + (n_bytes > 0);
         n_words < 2 * KL_PARAMETERS_MAX + 2 && at <= text + n_bytes; at += strlen(at) + 1)
        words[n_words++] = at;
    if (n_bytes && bytes[0] < 12)
        snprintf(path, sizeof path, "/api/v1/runs/%s%s%.300s", run->fingerprint,
                 below[bytes[0] % 6], n_words ? words[0] : "");
    else
        snprintf(path, sizeof path, "/%.500s", n_words ? words[0] : "");
    request.path = path;
    request.is_post = n_bytes && bytes[0] % 12 >= 6;
    request.body = n_words > 1 ? words[1] : "";
    request.body_bytes = strlen(request.body);
    for (size_t i = 2; i + 1 < n_words; i += 2)
        request.parameters[request.n_parameters++] = (struct kl_parameter){words[i], words[i + 1]};
    kl_route(&service, &request, &reply);
    if (!reply.status || (!reply.owned && !reply.borrowed))
        abort();
    kl_guard_host(request.body, NULL, 0);
    kl_guard_etag_matches(request.body, "\"a\"");
    kl_guard_cookie(request.body, "k", path, 8);
    free(reply.owned);
    free(text);
    return 0;
}
