#include "server/served/served.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "server/served/served_private.h"

enum kl_status kl_served_create(struct kl_pool *pool, struct kl_peers *peers, uint64_t memory_bytes,
                                kl_run_damaged damaged, struct kl_served **out,
                                struct kl_error *err)
{
    struct kl_served *served = NULL;
    pthread_condattr_t attributes;
    enum kl_status status = kl_alloc(&served, 1, sizeof *served, "the runs", err);

    if (status)
        return status;
    status = kl_keeper_create(pool, memory_bytes, KL_KEEPER_TIMES, &served->keeper, err);
    if (status) {
        free(served);
        return status;
    }
    served->pool = pool;
    served->peers = peers;
    served->damaged = damaged;
    pthread_mutex_init(&served->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&served->stopped, &attributes);
    pthread_condattr_destroy(&attributes);
    *out = served;
    return KL_OK;
}

struct kl_peers *kl_served_peers(const struct kl_served *served)
{
    return served->peers;
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
    kl_keeper_stop(served->keeper);
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
    kl_keeper_free(served->keeper);
    pthread_cond_destroy(&served->stopped);
    pthread_mutex_destroy(&served->lock);
    free(served);
}

enum kl_status kl_served_enter(struct kl_served *served, struct kl_run *run, int is_own,
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

    return kl_served_enter(served, run, 0, &entry, err);
}

static const struct kl_run *find_same(struct kl_served *served, const struct kl_run *run,
                                      const struct entry *but)
{
    const struct kl_run *same = NULL;

    pthread_mutex_lock(&served->lock);
    for (const struct entry *entry = served->entries; entry && !same; entry = entry->next)
        if (entry != but && !entry->is_retired &&
            !strcmp(entry->run->fingerprint, run->fingerprint))
            same = entry->run;
    pthread_mutex_unlock(&served->lock);
    return same;
}

void kl_served_tell_damage(const struct kl_served *served, const struct kl_run *run)
{
    for (uint32_t i = 0; served->damaged && i < kl_run_n_damaged(run); i++)
        served->damaged(run, &run->damage[i]);
}

enum kl_status kl_served_load(struct kl_served *served, const char *path, char *const *others,
                              size_t n_others, const struct entry *but, struct kl_run **run,
                              const struct kl_run **same, struct kl_error *err)
{
    struct kl_run *opened = NULL;
    enum kl_status status = kl_run_open_among(path, others, n_others, served->peers,
                                              kl_pool_n_workers(served->pool), &opened, err);

    *run = NULL;
    *same = NULL;
    status = kl_peers_end(served->peers, status, err); /* all open it, or nobody */
    kl_peers_begin(served->peers);
    if (status) {
        kl_run_close(opened);
        return status;
    }
    *same = find_same(served, opened, but);
    if (!*same) {
        kl_served_tell_damage(served, opened);
        status = kl_run_keep(opened, served->keeper, served->damaged, err);
    }
    if (status || *same) {
        kl_run_close(opened);
        return status;
    }
    *run = opened;
    return KL_OK;
}

enum kl_status kl_served_open(struct kl_served *served, const char *path, char *const *others,
                              size_t n_others, const struct kl_run **same, struct kl_error *err)
{
    struct entry *entry;
    struct kl_run *run;
    enum kl_status status = kl_served_load(served, path, others, n_others, NULL, &run, same, err);

    if (status || *same)
        return status;
    status = kl_served_enter(served, run, 1, &entry, err);
    if (status)
        kl_run_close(run);
    return status;
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

void kl_served_memory(struct kl_served *served, uint64_t *copied, uint64_t *most)
{
    *copied = kl_keeper_bytes(served->keeper);
    *most = kl_keeper_room(served->keeper);
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

enum kl_status kl_served_replace(struct kl_served *served, struct entry **place, struct kl_run *run,
                                 struct kl_error *err)
{
    struct entry *entry = NULL, *old = *place, *unused;

    if (run && kl_alloc(&entry, 1, sizeof *entry, "a run", err))
        return err->status;
    pthread_mutex_lock(&served->lock);
    if (entry) {
        entry->run = run;
        entry->is_own = 1;
        entry->next = old->next;
        old->next = entry;
    }
    *place = entry;
    old->is_retired = 1;
    unused = take_out(served, old);
    pthread_mutex_unlock(&served->lock);
    end_retired(served, unused);
    return KL_OK;
}
