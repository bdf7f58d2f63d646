/* Turns to compute, shared between clients: so many at once, and among those who wait it is the
 * turn of the client that was served longest ago. One who asks a thousand questions so holds up
 * nobody who asks one. */
#ifndef KL_SERVER_HANDLERS_TURNS_H
#define KL_SERVER_HANDLERS_TURNS_H

#include <pthread.h>

#include "server/http/http.h"

#define KL_TURN_CLIENTS 64 /* of whom it is remembered when they were served */

struct kl_waiting;

struct kl_turns {
    pthread_mutex_t lock;
    unsigned most, n_taken;
    struct kl_waiting *first;
    struct {
        char client[80];
        unsigned long long served; /* by the count of turns given; 0: never */
    } clients[KL_TURN_CLIENTS];
    unsigned long long n_given;
};

void kl_turns_init(struct kl_turns *turns, unsigned most);
void kl_turns_clear(struct kl_turns *turns);

/* Waits for a turn of the request's client: whether there was one, to be given back with
 * kl_turns_give; else the problem is in *reply. Thread-safe. */
int kl_turns_take(struct kl_turns *turns, const struct kl_request *request, struct kl_reply *reply);
void kl_turns_give(struct kl_turns *turns);

#endif
