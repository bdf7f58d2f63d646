/* From a request to its reply: all that keylight serves, without a connection. */
#ifndef KL_SERVER_ROUTES_H
#define KL_SERVER_ROUTES_H

#include <semaphore.h>

#include "core/pool.h"
#include "db/run.h"
#include "server/http.h"

/* What the handlers work on. Runs and pool are the caller's and outlive the service. */
struct kl_service {
    struct kl_run *const *runs;
    size_t n_runs;
    struct kl_pool *pool;
    sem_t scans; /* places for queries that scan or wait for their turn */
};

/* Queries that may scan or wait at once: each holds two float32 per pattern. */
#define KL_SCANS_MAX 16

/* Thread-safe. */
void kl_route(struct kl_service *service, const struct kl_request *request,
              struct kl_reply *reply);

/* Handlers of one resource each; run is NULL where the path names none, rest is what follows it. */
void kl_serve_runs(struct kl_service *service, const struct kl_request *request,
                   struct kl_reply *reply);
void kl_serve_run(struct kl_run *run, const struct kl_request *request, struct kl_reply *reply);
void kl_serve_samples(struct kl_run *run, const struct kl_request *request,
                      struct kl_reply *reply);
void kl_serve_sample(struct kl_run *run, const char *id, const struct kl_request *request,
                     struct kl_reply *reply);
void kl_serve_image(struct kl_run *run, const char *file, const struct kl_request *request,
                    struct kl_reply *reply);
void kl_serve_sheet(struct kl_run *run, const struct kl_request *request, struct kl_reply *reply);
void kl_serve_attention(struct kl_service *service, struct kl_run *run,
                        const struct kl_request *request, struct kl_reply *reply);

/* The value of a parameter, or NULL. */
const char *kl_request_get(const struct kl_request *request, const char *name);

/* Refuses parameters other than the named ones (a list ended by NULL) and repeated ones: returns 0,
 * or -1 with the problem in *reply. */
int kl_request_allows(const struct kl_request *request, struct kl_reply *reply, ...)
    __attribute__((sentinel));

#endif
