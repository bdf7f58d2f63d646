/* One function per resource: each reads its parameters, calls core or db, and replies. */
#ifndef KL_SERVER_HANDLERS_HANDLERS_H
#define KL_SERVER_HANDLERS_HANDLERS_H

#include <semaphore.h>

#include "core/base/pool.h"
#include "db/run.h"
#include "server/handlers/inquiries.h"
#include "server/handlers/sample_lists.h"
#include "server/handlers/turns.h"
#include "server/http/http.h"
#include "server/jobs/jobs.h"
#include "server/sharing.h"
#include "server/served/served.h"
#include "server/handlers/batch_queries.h"

/* Pictures drawn at once: each needs some ten times its pixels. */
#define KL_PICTURES_MAX 4

/* What the handlers work on. Runs and pool are the caller's and outlive the service. */
struct kl_service {
    struct kl_served *served;
    struct kl_pool *pool;
    struct kl_sharing sharing;     /* with the processes that hold the runs, too */
    struct kl_turns shared_turns;  /* of what all of these answer: one at a time */
    int follows;                   /* whether this is not the process that is asked */
    struct kl_turns turns;         /* of queries */
    struct kl_batch_queries batch; /* what has been asked of many samples already */
    struct kl_inquiries inquiries; /* of the subjects asked about last */
    char public_url[600]; /* where people reach the server, without "/" at its end; or empty */
    struct kl_jobs jobs;  /* what takes training */
    struct kl_sample_lists lists;
    sem_t pictures; /* places for pictures being drawn; full: wait */
};

/* The page at a path of its own, "/r/RUN/q/...". */
void kl_serve_page(const struct kl_service *service, const struct kl_request *request,
                   struct kl_reply *reply);

/* All are thread-safe. id and file are the last segment of the path. */
void kl_serve_runs(struct kl_service *service, const struct kl_request *request,
                   struct kl_reply *reply);
void kl_serve_memory(struct kl_service *service, const struct kl_request *request,
                     struct kl_reply *reply);
void kl_serve_ranks(const struct kl_request *request, struct kl_reply *reply);
void kl_serve_run(struct kl_run *run, const struct kl_request *request, struct kl_reply *reply);
void kl_serve_progress(struct kl_run *run, const struct kl_request *request,
                       struct kl_reply *reply);
void kl_serve_samples(struct kl_service *service, struct kl_run *run,
                      const struct kl_request *request, struct kl_reply *reply);
void kl_serve_confusion(struct kl_run *run, const struct kl_request *request,
                        struct kl_reply *reply);
void kl_serve_map(struct kl_service *service, struct kl_run *run, const struct kl_request *request,
                  struct kl_reply *reply);
void kl_serve_sample(struct kl_run *run, const char *id, const struct kl_request *request,
                     struct kl_reply *reply);
void kl_serve_image(struct kl_service *service, struct kl_run *run, const char *file,
                    const struct kl_request *request, struct kl_reply *reply);
void kl_serve_sheet(struct kl_service *service, struct kl_run *run,
                    const struct kl_request *request, struct kl_reply *reply);

/* What is asked about one subject: "answer", "spotlight", "views/time" and so on, or all at once,
 * "attention"; the words each depends on stand in one table. */
int kl_is_about_subject(const char *resource);
void kl_serve_about_subject(struct kl_service *service, struct kl_run *run, const char *resource,
                            const struct kl_request *request, struct kl_reply *reply);

/* Of text runs. */
void kl_serve_documents(struct kl_run *run, const struct kl_request *request,
                        struct kl_reply *reply);
void kl_serve_reading(struct kl_service *service, struct kl_run *run,
                      const struct kl_request *request, struct kl_reply *reply);
void kl_serve_attention_map(struct kl_service *service, struct kl_run *run,
                            const struct kl_request *request, struct kl_reply *reply);
void kl_serve_continuation(struct kl_service *service, struct kl_run *run,
                           const struct kl_request *request, struct kl_reply *reply);

void kl_serve_hubness(struct kl_service *service, struct kl_run *run,
                      const struct kl_request *request, struct kl_reply *reply);
void kl_serve_suspects(struct kl_service *service, struct kl_run *run,
                       const struct kl_request *request, struct kl_reply *reply);
void kl_serve_marks(struct kl_run *run, const struct kl_request *request, struct kl_reply *reply);

/* What takes training, by its kind: GET looks at it, POST begins or cancels it. */
void kl_serve_errand(struct kl_service *service, struct kl_run *run, enum kl_errand_kind kind,
                     const struct kl_request *request, struct kl_reply *reply);

#endif
