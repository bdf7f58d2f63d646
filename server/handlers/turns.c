#include "server/handlers/turns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_S 20

struct kl_waiting {
    struct kl_waiting *next;
    const char *client;
    pthread_cond_t called;
    int has_turn;
};

void kl_turns_init(struct kl_turns *turns, unsigned most)
{
    memset(turns, 0, sizeof *turns);
    pthread_mutex_init(&turns->lock, NULL);
    turns->most = most;
}

void kl_turns_clear(struct kl_turns *turns)
{
    pthread_mutex_destroy(&turns->lock);
}

static unsigned long long served(const struct kl_turns *turns, const char *client)
{
    for (int i = 0; i < KL_TURN_CLIENTS; i++)
        if (!strcmp(turns->clients[i].client, client))
            return turns->clients[i].served;
    return 0;
}

/* In place of whom was served longest ago, if there is no room for another. */
static void note_served(struct kl_turns *turns, const char *client)
{
    int place = 0;

    for (int i = 0; i < KL_TURN_CLIENTS; i++) {
        if (!strcmp(turns->clients[i].client, client)) {
            place = i;
            break;
        }
        if (turns->clients[i].served < turns->clients[place].served)
            place = i;
    }
    snprintf(turns->clients[place].client, sizeof turns->clients[place].client, "%s", client);
    turns->clients[place].served = ++turns->n_given;
    turns->n_taken++;
}

/* Gives free turns to those who wait: with the lock held. */
static void call(struct kl_turns *turns)
{
    while (turns->first && turns->n_taken < turns->most) {
        struct kl_waiting **chosen = &turns->first, *one;

        for (struct kl_waiting **link = chosen; *link; link = &(*link)->next)
            if (served(turns, (*link)->client) < served(turns, (*chosen)->client))
                chosen = link;
        one = *chosen;
        *chosen = one->next;
        one->has_turn = 1;
        note_served(turns, one->client);
        pthread_cond_signal(&one->called);
    }
}

static void leave(struct kl_turns *turns, const struct kl_waiting *waiting)
{
    struct kl_waiting **link = &turns->first;

    while (*link && *link != waiting)
        link = &(*link)->next;
    if (*link)
        *link = waiting->next;
}

/* Waits as the last in the row: whether its turn came. */
static int wait_for_turn(struct kl_turns *turns, struct kl_waiting *waiting)
{
    struct kl_waiting **last = &turns->first;
    struct timespec until;
    int late = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += PATIENCE_S;
    pthread_mutex_lock(&turns->lock);
    while (*last)
        last = &(*last)->next;
    *last = waiting;
    call(turns);
    while (!waiting->has_turn && !late)
        late = pthread_cond_timedwait(&waiting->called, &turns->lock, &until) == ETIMEDOUT;
    if (!waiting->has_turn)
        leave(turns, waiting);
    pthread_mutex_unlock(&turns->lock);
    return waiting->has_turn;
}

int kl_turns_take(struct kl_turns *turns, const struct kl_request *request, struct kl_reply *reply)
{
    struct kl_waiting waiting = {.client = request->client};
    pthread_condattr_t attributes;
    int has_turn;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&waiting.called, &attributes);
    pthread_condattr_destroy(&attributes);
    has_turn = wait_for_turn(turns, &waiting);
    pthread_cond_destroy(&waiting.called);
    if (has_turn)
        return 1;
    kl_reply_problem(
        reply, 503, NULL,
        "there are more questions than can be answered in %d seconds: try again in a moment",
        PATIENCE_S);
    reply->retry_after = 1;
    return 0;
}

void kl_turns_give(struct kl_turns *turns)
{
    pthread_mutex_lock(&turns->lock);
    turns->n_taken--;
    call(turns);
    pthread_mutex_unlock(&turns->lock);
}
