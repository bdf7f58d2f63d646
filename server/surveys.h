/* Answers about many samples, which take seconds: kept once they are known. */
#ifndef KL_SERVER_SURVEYS_H
#define KL_SERVER_SURVEYS_H

#include <pthread.h>

struct kl_known_common;
struct kl_known_suspects;

/* Both lists only grow, by one entry per run and question; entries never change. */
struct kl_surveys {
    pthread_mutex_t lock; /* held while an answer is computed: whoever asks the same waits for it */
    struct kl_known_common *commons;
    struct kl_known_suspects *suspects;
};

void kl_surveys_init(struct kl_surveys *surveys);
void kl_surveys_clear(struct kl_surveys *surveys);

#endif
