#include "core/scan/keeper.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/memory.h"

#define RETRY_MS 1000 /* what there was no room for is not tried again before */
#define QUIET_MS 100  /* nobody has read for so long: then nobody waits for the pool, */
#define PAUSE_MS 10
#define PATIENCE_MS 1000 /* for which a copy waits so long at most */
#define SOME_BLOCKS 8    /* at a time */

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
    int is_wanted;                 /* atomic */
    uint32_t n_checked;         /* blocks that were read through. The thread's, as what follows */
    int is_refused, is_checked; /* it is damaged; all were, or shall not */
};

struct kl_keeper {
    struct kl_pool *pool;
    double idle_ms;
    double read_ms; /* atomic; when anything was */
    uint64_t room_bytes, used_bytes, checked_bytes;
    pthread_mutex_t lock; /* of the list, and what follows */
    pthread_cond_t changed;
    struct kept *first;
    struct kept *busy; /* with which the thread is */
    pthread_t thread;
    int is_stopping;
    int is_filling; /* atomic; without waiting until it is quiet */
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

    if (now < load_ms(&kept->not_before_ms) ||
        __atomic_exchange_n(&kept->is_wanted, 1, __ATOMIC_RELAXED))
        return;
    store_ms(&kept->wanted_ms, now);
    pthread_mutex_lock(&keeper->lock);
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
}

static enum kl_status read_kept(void *self, unsigned worker, uint32_t block, uint32_t row,
                                uint32_t count, struct kl_block *out, struct kl_error *err)
{
    struct kept *kept = self;
    const struct kl_resident *copy = __atomic_load_n(&kept->copy, __ATOMIC_ACQUIRE);
    const struct kl_block_source *source = copy ? &copy->source : kept->from;
    double now = kl_now_ms();

    if (now - load_ms(&kept->read_ms) > 1) { /* others read, too: no need to write it each time */
        store_ms(&kept->read_ms, now);
        store_ms(&kept->keeper->read_ms, now);
    }
    if (!copy && !__atomic_load_n(&kept->is_wanted, __ATOMIC_RELAXED))
        ask_for(kept, now);
    return source->read(source->self, worker, block, row, count, out, err);
}

/* With the lock held: takes copies out that nobody has read from for a while, the one longest ago
 * first, until there is room; *out are those, for who waits until nobody has them. */
static int make_room(struct kl_keeper *keeper, uint64_t n_bytes, struct kl_resident **out,
                     uint32_t *n_out, uint32_t most)
{
    double now = kl_now_ms();

    while (keeper->used_bytes + n_bytes > keeper->room_bytes) {
        struct kept *oldest = NULL;

        for (struct kept *kept = keeper->first; kept; kept = kept->next)
            if (kept->copy && (!oldest || load_ms(&kept->read_ms) < load_ms(&oldest->read_ms)))
                oldest = kept;
        if (!oldest || *n_out == most || now - load_ms(&oldest->read_ms) < keeper->idle_ms)
            return 0;
        out[(*n_out)++] = oldest->copy;
        keeper->used_bytes -= oldest->n_bytes;
        __atomic_store_n(&oldest->copy, NULL, __ATOMIC_RELEASE);
        __atomic_store_n(&oldest->is_wanted, 0, __ATOMIC_RELAXED);
    }
    return 1;
}

static void refuse(struct kept *kept, const struct kl_error *err)
{
    kept->is_refused = 1;
    if (err->status == KL_ERR_DAMAGED && kept->damaged)
        kept->damaged(kept->self, err);
}

static int is_filling(const struct kl_keeper *keeper)
{
    return __atomic_load_n(&keeper->is_filling, __ATOMIC_RELAXED);
}

/* A little at a time, and none while others read, unless they do for long: so they hardly wait. */
static enum kl_status copy_all(struct kl_keeper *keeper, struct kept *kept,
                               struct kl_resident **copy, struct kl_error *err)
{
    const struct kl_block_source *from = kept->from;
    const struct timespec pause = {0, PAUSE_MS * 1000000};
    double waited = 0;
    enum kl_status status = kl_resident_begin(from, copy, err);

    for (uint32_t first = 0; !status && first < from->n_blocks; first += SOME_BLOCKS) {
        uint32_t left = from->n_blocks - first;

        for (; !is_filling(keeper) && waited < PATIENCE_MS &&
               kl_now_ms() - load_ms(&keeper->read_ms) < PAUSE_MS;
             waited += PAUSE_MS)
            nanosleep(&pause, NULL);
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
    struct kl_resident *copy = NULL, *given_back[16];
    uint32_t n_given_back = 0;
    struct kl_error err = {0};
    enum kl_status status = KL_ERR_MEMORY;
    int has_room;

    pthread_mutex_lock(&keeper->lock);
    has_room = make_room(keeper, kept->n_bytes, given_back, &n_given_back, 16);
    keeper->used_bytes += has_room ? kept->n_bytes : 0;
    pthread_mutex_unlock(&keeper->lock);
    if (n_given_back)
        kl_pool_settle(keeper->pool);
    while (n_given_back)
        kl_resident_free(given_back[--n_given_back]);
    if (has_room)
        status = copy_all(keeper, kept, &copy, &err);
    if (status) {
        pthread_mutex_lock(&keeper->lock);
        keeper->used_bytes -= has_room ? kept->n_bytes : 0;
        pthread_mutex_unlock(&keeper->lock);
    }
    if (status == KL_ERR_MEMORY) {
        store_ms(&kept->not_before_ms, kl_now_ms() + RETRY_MS);
        __atomic_store_n(&kept->is_wanted, 0, __ATOMIC_RELAXED);
    } else if (status) {
        refuse(kept, &err);
    } else {
        kept->is_checked = 1;
        __atomic_store_n(&kept->copy, copy, __ATOMIC_RELEASE);
    }
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

    if (kl_pool_run(keeper->pool, check_block, &check, n, &err))
        refuse(kept, &err);
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
    double now = kl_now_ms();
    int is_wanted = __atomic_load_n(&kept->is_wanted, __ATOMIC_RELAXED);
    struct timespec until;

    if (is_filling(keeper) || now - load_ms(&keeper->read_ms) >= QUIET_MS ||
        (is_wanted && now - load_ms(&kept->wanted_ms) >= PATIENCE_MS))
        return 0;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += QUIET_MS / 2 * 1000000;
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

enum kl_status kl_keeper_create(struct kl_pool *pool, uint64_t room_bytes, double idle_ms,
                                struct kl_keeper **out, struct kl_error *err)
{
    struct kl_keeper *keeper = NULL;
    pthread_condattr_t monotonic;
    enum kl_status status = kl_alloc(&keeper, 1, sizeof *keeper, "keeping layers in memory", err);

    if (status)
        return status;
    keeper->pool = pool;
    keeper->room_bytes = room_bytes;
    keeper->idle_ms = idle_ms;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&keeper->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&keeper->thread, NULL, keep, keeper)) {
        free(keeper);
        return kl_fail(err, KL_ERR_MEMORY, "cannot start another thread: close other programs");
    }
    *out = keeper;
    return KL_OK;
}

void kl_keeper_free(struct kl_keeper *keeper)
{
    if (!keeper)
        return;
    pthread_mutex_lock(&keeper->lock);
    keeper->is_stopping = 1;
    pthread_cond_broadcast(&keeper->changed);
    pthread_mutex_unlock(&keeper->lock);
    pthread_join(keeper->thread, NULL);
    pthread_mutex_destroy(&keeper->lock);
    pthread_cond_destroy(&keeper->changed);
    free(keeper);
}

enum kl_status kl_keeper_take(struct kl_keeper *keeper, const struct kl_block_source *from,
                              kl_keeper_damaged damaged, void *self,
                              const struct kl_block_source **out, struct kl_error *err)
{
    struct kept *kept = NULL, **link;
    enum kl_status status = kl_alloc(&kept, 1, sizeof *kept, "a layer", err);

    if (status)
        return status;
    kept->source = *from;
    kept->source.self = kept;
    kept->source.read = read_kept;
    kept->from = from;
    kept->keeper = keeper;
    kept->damaged = damaged;
    kept->self = self;
    kept->n_bytes = from->n_rows * kl_row_bytes(from);
    pthread_mutex_lock(&keeper->lock);
    if (kept->n_bytes <= keeper->room_bytes - keeper->checked_bytes)
        keeper->checked_bytes += kept->n_bytes;
    else
        kept->is_checked = 1; /* it would take the disk's time for long */
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
    while (keeper->busy == kept)
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    keeper->used_bytes -= kept->copy ? kept->n_bytes : 0;
    pthread_mutex_unlock(&keeper->lock);
    kl_resident_free(kept->copy);
    free(kept);
}

void kl_keeper_fill(struct kl_keeper *keeper)
{
    pthread_mutex_lock(&keeper->lock);
    __atomic_store_n(&keeper->is_filling, 1, __ATOMIC_RELAXED);
    for (struct kept *kept = keeper->first; kept; kept = kept->next)
        __atomic_store_n(&kept->is_wanted, 1, __ATOMIC_RELAXED);
    pthread_cond_broadcast(&keeper->changed);
    while (keeper->busy || next_one(keeper))
        pthread_cond_wait(&keeper->changed, &keeper->lock);
    __atomic_store_n(&keeper->is_filling, 0, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&keeper->lock);
}

uint64_t kl_keeper_bytes(struct kl_keeper *keeper)
{
    uint64_t n_bytes;

    pthread_mutex_lock(&keeper->lock);
    n_bytes = keeper->used_bytes;
    pthread_mutex_unlock(&keeper->lock);
    return n_bytes;
}
