#include "core/explain/views/class_order.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/explain/history.h"
#include "core/explain/views/bins.h"

#define WHAT "the order of patterns"

_Static_assert(KL_SEGMENT_MAX <= UINT16_MAX, "places in a segment are 16 bits");

struct kl_class_order_store {
    pthread_mutex_t lock;
    int is_made;
    struct kl_class_order order;
    struct kl_segment *segments; /* what the order points to */
    struct kl_stretch *stretches;
    uint32_t *starts;
    uint16_t *places;
};

enum kl_status kl_class_order_store_create(struct kl_class_order_store **store,
                                           struct kl_error *err)
{
    enum kl_status status = kl_alloc(store, 1, sizeof **store, WHAT, err);

    if (!status)
        pthread_mutex_init(&(*store)->lock, NULL);
    return status;
}

static void clear(struct kl_class_order_store *store)
{
    free(store->segments);
    free(store->stretches);
    free(store->starts);
    free(store->places);
    store->segments = NULL;
    store->stretches = NULL;
    store->starts = NULL;
    store->places = NULL;
}

void kl_class_order_store_free(struct kl_class_order_store *store)
{
    if (!store)
        return;
    clear(store);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

/* Where the block of error signals ends that a pattern's stands in; *block is that of a pattern
 * before it, or 0. */
static uint64_t end_of_block(const struct kl_history *history, uint64_t pattern, uint32_t *block)
{
    const struct kl_block_source *errors = history->errors[history->final->shape.n_layers - 1];

    if (!errors)
        return history->n_patterns;
    while (errors->extents[*block].first + errors->extents[*block].count <= pattern)
        ++*block;
    return errors->extents[*block].first + errors->extents[*block].count;
}

/* Cuts all patterns into segments, to places that may be NULL: how many there are. */
static uint32_t cut(const struct kl_history *history, uint32_t *starts, struct kl_segment *segments)
{
    uint32_t n = 0, n_bins = kl_n_bins(history), block = 0;

    for (uint32_t bin = 0; bin < n_bins; bin++) {
        uint64_t t = kl_history_start(history, kl_bin_first_step(history, bin));
        uint64_t end = bin + 1 < n_bins
                           ? kl_history_start(history, kl_bin_first_step(history, bin + 1))
                           : history->n_patterns;

        if (starts)
            starts[bin] = n;
        for (; t < end; n++) {
            uint64_t block_end = end_of_block(history, t, &block), next = t + KL_SEGMENT_MAX;

            next = next < end ? next : end;
            next = next < block_end ? next : block_end;
            if (segments)
                segments[n] =
                    (struct kl_segment){.first = t, .n = (uint32_t)(next - t), .bin = bin};
            t = next;
        }
    }
    if (starts)
        starts[n_bins] = n;
    return n;
}

struct job {
    const struct kl_history *history;
    struct kl_class_order_store *store;
    /* Of one segment; counts (n_classes) are 0, before and after. */
    void (*do_segment)(const struct job *job, uint32_t number, uint32_t *counts);
    unsigned n_tasks;
};

/* How many classes it has. */
static void count_segment(const struct job *job, uint32_t number, uint32_t *counts)
{
    const struct kl_history *history = job->history;
    struct kl_segment *segment = &job->store->segments[number];
    const uint32_t *samples = history->samples + segment->first;

    for (uint32_t i = 0; i < segment->n; i++)
        segment->n_stretches += counts[history->classes[samples[i]]]++ == 0;
    for (uint32_t i = 0; i < segment->n; i++)
        counts[history->classes[samples[i]]] = 0;
}

/* Its stretches, in the order in which their classes come first, and the places of their patterns.
 */
static void order_segment(const struct job *job, uint32_t number, uint32_t *counts)
{
    const struct kl_history *history = job->history;
    const struct kl_segment *segment = &job->store->segments[number];
    struct kl_stretch *stretches = job->store->stretches + segment->first_stretch;
    const uint32_t *samples = history->samples + segment->first;
    uint16_t *places = job->store->places + segment->first;
    uint32_t n = 0, next = 0;

    for (uint32_t i = 0; i < segment->n; i++) {
        uint32_t class = history->classes[samples[i]];

        if (counts[class]++ == 0)
            stretches[n++].class = class;
    }
    for (uint32_t k = 0; k < n; k++) {
        struct kl_stretch *stretch = &stretches[k];

        stretch->n = counts[stretch->class];
        counts[stretch->class] = next; /* from now on: the place of its next pattern */
        next += stretch->n;
    }
    for (uint32_t i = 0; i < segment->n; i++)
        places[counts[history->classes[samples[i]]]++] = (uint16_t)i;
    for (uint32_t k = 0; k < n; k++)
        counts[stretches[k].class] = 0;
}

static enum kl_status do_some(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct job *job = argument;
    uint64_t n = job->store->order.n_segments;
    uint32_t *counts = NULL;
    enum kl_status status =
        kl_alloc(&counts, job->history->n_classes, sizeof *counts, "classes", err);

    (void)worker;
    for (uint32_t i = (uint32_t)(n * task / job->n_tasks);
         !status && i < (uint32_t)(n * (task + 1) / job->n_tasks); i++)
        job->do_segment(job, i, counts);
    free(counts);
    return status;
}

/* Does it for all segments. */
static enum kl_status do_all(struct kl_pool *pool, struct job *job,
                             void (*do_segment)(const struct job *, uint32_t, uint32_t *),
                             struct kl_error *err)
{
    job->do_segment = do_segment;
    return kl_pool_run(pool, do_some, job, job->n_tasks, err);
}

static enum kl_status make(struct kl_pool *pool, const struct kl_history *history,
                           struct kl_class_order_store *store, struct kl_error *err)
{
    struct job job = {.history = history, .store = store};
    uint32_t n = cut(history, NULL, NULL);
    uint64_t n_stretches = 0;
    enum kl_status status = kl_alloc(&store->segments, n, sizeof *store->segments, WHAT, err);

    job.n_tasks = n < KL_PARTS_MAX ? n : KL_PARTS_MAX;
    if (!status)
        status = kl_alloc(&store->starts, (size_t)kl_n_bins(history) + 1, sizeof *store->starts,
                          WHAT, err);
    if (!status)
        status = kl_alloc(&store->places, history->n_patterns, sizeof *store->places, WHAT, err);
    if (status)
        return status;
    cut(history, store->starts, store->segments);
    store->order = (struct kl_class_order){n, store->segments, NULL, store->starts, store->places};
    status = do_all(pool, &job, count_segment, err);
    for (uint32_t i = 0; !status && i < n; i++) {
        store->segments[i].first_stretch = n_stretches;
        n_stretches += store->segments[i].n_stretches;
    }
    if (!status)
        status = kl_alloc(&store->stretches, n_stretches, sizeof *store->stretches, WHAT, err);
    store->order.stretches = store->stretches;
    return status ? status : do_all(pool, &job, order_segment, err);
}

enum kl_status kl_class_order_of(struct kl_pool *pool, const struct kl_history *history,
                                 const struct kl_class_order **out, struct kl_error *err)
{
    struct kl_class_order_store *store = history->class_order_store;
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&store->lock);
    if (!store->is_made)
        status = make(pool, history, store, err);
    if (status) {
        clear(store);
    } else {
        store->is_made = 1;
        *out = &store->order;
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}
