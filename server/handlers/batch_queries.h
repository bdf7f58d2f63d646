/* Answers about many samples, which take seconds: kept once they are known. */
#ifndef KL_SERVER_HANDLERS_BATCH_QUERIES_H
#define KL_SERVER_HANDLERS_BATCH_QUERIES_H

#include <pthread.h>
#include <semaphore.h>

struct kl_known_hubness;
struct kl_known_suspects;
struct kl_run;

/* Batch queries that are computed or wait for their turn; full: 503. They have places of their own,
 * so that they never keep queries from theirs. */
#define KL_BATCH_QUERIES_MAX 4

/* Both lists grow by one entry per run and question; entries never change, and go with their run.
 */
struct kl_batch_queries {
    pthread_mutex_t computing; /* one at a time */
    sem_t places;
    pthread_mutex_t lock; /* of the lists, held for a moment only */
    struct kl_known_hubness *commons;
    struct kl_known_suspects *suspects;
};

void kl_batch_queries_init(struct kl_batch_queries *batch);
void kl_batch_queries_clear(struct kl_batch_queries *batch);

/* Lets go of what is kept about a run, which nobody uses any more. Thread-safe. */
void kl_batch_queries_forget(struct kl_batch_queries *batch, const struct kl_run *run);

#endif
