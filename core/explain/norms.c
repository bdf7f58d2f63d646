#include "core/explain/norms.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "core/explain/history.h"
#include "core/base/memory.h"
#include "core/explain/layer_scan.h"

struct kl_norms {
    pthread_mutex_t lock;
    float *layers[KL_LAYERS_MAX]; /* or NULL */
};

enum kl_status kl_norms_create(struct kl_norms **norms, struct kl_error *err)
{
    enum kl_status status = kl_alloc(norms, 1, sizeof **norms, "the keys' lengths", err);

    if (!status)
        pthread_mutex_init(&(*norms)->lock, NULL);
    return status;
}

void kl_norms_free(struct kl_norms *norms)
{
    if (!norms)
        return;
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++)
        free(norms->layers[l]);
    pthread_mutex_destroy(&norms->lock);
    free(norms);
}

enum kl_status kl_norms_of(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                           const float **out, struct kl_error *err)
{
    struct kl_norms *norms = history->norms;
    float *values = NULL;
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&norms->lock);
    if (!norms->layers[layer]) {
        status = kl_alloc(&values, history->n_patterns, sizeof *values, "the keys' lengths", err);
        if (!status)
            status = kl_scan_key_squares(pool, history, layer, values, err);
        for (uint64_t t = 0; !status && t < history->n_patterns; t++)
            values[t] = sqrtf(values[t]);
        if (status)
            free(values);
        else
            norms->layers[layer] = values;
    }
    *out = norms->layers[layer];
    pthread_mutex_unlock(&norms->lock);
    return status;
}
