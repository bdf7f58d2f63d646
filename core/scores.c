#include "core/scores.h"

#include <math.h>
#include <stdlib.h>

#include "core/memory.h"
#include "core/norms.h"
#include "core/scan.h"
#include "core/trace.h"

static enum kl_status cosines(struct kl_pool *pool, const struct kl_history *history,
                              uint32_t layer, const float *x, const float *attention, float *scores,
                              struct kl_error *err)
{
    const float *norms;
    double squares = 0;
    enum kl_status status = kl_norms_of(pool, history, layer, &norms, err);

    for (uint32_t i = 0; i < history->final->shape.inputs[layer]; i++)
        squares += (double)x[i] * x[i];
    for (uint64_t t = 0; !status && t < history->n_patterns; t++) {
        double length = (double)norms[t] * sqrt(squares);

        scores[t] = length > 0 ? (float)(attention[t] / length) : 0;
    }
    return status;
}

/* scores[t] += c_t (a_t + 1) (d_t . gradient) at one layer. */
static enum kl_status add_effect(struct kl_pool *pool, const struct kl_history *history,
                                 uint32_t layer, const float *gradient, const float *attention,
                                 float *products, float *scores, struct kl_error *err)
{
    enum kl_status status = kl_scan_dot(pool, history->errors[layer], gradient, 0, products, err);

    for (uint64_t t = 0; !status && t < history->n_patterns; t++)
        scores[t] += (float)history->coefficients[t / history->patterns_per_step] * products[t] *
                     (attention[t] + 1);
    return status;
}

/* Over all layers, or the query's only. */
static enum kl_status add_effects(struct kl_pool *pool, const struct kl_history *history,
                                  uint32_t own_layer, int all_layers, const struct kl_batch *trace,
                                  const float *attention, float *scores, struct kl_error *err)
{
    float *products = NULL, *other = NULL;
    enum kl_status status =
        kl_alloc(&products, history->n_patterns, sizeof(float), "the contributions", err);

    if (!status && all_layers)
        status = kl_alloc(&other, history->n_patterns, sizeof(float), "the attention", err);
    for (uint32_t l = 0; !status && l < history->final->shape.n_layers; l++) {
        const float *a = l == own_layer ? attention : other;

        if ((l != own_layer && !all_layers) || !history->errors[l])
            continue;
        if (l != own_layer)
            status = kl_scan_attention(pool, history, l, trace->keys[l], other, err);
        if (!status)
            status = add_effect(pool, history, l, trace->errors[l], a, products, scores, err);
    }
    free(products);
    free(other);
    return status;
}

enum kl_status kl_scores(struct kl_pool *pool, const struct kl_history *history,
                         const struct kl_query *query, uint32_t logit, uint32_t target,
                         struct kl_trace *trace, const float *attention, float *scores,
                         struct kl_error *err)
{
    uint32_t layer = query->layer - 1;
    uint64_t n = history->n_patterns;
    enum kl_status status = KL_OK;

    for (uint64_t t = 0; t < n; t++)
        scores[t] = 0;
    switch (query->rank) {
    case KL_RANK_ABS:
        for (uint64_t t = 0; t < n; t++)
            scores[t] = fabsf(attention[t]);
        break;
    case KL_RANK_POSITIVE:
    case KL_RANK_NEGATIVE:
        for (uint64_t t = 0; t < n; t++)
            scores[t] = query->rank == KL_RANK_POSITIVE ? attention[t] : -attention[t];
        break;
    case KL_RANK_COSINE:
        return cosines(pool, history, layer, trace->batch->keys[layer], attention, scores, err);
    case KL_RANK_LOGIT:
    case KL_RANK_EFFECT:
        kl_trace_logit(history, logit, trace);
        return add_effects(pool, history, layer, query->rank == KL_RANK_EFFECT, trace->batch,
                           attention, scores, err);
    case KL_RANK_HELPED:
    case KL_RANK_HARMED:
        kl_trace_loss(history, target, trace);
        status = add_effects(pool, history, layer, 1, trace->batch, attention, scores, err);
        for (uint64_t t = 0; query->rank == KL_RANK_HELPED && t < n; t++)
            scores[t] = -scores[t]; /* what lowers the loss */
        break;
    }
    return status;
}
