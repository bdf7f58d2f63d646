#include "core/explain/views/sample_order.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/explain/history.h"

#define WHAT "the patterns by sample"

struct kl_sample_order_store {
    pthread_mutex_t lock;
    int is_made;
    struct kl_sample_order order;
    uint64_t *starts, *patterns; /* what the order points to */
};

enum kl_status kl_sample_order_store_create(struct kl_sample_order_store **store,
                                            struct kl_error *err)
{
    enum kl_status status = kl_alloc(store, 1, sizeof **store, WHAT, err);

    if (!status)
        pthread_mutex_init(&(*store)->lock, NULL);
    return status;
}

static void clear(struct kl_sample_order_store *store)
{
    free(store->starts);
    free(store->patterns);
    store->starts = store->patterns = NULL;
}

void kl_sample_order_store_free(struct kl_sample_order_store *store)
{
    if (!store)
        return;
    clear(store);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static enum kl_status make(const struct kl_history *history, struct kl_sample_order_store *store,
                           struct kl_error *err)
{
    uint32_t n = kl_collection_size(history->data);
    uint64_t *next;
    enum kl_status status = kl_alloc(&store->starts, (size_t)n + 2, sizeof(uint64_t), WHAT, err);

    if (!status)
        status = kl_alloc(&store->patterns, history->n_patterns, sizeof(uint64_t), WHAT, err);
    if (status)
        return status;
    /* One place further on, where each sample's next pattern goes: its start, when all are put. */
    next = store->starts + 1;
    for (uint32_t i = 0; i < n; i++)
        next[i + 1] = next[i] + history->repetitions_here[i];
    for (uint64_t t = 0; t < history->n_patterns; t++)
        store->patterns[next[history->samples[t]]++] = t;
    store->order = (struct kl_sample_order){store->starts, store->patterns};
    return KL_OK;
}

enum kl_status kl_sample_order_of(const struct kl_history *history,
                                  const struct kl_sample_order **out, struct kl_error *err)
{
    struct kl_sample_order_store *store = history->sample_order_store;
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&store->lock);
    if (!store->is_made)
        status = make(history, store, err);
    if (status) {
        clear(store);
    } else {
        store->is_made = 1;
        *out = &store->order;
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}
