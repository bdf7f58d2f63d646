#include "server/handlers/turns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define PATIENCE_S 20

struct kl_waiting {
    struct kl_waiting *next;
    const char *client;
    unsigned long long tag;
    pthread_cond_t called;
    int has_turn, is_sent_away;
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

/* The tag of a client's next question: behind its last one, and not before what has its turn now.
 * In place of the row that ended first, if there is no room for another. */
static unsigned long long next_tag(struct kl_turns *turns, const char *client)
{
    int place = 0;

    for (int i = 0; i < KL_TURN_CLIENTS; i++) {
        if (!strcmp(turns->clients[i].client, client)) {
            place = i;
            break;
        }
        if (turns->clients[i].tag < turns->clients[place].tag)
            place = i;
    }
    if (strcmp(turns->clients[place].client, client) != 0) {
        snprintf(turns->clients[place].client, sizeof turns->clients[place].client, "%s", client);
        turns->clients[place].tag = 0;
    }
    if (turns->clients[place].tag < turns->now)
        turns->clients[place].tag = turns->now;
    return ++turns->clients[place].tag;
}

/* Gives free turns to those who wait: with the lock held. */
static void call(struct kl_turns *turns)
{
    while (turns->first && turns->n_taken < turns->most) {
        struct kl_waiting **chosen = &turns->first, *one;

        for (struct kl_waiting **link = chosen; *link; link = &(*link)->next)
            if ((*link)->tag < (*chosen)->tag)
                chosen = link;
        one = *chosen;
        *chosen = one->next;
        one->has_turn = 1;
        if (one->tag > turns->now)
            turns->now = one->tag;
        turns->n_taken++;
        turns->n_waiting--;
        pthread_cond_signal(&one->called);
    }
}

/* An address: those of connections of this machine are one. */
static int is_of_one_address(const char *client, const char *other)
{
    size_t length = strcspn(client, " ");

    return length == strcspn(other, " ") && !strncmp(client, other, length);
}

static unsigned count_of(const struct kl_turns *turns, const char *client)
{
    unsigned n = 0;

    for (const struct kl_waiting *one = turns->first; one; one = one->next)
        n += (unsigned)is_of_one_address(client, one->client);
    return n;
}

static void leave(struct kl_turns *turns, const struct kl_waiting *waiting)
{
    struct kl_waiting **link = &turns->first;

    while (*link && *link != waiting)
        link = &(*link)->next;
    if (!*link)
        return;
    *link = waiting->next;
    turns->n_waiting--;
}

/* Sends away who came last of the address that has the most who wait. */
static void send_one_away(struct kl_turns *turns)
{
    struct kl_waiting *victim = turns->first;
    unsigned most = 0;

    for (struct kl_waiting *one = turns->first; one; one = one->next) {
        unsigned n = count_of(turns, one->client);

        if (n >= most) {
            victim = one;
            most = n;
        }
    }
    leave(turns, victim);
    victim->is_sent_away = 1;
    pthread_cond_signal(&victim->called);
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
    waiting->tag = next_tag(turns, waiting->client);
    turns->n_waiting++;
    call(turns);
    if (turns->n_waiting > KL_TURN_WAITING)
        send_one_away(turns);
    while (!waiting->has_turn && !waiting->is_sent_away && !late)
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
    kl_reply_problem(reply, 503, NULL,
                     "more questions wait than can be answered soon: try again in a moment");
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
