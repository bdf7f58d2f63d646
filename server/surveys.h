/* Answers about many samples, which take seconds: kept once they are known. */
#ifndef KL_SERVER_SURVEYS_H
#define KL_SERVER_SURVEYS_H

#include <pthread.h>
#include <semaphore.h>

struct kl_known_hubness;
struct kl_known_suspects;

/* Surveys that are computed or wait for their turn; full: 503. They have places of their own, so
 * that they never keep queries from theirs. */
#define KL_SURVEYS_MAX 4

/* Both lists only grow, by one entry per run and question; entries never change. */
struct kl_surveys {
    pthread_mutex_t computing; /* one at a time */
    sem_t places;
    pthread_mutex_t lock; /* of the lists, held for a moment only */
    struct kl_known_hubness *commons;
    struct kl_known_suspects *suspects;
};

void kl_surveys_init(struct kl_surveys *surveys);
void kl_surveys_clear(struct kl_surveys *surveys);

#endif
