#include "core/scan/keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/scan/resident.h"

#define SOME_BLOCKS 4 /* between so many others have the pool */
#define PATIENCE                                                                                   \
    10 /* so many times as long as quiet: not longer is waited for that, nor tried again before */
#define GIVEN_BACK 64 /* copies at a time */

struct kept {
    struct kl_block_source source; /* first, so that a pointer to it is one to this */
    const struct kl_block_source *from;
    struct kl_keeper *keeper;
    struct kept *next; /* in the order they came */
    kl_keeper_damaged damaged;
    void *self;
    uint64_t n_bytes;
    struct kl_resident *copy;      /* atomic; NULL: it is read through from */
    double read_ms, not_before_ms; /* atomic; when it was read last; not copied before */
    double wanted_ms;              /* atomic; since when it is wanted */
    int is_wanted, is_leaving;     /* atomic */
    int is_derived;                /* made of another source */
    int is_counted;                /* among those that are read through */
    uint32_t n_checked; /* blocks that were. The thread's, once it is taken, as what follows */
    int is_refused, is_checked; /* it is damaged; all were, or shall not */
};

struct kl_keeper {
    struct kl_pool *pool;
    struct kl_keeper_times times;
    double read_ms;    /* atomic; when anything was */
    double checked_ms; /* the thread's: likewise read through */
    uint64_t room_bytes, checked_bytes;
    pthread_mutex_t lock; /* of the list, and what follows */
    pthread_cond_t changed;
    struct kept *first;
    struct kept *busy;     /* with which the thread is */
    uint64_t used_bytes;   /* of copies, and of the one in the making */
    uint64_t copied_bytes; /* of copies */
    pthread_t thread;
    int has_thread;
    int is_stopping; /* atomic, too */
    int is_filling;  /* atomic; without waiting until it is quiet */
};

static double load_ms(const double *at)
{
    double ms;

    __atomic_load(at, &ms, __ATOMIC_RELAXED);
    return ms;
}

static void store_ms(double *at, double ms)
{
    __atomic_store(at, &ms, __ATOMIC_RELAXED);
}

static void ask_for(struct kept *kept, double now)
{
    struct kl_keeper *keeper = kept->keeper;

    if (now < load_ms(&kept->not_before_ms))
        return;
    store_ms(&kept->wanted_ms, now);
    if (__atomic_exchange_n(&kept->is_wanted, 1, __ATOMIC_RELEASE))
        return;
    pthread_mutex_lock(&keeper->lock);
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

/* Its copy, or NULL: then it is asked to be copied. */
static const struct kl_resident *copy_of(struct kept *kept)
{
    const struct kl_resident *copy = __atomic_load_n(&kept->copy, __ATOMIC_ACQUIRE);
    double now = kl_now_ms();

    if (now - load_ms(&kept->read_ms) > 1) { /* others read, too: no need to write it each time */
        store_ms(&kept->read_ms, now);
        store_ms(&kept->keeper->read_ms, now);
    }
    if (!copy && !__atomic_load_n(&kept->is_wanted, __ATOMIC_RELAXED))
        ask_for(kept, now);
    return copy;
}

const struct kl_block_source *kl_keeper_copy(const struct kl_block_source *source)
{
    const struct kl_resident *copy = copy_of(source->self);

    return copy ? &copy->source : NULL;
}

/* What a source is read from now: its copy, or itself. */
static const struct kl_block_source *source_of(struct kept *kept)
{
    const struct kl_resident *copy = copy_of(kept);

    return copy ? &copy->source : kept->from;
}

static enum kl_status read_kept(void *self, unsigned worker, uint32_t block, uint32_t row,
                                uint32_t count, struct kl_block *out, struct kl_error *err)
{
    const struct kl_block_source *source = source_of(self);

    return source->read(source->self, worker, block, row, count, out, err);
}

static enum kl_status read_packed_kept(void *self, unsigned worker, uint32_t block, uint32_t row,
                                       uint32_t count, struct kl_block *out, struct kl_error *err)
{
    return kl_read_packed(source_of(self), worker, block, row, count, out, err);
}

static int is_idle(const struct kept *kept, double now)
{
    return kept->copy && now - load_ms(&kept->read_ms) >= kept->keeper->times.idle_ms;
}

/* With the lock held: takes copies out that nobody has read from for a while, the one longest ago
 * first, until there is room, if there will be; *out are those, for who waits until nobody has
 * them. */
static int make_room(struct kl_keeper *keeper, uint64_t n_bytes, struct kl_resident **out,
                     uint32_t *n_out)
{
    double now = kl_now_ms();
    uint64_t idle_bytes = 0;

    for (const struct kept *kept = keeper->first; kept; kept = kept->next)
        idle_bytes += is_idle(kept, now) ? kept->n_bytes : 0;
    if (keeper->used_bytes - idle_bytes + n_bytes > keeper->room_bytes)
        return 0;
    while (keeper->used_bytes + n_bytes > keeper->room_bytes) {
        struct kept *oldest = NULL;

        for (struct kept *kept = keeper->first; kept; kept = kept->next)
            if (is_idle(kept, now) &&
                (!oldest || load_ms(&kept->read_ms) < load_ms(&oldest->read_ms)))
                oldest = kept;
        if (!oldest || *n_out == GIVEN_BACK) /* it was read just now */
            return 0;
        out[(*n_out)++] = oldest->copy;
        keeper->used_bytes -= oldest->n_bytes;
        keeper->copied_bytes -= oldest->n_bytes;
        __atomic_store_n(&oldest->copy, NULL, __ATOMIC_RELEASE);
        __atomic_store_n(&oldest->is_wanted, 0, __ATOMIC_RELAXED);
    }
    return 1;
}

/* What went wrong: damage stays, anything else may be over later. */
static void refuse(struct kept *kept, const struct kl_error *err)
{
    store_ms(&kept->not_before_ms, kl_now_ms() + PATIENCE * kept->keeper->times.quiet_ms);
    __atomic_store_n(&kept->is_wanted, 0, __ATOMIC_RELAXED);
    if (err->status != KL_ERR_DAMAGED)
        return;
    kept->is_refused = 1;
    if (kept->damaged)
        kept->damaged(kept->self, err);
}

static int is_filling(const struct kl_keeper *keeper)
{
    return __atomic_load_n(&keeper->is_filling, __ATOMIC_RELAXED);
}

/* Whether nobody needs what is being copied any more. */
static int is_over(const struct kl_keeper *keeper, const struct kept *kept)
{
    return __atomic_load_n(&kept->is_leaving, __ATOMIC_RELAXED) ||
           __atomic_load_n(&keeper->is_stopping, __ATOMIC_RELAXED);
}

/* A little at a time, and none while others read, unless they do for long: so they hardly wait. */
static enum kl_status copy_all(struct kl_keeper *keeper, struct kept *kept,
                               struct kl_resident **copy, struct kl_error *err)
{
    const struct kl_block_source *from = kept->from;
    double pause_ms = keeper->times.quiet_ms / PATIENCE, waited = 0;
    const struct timespec pause = {0, (long)(pause_ms * 1e6)};
    enum kl_status status = kl_resident_begin(from, keeper->pool, copy, err);

    for (uint32_t first = 0; !status && first < from->n_blocks; first += SOME_BLOCKS) {
        uint32_t left = from->n_blocks - first;

        for (; !is_filling(keeper) && !is_over(keeper, kept) &&
               waited < PATIENCE * keeper->times.quiet_ms &&
               kl_now_ms() - load_ms(&keeper->read_ms) < pause_ms;
             waited += pause_ms)
            nanosleep(&pause, NULL);
        if (is_over(keeper, kept))
            status = kl_fail(err, KL_ERR_INTERRUPTED, "nobody needs that copy any more");
        else
            status = kl_resident_copy(*copy, from, keeper->pool, first,
                                      left < SOME_BLOCKS ? left : SOME_BLOCKS, err);
    }
    if (status) {
        kl_resident_free(*copy);
        *copy = NULL;
    }
    return status;
}

static void copy_in(struct kl_keeper *keeper, struct kept *kept)
{
    struct kl_resident *copy = NULL, *given_back[GIVEN_BACK];
    uint32_t n_given_back = 0;
    struct kl_error err = {.status = KL_ERR_MEMORY};
    int has_room;

    pthread_mutex_lock(&keeper->lock);
    has_room = make_room(keeper, kept->n_bytes, given_back, &n_given_back);
    keeper->used_bytes += has_room ? kept->n_bytes : 0;
    pthread_mutex_unlock(&keeper->lock);
    if (n_given_back)
        kl_pool_settle(keeper->pool);
    while (n_given_back)
        kl_resident_free(given_back[--n_given_back]);
    if (!has_room || copy_all(keeper, kept, &copy, &err))
        refuse(kept, &err);
    kept->is_checked |= copy != NULL;
    pthread_mutex_lock(&keeper->lock);
    if (copy)
        keeper->copied_bytes += kept->n_bytes;
    else
        keeper->used_bytes -= has_room ? kept->n_bytes : 0;
    __atomic_store_n(&kept->copy, copy, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&keeper->lock);
}

struct check {
    const struct kl_block_source *source;
    uint32_t first;
};

static enum kl_status check_block(void *argument, unsigned worker, unsigned task,
                                  struct kl_error *err)
{
    const struct check *check = argument;
    struct kl_block block;

    return check->source->read(check->source->self, worker, check->first + task, 0, 1, &block, err);
}

/* Reads through some more blocks of a source. */
static void check_on(struct kl_keeper *keeper, struct kept *kept)
{
    uint32_t left = kept->from->n_blocks - kept->n_checked;
    uint32_t n = left < SOME_BLOCKS ? left : SOME_BLOCKS;
    struct check check = {kept->from, kept->n_checked};
    struct kl_error err;

    keeper->checked_ms = kl_now_ms();
    if (kl_pool_run(keeper->pool, check_block, &check, n, &err)) {
        refuse(kept, &err);
        kept->is_checked = 1; /* no further: who reads it will be told */
        return;
    }
    kept->n_checked += n;
    kept->is_checked = kept->n_checked == kept->from->n_blocks;
}

/* With the lock held: what is to be done next, what is asked for first. */
static struct kept *next_one(struct kl_keeper *keeper)
{
    for (struct kept *kept = keeper->first; kept; kept = kept->next)
        if (!kept->copy && !kept->is_refused && kept->n_bytes <= keeper->room_bytes &&
            __atomic_load_n(&kept->is_wanted, __ATOMIC_RELAXED))
            return kept;
    for (struct kept *kept = keeper->first; kept; kept = kept->next)
        if (!kept->is_checked && !kept->is_refused)
            return kept;
    return NULL;
}

/* With the lock held: whether those who ask now are better off without what is to be done; then
 * waits a little. */
static int is_busy_time(struct kl_keeper *keeper, const struct kept *kept)
{
    double now = kl_now_ms(), quiet_ms = keeper->times.quiet_ms;
    int is_wanted = __atomic_load_n(&kept->is_wanted, __ATOMIC_ACQUIRE);
    double since = is_wanted ? load_ms(&kept->wanted_ms) : keeper->checked_ms;
    struct timespec until;

    if (is_filling(keeper) || now - load_ms(&keeper->read_ms) >= quiet_ms ||
        now - since >= PATIENCE * quiet_ms)
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)(quiet_ms / 2 * 1e6);
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&keeper->changed, &keeper->lock, &until);
    return 1;
}

static void *keep(void *argument)
{
    struct kl_keeper *keeper = argument;

    pthread_mutex_lock(&keeper->lock);
    while (!keeper->is_stopping) {
        struct kept *kept = next_one(keeper);

        if (!kept) {
            pthread_cond_wait(&keeper->changed, &keeper->lock);
            continue;
        }
        if (is_busy_time(keeper, kept))
            continue;
        keeper->busy = kept;
        pthread_mutex_unlock(&keeper->lock);
        if (__atomic_load_n(&kept->is_wanted, __ATOMIC_RELAXED))
            copy_in(keeper, kept);
        else
            check_on(keeper, kept);
        pthread_mutex_lock(&keeper->lock);
        keeper->busy = NULL;
        pthread_cond_broadcast(&keeper->changed);
    }
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

enum kl_status kl_keeper_create(struct kl_pool *pool, uint64_t room_bytes,
                                struct kl_keeper_times times, struct kl_keeper **out,
                                struct kl_error *err)
{
    struct kl_keeper *keeper = NULL;
    pthread_condattr_t monotonic;
    enum kl_status status = kl_alloc(&keeper, 1, sizeof *keeper, "keeping layers in memory", err);

    if (status)
        return status;
    keeper->pool = pool;
    keeper->room_bytes = room_bytes;
    keeper->times = times;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&keeper->thread, NULL, keep, keeper)) {
        kl_keeper_free(keeper);
        return kl_fail(err, KL_ERR_MEMORY, "cannot start another thread: close other programs");
    }
    keeper->has_thread = 1;
    *out = keeper;
    return KL_OK;
}

void kl_keeper_stop(struct kl_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    __atomic_store_n(&keeper->is_stopping, 1, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    if (keeper->has_thread)
        pthread_join(keeper->thread, NULL);
    keeper->has_thread = 0;
}

void kl_keeper_free(struct kl_keeper *keeper)
{
    if (!keeper)
        return;
    kl_keeper_stop(keeper);
    pthread_mutex_destroy(&keeper->lock);
    pthread_cond_destroy(&keeper->changed);
    free(keeper);
}

enum kl_status kl_keeper_take(struct kl_keeper *keeper, const struct kl_block_source *from,
                              uint64_t beside_bytes, kl_keeper_damaged damaged, void *self,
                              const struct kl_block_source **out, struct kl_error *err)
{
    struct kept *kept = NULL, **link;
    enum kl_status status = kl_alloc(&kept, 1, sizeof *kept, "a layer", err);

    if (status)
        return status;
    kept->source = *from;
    kept->source.self = kept;
    kept->source.read = read_kept;
    kept->source.read_packed = read_packed_kept;
    kept->from = from;
    kept->keeper = keeper;
    kept->damaged = damaged;
    kept->self = self;
    kept->n_bytes = kl_resident_bytes(from) + beside_bytes;
    pthread_mutex_lock(&keeper->lock);
    store_ms(&keeper->read_ms, kl_now_ms()); /* others are being opened, perhaps */
    kept->is_derived = !from->read;
    kept->is_counted =
        !kept->is_derived && kept->n_bytes <= keeper->room_bytes - keeper->checked_bytes;
    kept->is_checked = !kept->is_counted; /* or it would take the disk's time for long */
    keeper->checked_bytes += kept->is_counted ? kept->n_bytes : 0;
    for (link = &keeper->first; *link; link = &(*link)->next)
        ;
    *link = kept;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    *out = &kept->source;
    return KL_OK;
}

void kl_keeper_let_go(struct kl_keeper *keeper, const struct kl_block_source *source)
{
    struct kept *kept, **link;

    if (!source)
        return;
    kept = source->self;
    pthread_mutex_lock(&keeper->lock);
    for (link = &keeper->first; *link != kept; link = &(*link)->next)
        ;
    *link = kept->next;
    __atomic_store_n(&kept->is_leaving, 1, __ATOMIC_RELAXED);
    while (keeper->busy == kept)
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    keeper->used_bytes -= kept->copy ? kept->n_bytes : 0;
    keeper->copied_bytes -= kept->copy ? kept->n_bytes : 0;
    keeper->checked_bytes -= kept->is_counted ? kept->n_bytes : 0;
    pthread_mutex_unlock(&keeper->lock);
    kl_resident_free(kept->copy);
    free(kept);
}

unsigned kl_keeper_n_workers(const struct kl_keeper *keeper)
{
    return kl_pool_n_workers(keeper->pool);
}

void kl_keeper_fill(struct kl_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    __atomic_store_n(&keeper->is_filling, 1, __ATOMIC_RELAXED);
    for (struct kept *kept = keeper->first; kept; kept = kept->next) {
        if (kept->is_derived)
            continue;
        store_ms(&kept->read_ms, kl_now_ms());
        __atomic_store_n(&kept->is_wanted, 1, __ATOMIC_RELAXED);
    }
    pthread_cond_broadcast(&keeper->changed);
    while (keeper->busy || next_one(keeper))
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    __atomic_store_n(&keeper->is_filling, 0, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&keeper->lock);
}

uint64_t kl_keeper_usual_room(void)
{
    uint64_t n_bytes = kl_memory_free();

    return n_bytes ? n_bytes / 4 : (uint64_t)1 << 30;
}

uint64_t kl_keeper_room(const struct kl_keeper *keeper)
{
    return keeper->room_bytes;
}

uint64_t kl_keeper_bytes(struct kl_keeper *keeper)
{
    uint64_t n_bytes;

    pthread_mutex_lock(&keeper->lock);
    n_bytes = keeper->copied_bytes;
    pthread_mutex_unlock(&keeper->lock);
    return n_bytes;
}
