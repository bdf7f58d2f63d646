#include "server/served/served.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "db/follow.h"

#define LOOK_S 1       /* between looks for what is new */
#define ASKED_MS 60e3  /* what nobody has asked about for so long is not opened again */
#define SHARE 30       /* a copy takes its time from the training: at most one part of so many */
#define NEXT_MS 2e3    /* and at least so long passes between two */
#define FIRST_TRIES 20 /* for a first checkpoint, at half a second */

struct entry {
    struct entry *next;
    struct kl_run *run;
    unsigned n_users;
    int is_own; /* to be closed when it is retired, or at the end */
    int is_retired;
};

struct followed {
    struct followed *next;
    char *draft;
    struct entry *entry;
    double asked_ms, next_ms;
};

struct kl_served {
    struct kl_pool *pool;
    uint64_t memory_bytes;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    struct entry *entries;
    struct followed *followed;
    kl_served_forget forget;
    void *self;
    pthread_t watcher;
    int is_watching, is_stopping;
};

enum kl_status kl_served_create(struct kl_pool *pool, uint64_t memory_bytes, struct kl_served **out,
                                struct kl_error *err)
{
    struct kl_served *served = NULL;
    pthread_condattr_t attributes;
    enum kl_status status = kl_alloc(&served, 1, sizeof *served, "the runs", err);

    if (status)
        return status;
    served->pool = pool;
    served->memory_bytes = memory_bytes;
    pthread_mutex_init(&served->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&served->stopped, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = served;
    return KL_OK;
}

static void end_entry(struct entry *entry)
{
    if (entry->is_own)
        kl_run_close(entry->run);
    free(entry);
}

void kl_served_free(struct kl_served *served)
{
    if (!served)
        return;
    kl_served_unwatch(served);
    while (served->entries) {
        struct entry *entry = served->entries;

        served->entries = entry->next;
        end_entry(entry);
    }
    while (served->followed) {
        struct followed *followed = served->followed;

        served->followed = followed->next;
        free(followed->draft);
        free(followed);
    }
    pthread_cond_destroy(&served->stopped);
    pthread_mutex_destroy(&served->lock);
    free(served);
}

/* Behind all others, so that runs stay in the order in which they were named. */
static enum kl_status add(struct kl_served *served, struct kl_run *run, int is_own,
                          struct entry **out, struct kl_error *err)
{
    struct entry *entry = NULL, **link;
    size_t n = 0;
    enum kl_status status = kl_alloc(&entry, 1, sizeof *entry, "a run", err);

    if (status)
        return status;
    entry->run = run;
    entry->is_own = is_own;
    pthread_mutex_lock(&served->lock);
    for (link = &served->entries; *link; link = &(*link)->next)
        n += !(*link)->is_retired;
    if (n < KL_SERVED_MAX)
        *link = entry;
    pthread_mutex_unlock(&served->lock);
    if (n >= KL_SERVED_MAX) {
        free(entry);
        return kl_fail(err, KL_ERR_USAGE, "at most %d runs can be served at once", KL_SERVED_MAX);
    }
    *out = entry;
    return KL_OK;
}

enum kl_status kl_served_add(struct kl_served *served, struct kl_run *run, struct kl_error *err)
{
    struct entry *entry;
    enum kl_status status = add(served, run, 0, &entry, err);

    if (!status)
        served->memory_bytes -= kl_run_resident_bytes(run);
    return status;
}

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
        status = add(served, run, 1, &followed->entry, err);
    if (status) {
        if (followed)
            free(followed->draft);
        free(followed);
        kl_run_close(run);
        return status;
    }
    memcpy(followed->draft, draft, n_bytes);
    followed->asked_ms = kl_now_ms();
    followed->next_ms = followed->asked_ms + NEXT_MS;
    pthread_mutex_lock(&served->lock);
    followed->next = served->followed;
    served->followed = followed;
    pthread_mutex_unlock(&served->lock);
    return KL_OK;
}

static int is_id(const char *known, const char *id, size_t length)
{
    return known && strlen(known) == length && !strncmp(known, id, length);
}

/* With the lock held. */
static struct entry *find(struct kl_served *served, const char *id, size_t length)
{
    for (struct entry *entry = served->entries; entry; entry = entry->next)
        if (!entry->is_retired && is_id(entry->run->fingerprint, id, length))
            return entry;
    for (struct entry *entry = served->entries; entry; entry = entry->next)
        if (!entry->is_retired &&
            (is_id(kl_run_other_setting(entry->run, KL_FINGERPRINT_BEFORE), id, length) ||
             is_id(entry->run->birth, id, length)))
            return entry;
    return NULL;
}

struct kl_run *kl_served_take(struct kl_served *served, const char *id, size_t length)
{
    struct entry *entry;

    pthread_mutex_lock(&served->lock);
    entry = find(served, id, length);
    if (entry)
        entry->n_users++;
    for (struct followed *one = served->followed; entry && one; one = one->next)
        if (one->entry == entry)
            one->asked_ms = kl_now_ms();
    pthread_mutex_unlock(&served->lock);
    return entry ? entry->run : NULL;
}

size_t kl_served_take_all(struct kl_served *served, struct kl_run **runs)
{
    double now = kl_now_ms();
    size_t n = 0;

    pthread_mutex_lock(&served->lock);
    for (struct entry *entry = served->entries; entry && n < KL_SERVED_MAX; entry = entry->next) {
        if (entry->is_retired)
            continue;
        entry->n_users++;
        runs[n++] = entry->run;
    }
    for (struct followed *one = served->followed; one; one = one->next)
        one->asked_ms = now;
    pthread_mutex_unlock(&served->lock);
    return n;
}

/* Takes an entry out of the list, if it is retired and nobody uses it: with the lock held. */
static struct entry *take_out(struct kl_served *served, struct entry *entry)
{
    struct entry **link = &served->entries;

    if (!entry->is_retired || entry->n_users)
        return NULL;
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    return entry;
}

static void end_retired(struct kl_served *served, struct entry *entry)
{
    if (!entry)
        return;
    if (served->forget)
        served->forget(served->self, entry->run);
    end_entry(entry);
}

void kl_served_give(struct kl_served *served, const struct kl_run *run)
{
    struct entry *entry, *unused = NULL;

    pthread_mutex_lock(&served->lock);
    for (entry = served->entries; entry && entry->run != run; entry = entry->next)
        ;
    if (entry) {
        entry->n_users--;
        unused = take_out(served, entry);
    }
    pthread_mutex_unlock(&served->lock);
    end_retired(served, unused);
}

static void retire(struct kl_served *served, struct entry *entry)
{
    struct entry *unused;

    pthread_mutex_lock(&served->lock);
    entry->is_retired = 1;
    unused = take_out(served, entry);
    pthread_mutex_unlock(&served->lock);
    end_retired(served, unused);
}

/* The entry of a followed run becomes another one, which takes its place in the list. */
static enum kl_status replace(struct kl_served *served, struct followed *followed,
                              struct kl_run *run, struct kl_error *err)
{
    struct entry *entry = NULL, *old = followed->entry;
    enum kl_status status = kl_alloc(&entry, 1, sizeof *entry, "a run", err);

    if (status)
        return status;
    entry->run = run;
    entry->is_own = 1;
    pthread_mutex_lock(&served->lock);
    entry->next = old->next;
    old->next = entry;
    followed->entry = entry;
    pthread_mutex_unlock(&served->lock);
    retire(served, old);
    return KL_OK;
}

/* Whether a run of that fingerprint is served already, but for the followed one itself. */
static int is_known(struct kl_served *served, const struct followed *followed,
                    const struct kl_run *run)
{
    int found = 0;

    pthread_mutex_lock(&served->lock);
    for (const struct entry *entry = served->entries; entry; entry = entry->next)
        found |= entry != followed->entry && !entry->is_retired &&
                 !strcmp(entry->run->fingerprint, run->fingerprint);
    pthread_mutex_unlock(&served->lock);
    return found;
}

/* Opens what the draft has become: *run is NULL while it is what it was, or if that is served
 * already: *is_served. */
static enum kl_status open_finished(struct kl_served *served, const struct followed *followed,
                                    struct kl_run **run, int *is_served, struct kl_error *err)
{
    size_t length = strlen(followed->draft), suffix = strlen(KL_PART);
    char *target = NULL;
    struct stat info;
    enum kl_status status = kl_alloc(&target, length + 1, 1, "a name", err);

    *run = NULL;
    *is_served = 0;
    if (status)
        return status;
    if (length > suffix && !strcmp(followed->draft + length - suffix, KL_PART))
        length -= stat(followed->draft, &info) ? suffix : length; /* it is still there */
    memcpy(target, followed->draft, length);
    if (*target)
        status = kl_run_open(target, kl_pool_n_workers(served->pool), run, err);
    if (!status && *run && is_known(served, followed, *run)) {
        kl_run_close(*run);
        *run = NULL;
        *is_served = 1;
    } else if (!status && *run) {
        status = kl_run_load(*run, served->pool, served->memory_bytes, err);
        served->memory_bytes -= kl_run_resident_bytes(*run);
    }
    free(target);
    return status;
}

/* Looks after one followed run; returns whether it is finished, and so no longer followed. */
static int look_after(struct kl_served *served, struct followed *followed)
{
    double begun = kl_now_ms();
    struct kl_run *run = NULL;
    struct kl_error ignored; /* what cannot be opened now is tried again later */
    int is_served, is_finished;

    if (open_finished(served, followed, &run, &is_served, &ignored) && run) {
        kl_run_close(run);
        run = NULL;
    }
    if (is_served) {
        retire(served, followed->entry);
        return 1;
    }
    is_finished = run != NULL;
    if (!run && begun >= followed->next_ms && begun - followed->asked_ms < ASKED_MS &&
        kl_follow_is_written(followed->draft)) {
        if (kl_follow_open(followed->draft, kl_pool_n_workers(served->pool), &run, &ignored))
            run = NULL;
        followed->next_ms = kl_now_ms() + NEXT_MS + SHARE * (kl_now_ms() - begun);
    }
    if (run && !is_finished && !strcmp(run->version, followed->entry->run->version)) {
        kl_run_close(run);
        run = NULL;
    }
    if (run && replace(served, followed, run, &ignored))
        kl_run_close(run);
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
