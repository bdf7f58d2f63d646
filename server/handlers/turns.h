/* Turns to compute, shared between clients: so many at once, and among those who wait it is the
 * turn of the client that was served longest ago. One who asks a thousand questions so holds up
 * nobody who asks one. */
#ifndef KL_SERVER_HANDLERS_TURNS_H
#define KL_SERVER_HANDLERS_TURNS_H

#include <pthread.h>

#include "server/http/http.h"

#define KL_TURN_CLIENTS 64 /* of whom it is remembered where their rows end */
#define KL_TURN_WAITING 64 /* who may wait at once */

struct kl_waiting;

struct kl_turns {
    pthread_mutex_t lock;
    unsigned most, n_taken, n_waiting;
    struct kl_waiting *first; /* in the order in which they came */
    struct {
        char client[80];
        unsigned long long tag; /* of the last question; 0: nobody */
    } clients[KL_TURN_CLIENTS];
    unsigned long long now; /* the tag of the question that got its turn last */
};

void kl_turns_init(struct kl_turns *turns, unsigned most);
void kl_turns_clear(struct kl_turns *turns);

/* Waits for a turn of the request's client: whether there was one, to be given back with
 * kl_turns_give; else the problem is in *reply: too many wait, of whom those of the address that
 * has the most are sent away first, or it took too long. Thread-safe. */
int kl_turns_take(struct kl_turns *turns, const struct kl_request *request, struct kl_reply *reply);
void kl_turns_give(struct kl_turns *turns);

#endif
