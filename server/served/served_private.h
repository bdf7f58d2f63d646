/* What the runs that are served keep for themselves. Internal to server/served. */
#ifndef KL_SERVER_SERVED_SERVED_PRIVATE_H
#define KL_SERVER_SERVED_SERVED_PRIVATE_H

#include <pthread.h>

#include "server/served/served.h"

struct entry {
    struct entry *next;
    struct kl_run *run;
    unsigned n_users;
    int is_own; /* to be closed when it is retired, or at the end */
    int is_retired;
};

/* A run in training. */
struct followed {
    struct followed *next;
    char *draft;
    struct entry *entry; /* as of the checkpoint that is shown */
    double asked_ms;     /* when somebody last asked about it */
    double next_ms;      /* not opened again before; the watcher's */
};

struct kl_served {
    struct kl_pool *pool;
    struct kl_peers *peers;
    struct kl_keeper *keeper;
    kl_run_damaged damaged;
    pthread_mutex_t lock; /* of both lists and what is in them */
    pthread_cond_t stopped;
    struct entry *entries;
    struct followed *followed; /* nobody but the watcher, once it looks, changes this list */
    kl_served_forget forget;
    void *self;
    pthread_t watcher;
    int is_watching, is_stopping;
};

/* Adds a run behind all others, so that they stay in the order in which they were named. Errors:
 * KL_ERR_USAGE (too many), KL_ERR_MEMORY. */
enum kl_status kl_served_enter(struct kl_served *served, struct kl_run *run, int is_own,
                               struct entry **entry, struct kl_error *err);

/* Opens the run at path, whose other shards may be among n_others files. *same: one that is served
 * already, but for that of an entry, and is the same: then *run is NULL. Errors: those of
 * kl_run_open. */
enum kl_status kl_served_load(struct kl_served *served, const char *path, char *const *others,
                              size_t n_others, const struct entry *but, struct kl_run **run,
                              const struct kl_run **same, struct kl_error *err);

/* Tells what opening a run found. */
void kl_served_tell_damage(const struct kl_served *served, const struct kl_run *run);

/* An entry's place goes to another run, which is the served's; or, with NULL, to none. What was
 * there is closed when nobody uses it any more. Errors: KL_ERR_MEMORY. */
enum kl_status kl_served_replace(struct kl_served *served, struct entry **entry, struct kl_run *run,
                                 struct kl_error *err);

#endif
