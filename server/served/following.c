#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "db/follow.h"
#include "server/served/served_private.h"

#define LOOK_S 1       /* between looks for what is new */
#define ASKED_MS 60e3  /* what nobody has asked about for so long is not opened again */
#define SHARE 100      /* a copy takes its time from the training: at most one part of so many */
#define NEXT_MS 2e3    /* and at least so long passes between two */
#define FIRST_TRIES 20 /* for a first checkpoint, at half a second */

static enum kl_status open_first(const struct kl_served *served, const char *draft,
                                 struct kl_run **run, struct kl_error *err)
{
    const struct timespec pause = {0, 500 * 1000 * 1000};
    unsigned n_workers = kl_pool_n_workers(served->pool);
    enum kl_status status = kl_follow_open(draft, n_workers, run, err);

    for (int i = 0; status && status != KL_ERR_FULL && status != KL_ERR_USAGE && i < FIRST_TRIES &&
                    kl_follow_is_written(draft);
         i++) {
        nanosleep(&pause, NULL);
        status = kl_follow_open(draft, n_workers, run, err);
    }
    return status;
}

enum kl_status kl_served_follow(struct kl_served *served, const char *draft, struct kl_error *err)
{
    struct followed *followed = NULL;
    struct kl_run *run = NULL;
    size_t n_bytes = strlen(draft) + 1;
    enum kl_status status = kl_alloc(&followed, 1, sizeof *followed, "a run", err);

    if (!status)
        status = kl_alloc(&followed->draft, n_bytes, 1, "a run", err);
    if (!status)
        status = open_first(served, draft, &run, err);
    if (!status)
        status = kl_served_enter(served, run, 1, &followed->entry, err);
    if (status) {
        if (followed)
            free(followed->draft);
        free(followed);
        kl_run_close(run);
        return status;
    }
    memcpy(followed->draft, draft, n_bytes);
    kl_served_tell_damage(served, run);
    followed->asked_ms = kl_now_ms();
    followed->next_ms = followed->asked_ms + NEXT_MS;
    pthread_mutex_lock(&served->lock);
    followed->next = served->followed;
    served->followed = followed;
    pthread_mutex_unlock(&served->lock);
    return KL_OK;
}

/* Opens what the draft has become: *run is NULL while it is what it was, or if that is served
 * already: *is_served. */
static enum kl_status open_finished(struct kl_served *served, const struct followed *followed,
                                    struct kl_run **run, int *is_served, struct kl_error *err)
{
    size_t length = strlen(followed->draft), suffix = strlen(KL_PART);
    const struct kl_run *same = NULL;
    char *target = NULL;
    struct stat info;
    enum kl_status status;

    *run = NULL;
    *is_served = 0;
    if (length <= suffix || strcmp(followed->draft + length - suffix, KL_PART) != 0 ||
        !stat(followed->draft, &info))
        return KL_OK; /* it is still there */
    status = kl_alloc(&target, length, 1, "a name", err);
    if (status)
        return status;
    memcpy(target, followed->draft, length - suffix);
    status = kl_served_load(served, target, NULL, 0, followed->entry, run, &same, err);
    *is_served = same != NULL;
    free(target);
    return status;
}

/* Whether a later checkpoint is looked for: somebody wants it, and the last look is long enough
 * ago. */
static int is_due(struct kl_served *served, const struct followed *followed, double now)
{
    int is_wanted;

    pthread_mutex_lock(&served->lock);
    is_wanted = now - followed->asked_ms < ASKED_MS;
    pthread_mutex_unlock(&served->lock);
    return is_wanted && now >= followed->next_ms && kl_follow_is_written(followed->draft);
}

/* Opens a later checkpoint: *run is NULL if there is none. */
static enum kl_status open_later(struct kl_served *served, struct followed *followed, double begun,
                                 struct kl_run **run, struct kl_error *err)
{
    enum kl_status status =
        kl_follow_open(followed->draft, kl_pool_n_workers(served->pool), run, err);

    followed->next_ms = kl_now_ms() + NEXT_MS + SHARE * (kl_now_ms() - begun);
    if (status) {
        *run = NULL;
        return status;
    }
    if (!strcmp((*run)->version, followed->entry->run->version)) {
        kl_run_close(*run);
        *run = NULL;
    }
    return KL_OK;
}

/* Looks after one followed run; returns whether it is finished, and so no longer followed. What
 * cannot be opened now is tried again later. */
static int look_after(struct kl_served *served, struct followed *followed)
{
    double begun = kl_now_ms();
    struct kl_run *run = NULL;
    struct kl_error ignored;
    int is_served = 0, is_finished;

    (void)open_finished(served, followed, &run, &is_served, &ignored);
    is_finished = run || is_served;
    if (!is_finished && is_due(served, followed, begun))
        (void)open_later(served, followed, begun, &run, &ignored);
    if ((run || is_served) && kl_served_replace(served, &followed->entry, run, &ignored)) {
        kl_run_close(run);
        return 0;
    }
    return is_finished;
}

static void look_after_all(struct kl_served *served)
{
    struct followed **link = &served->followed;

    while (*link) { /* nobody else changes the list */
        struct followed *followed = *link;

        if (!look_after(served, followed)) {
            link = &followed->next;
            continue;
        }
        pthread_mutex_lock(&served->lock);
        *link = followed->next;
        pthread_mutex_unlock(&served->lock);
        free(followed->draft);
        free(followed);
    }
}

static void *watch(void *argument)
{
    struct kl_served *served = argument;
    struct timespec until;

    pthread_mutex_lock(&served->lock);
    while (!served->is_stopping) {
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += LOOK_S;
        if (pthread_cond_timedwait(&served->stopped, &served->lock, &until) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&served->lock);
        look_after_all(served);
        pthread_mutex_lock(&served->lock);
    }
    pthread_mutex_unlock(&served->lock);
    return NULL;
}

enum kl_status kl_served_watch(struct kl_served *served, kl_served_forget forget, void *self,
                               struct kl_error *err)
{
    served->forget = forget;
    served->self = self;
    served->is_stopping = 0;
    if (!served->followed)
        return KL_OK;
    if (pthread_create(&served->watcher, NULL, watch, served))
        return kl_fail(err, KL_ERR_MEMORY, "cannot start another thread: close other programs");
    served->is_watching = 1;
    return KL_OK;
}

void kl_served_unwatch(struct kl_served *served)
{
    if (served->is_watching) {
        pthread_mutex_lock(&served->lock);
        served->is_stopping = 1;
        pthread_cond_signal(&served->stopped);
        pthread_mutex_unlock(&served->lock);
        pthread_join(served->watcher, NULL);
    }
    served->is_watching = 0;
    served->forget = NULL;
}
