/* Hubness and suspects: computed once per run and question, then kept. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "server/handlers/handlers.h"
#include "api/asked/question.h"
#include "api/answers.h"

/* So many suspects of largest own are asked for their neighbours: two seconds for 60,000 samples on
 * two processors, and more than anybody looks through. */
#define CANDIDATES 2000
#define DEFAULT_LIMIT 100
#define LIMIT_MAX 1000

struct kl_known_hubness {
    struct kl_known_hubness *next;
    const struct kl_run *run;
    uint32_t layer;
    const struct kl_rank *rank;
    int by_sample;
    struct kl_hubness common;
};

struct kl_known_suspects {
    struct kl_known_suspects *next;
    const struct kl_run *run;
    struct kl_suspects suspects;
};

void kl_batch_queries_init(struct kl_batch_queries *batch)
{
    pthread_mutex_init(&batch->lock, NULL);
    pthread_mutex_init(&batch->computing, NULL);
    sem_init(&batch->places, 0, KL_BATCH_QUERIES_MAX);
    batch->commons = NULL;
    batch->suspects = NULL;
}

/* Lets go of what is kept about a run; NULL: about any. */
static void drop(struct kl_batch_queries *batch, const struct kl_run *run)
{
    struct kl_known_hubness **common = &batch->commons;
    struct kl_known_suspects **suspects = &batch->suspects;

    while (*common) {
        struct kl_known_hubness *known = *common;

        if (run && known->run != run) {
            common = &known->next;
            continue;
        }
        *common = known->next;
        kl_hubness_clear(&known->common);
        free(known);
    }
    while (*suspects) {
        struct kl_known_suspects *known = *suspects;

        if (run && known->run != run) {
            suspects = &known->next;
            continue;
        }
        *suspects = known->next;
        kl_suspects_clear(&known->suspects);
        free(known);
    }
}

void kl_batch_queries_forget(struct kl_batch_queries *batch, const struct kl_run *run)
{
    pthread_mutex_lock(&batch->lock);
    drop(batch, run);
    pthread_mutex_unlock(&batch->lock);
}

void kl_batch_queries_clear(struct kl_batch_queries *batch)
{
    drop(batch, NULL);
    pthread_mutex_destroy(&batch->lock);
    pthread_mutex_destroy(&batch->computing);
    sem_destroy(&batch->places);
}

/* Takes the turn to compute, or answers that too many wait; given back with end_turn. */
static int take_turn(struct kl_batch_queries *batch, struct kl_reply *reply)
{
    if (sem_trywait(&batch->places)) {
        kl_reply_problem(reply, 503, NULL, "%d such questions wait already: try again in a moment",
                         KL_BATCH_QUERIES_MAX);
        reply->retry_after = 1;
        return -1;
    }
    pthread_mutex_lock(&batch->computing);
    return 0;
}

static void end_turn(struct kl_batch_queries *batch)
{
    pthread_mutex_unlock(&batch->computing);
    sem_post(&batch->places);
}

static const struct kl_hubness *find_common(struct kl_batch_queries *batch,
                                            const struct kl_run *run, const struct kl_query *query)
{
    const struct kl_known_hubness *known;

    pthread_mutex_lock(&batch->lock);
    known = batch->commons;
    while (known && (known->run != run || known->layer != query->layer ||
                     known->rank != query->rank || known->by_sample != query->by_sample))
        known = known->next;
    pthread_mutex_unlock(&batch->lock);
    return known ? &known->common : NULL;
}

static enum kl_status compute_common(struct kl_service *service, struct kl_run *run,
                                     const struct kl_query *query, struct kl_error *err)
{
    struct kl_known_hubness *known = NULL;
    enum kl_unit unit = query->by_sample ? KL_UNIT_SAMPLE : KL_UNIT_PATTERN;
    enum kl_status status = kl_alloc(&known, 1, sizeof *known, "common samples", err);

    if (!status)
        status = kl_hubness(service->pool, &run->history, query->layer - 1, query->rank, unit,
                            &known->common, err);
    if (status) {
        free(known);
        return status;
    }
    known->run = run;
    known->layer = query->layer;
    known->rank = query->rank;
    known->by_sample = query->by_sample;
    pthread_mutex_lock(&service->batch.lock);
    known->next = service->batch.commons;
    service->batch.commons = known;
    pthread_mutex_unlock(&service->batch.lock);
    return KL_OK;
}

static int read_question(const struct kl_run *run, const struct kl_request *request,
                         struct kl_question *question, struct kl_reply *reply)
{
    static const char *const words[] = {"layer", "by"};
    const char *rank = kl_request_get(request, "rank");
    struct kl_error err;

    kl_question_init(&run->history, question);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        const char *text = kl_request_get(request, words[i]);

        if (text && kl_question_set(question, &run->history, words[i], text, &err)) {
            kl_reply_error(reply, NULL, &err);
            return -1;
        }
    }
    if (rank && kl_question_row_rank(rank, 1, &question->query.rank, &err)) {
        kl_reply_error(reply, NULL, &err);
        return -1;
    }
    return 0;
}

void kl_serve_hubness(struct kl_service *service, struct kl_run *run,
                      const struct kl_request *request, struct kl_reply *reply)
{
    struct kl_question question;
    const struct kl_query *query = &question.query;
    const struct kl_hubness *common = NULL;
    struct kl_error err;

    if (kl_request_allows(request, reply, "layer", "rank", "by", NULL) ||
        read_question(run, request, &question, reply))
        return;
    common = find_common(&service->batch, run, query);
    if (!common) {
        if (take_turn(&service->batch, reply))
            return;
        common = find_common(&service->batch, run, query); /* while this one waited */
        if (!common && compute_common(service, run, query, &err))
            kl_reply_error(reply, NULL, &err);
        end_turn(&service->batch);
        common = find_common(&service->batch, run, query);
    }
    if (common)
        kl_reply_json(reply, kl_json_hubness(run, query, common));
}

static const struct kl_suspects *find_suspects(struct kl_batch_queries *batch,
                                               const struct kl_run *run)
{
    const struct kl_known_suspects *known;

    pthread_mutex_lock(&batch->lock);
    known = batch->suspects;
    while (known && known->run != run)
        known = known->next;
    pthread_mutex_unlock(&batch->lock);
    return known ? &known->suspects : NULL;
}

static enum kl_status compute_suspects(struct kl_service *service, struct kl_run *run,
                                       struct kl_error *err)
{
    struct kl_known_suspects *known = NULL;
    enum kl_status status = kl_alloc(&known, 1, sizeof *known, "suspects", err);

    if (!status)
        status = kl_suspects(service->pool, &run->history, CANDIDATES, NULL, NULL, &known->suspects,
                             err);
    if (status) {
        free(known);
        return status;
    }
    known->run = run;
    pthread_mutex_lock(&service->batch.lock);
    known->next = service->batch.suspects;
    service->batch.suspects = known;
    pthread_mutex_unlock(&service->batch.lock);
    return KL_OK;
}

void kl_serve_suspects(struct kl_service *service, struct kl_run *run,
                       const struct kl_request *request, struct kl_reply *reply)
{
    const struct kl_suspects *suspects = NULL;
    uint32_t limit = DEFAULT_LIMIT, first = 0, end;
    struct kl_error err;
    char *text = NULL;

    if (kl_request_allows(request, reply, "limit", "next", NULL) ||
        kl_request_number(request, reply, "limit", 1, LIMIT_MAX, &limit) ||
        kl_request_page(request, reply, &first))
        return;
    suspects = find_suspects(&service->batch, run);
    if (!suspects) {
        if (take_turn(&service->batch, reply))
            return;
        suspects = find_suspects(&service->batch, run); /* while this one waited */
        if (!suspects && compute_suspects(service, run, &err))
            kl_reply_error(reply, NULL, &err);
        end_turn(&service->batch);
        suspects = find_suspects(&service->batch, run);
    }
    if (!suspects)
        return;
    first = first < suspects->n ? first : suspects->n;
    end = limit < suspects->n - first ? first + limit : suspects->n;
    if (kl_json_suspects(run, suspects, first, end, &text, &err)) {
        free(text);
        kl_reply_error(reply, NULL, &err);
    } else {
        kl_reply_json(reply, text);
    }
}
