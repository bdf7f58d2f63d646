#include "core/base/scratch.h"

#include <pthread.h>
#include <stdlib.h>

#include "core/base/memory.h"

#define KEPT_BYTES ((size_t)32 << 20) /* at most, of arrays that nobody uses */
#define KEPT_MAX 16

struct kl_scratch {
    size_t n;
    pthread_mutex_t lock; /* of what follows */
    size_t n_kept;
    float *kept[KEPT_MAX];
};

enum kl_status kl_scratch_create(size_t n, struct kl_scratch **scratch, struct kl_error *err)
{
    enum kl_status status = kl_alloc(scratch, 1, sizeof **scratch, "queries", err);

    if (status)
        return status;
    (*scratch)->n = n;
    pthread_mutex_init(&(*scratch)->lock, NULL);
    return KL_OK;
}

void kl_scratch_free(struct kl_scratch *scratch)
{
    if (!scratch)
        return;
    for (size_t i = 0; i < scratch->n_kept; i++)
        free(scratch->kept[i]);
    pthread_mutex_destroy(&scratch->lock);
    free(scratch);
}

enum kl_status kl_scratch_take(struct kl_scratch *scratch, float **numbers, struct kl_error *err)
{
    *numbers = NULL;
    pthread_mutex_lock(&scratch->lock);
    if (scratch->n_kept > 0)
        *numbers = scratch->kept[--scratch->n_kept];
    pthread_mutex_unlock(&scratch->lock);
    return *numbers ? KL_OK
                    : kl_alloc_scanned(numbers, scratch->n, sizeof **numbers, "a query", err);
}

void kl_scratch_give(struct kl_scratch *scratch, float *numbers)
{
    int is_kept = 0;

    if (!numbers)
        return;
    pthread_mutex_lock(&scratch->lock);
    if (scratch->n_kept < KEPT_MAX &&
        (scratch->n_kept + 1) * scratch->n * sizeof *numbers <= KEPT_BYTES) {
        scratch->kept[scratch->n_kept++] = numbers;
        is_kept = 1;
    }
    pthread_mutex_unlock(&scratch->lock);
    if (!is_kept)
        free(numbers);
}
