#include "core/explain/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/norms.h"
#include "core/scan/scan.h"
#include "core/models/trace.h"

/* What the scores are made of. */
struct job {
    const struct kl_history *history;
    enum kl_rank rank;
    const float *attention; /* (n_patterns) */
    const float *factors;   /* (n_patterns) the keys' lengths, or products with error signals */
    double length;          /* of the query */
    float *scores;          /* (n_patterns) */
};

static enum kl_status score_part(void *argument, const struct kl_part *part, struct kl_error *err)
{
    const struct job *job = argument;
    const float *attention = job->attention;
    float *scores = job->scores;

    (void)err;
    switch (job->rank) {
    case KL_RANK_ABS:
        for (uint64_t t = part->first; t < part->end; t++)
            scores[t] = fabsf(attention[t]);
        break;
    case KL_RANK_POSITIVE:
        memcpy(scores + part->first, attention + part->first,
               (part->end - part->first) * sizeof(float));
        break;
    case KL_RANK_NEGATIVE:
        for (uint64_t t = part->first; t < part->end; t++)
            scores[t] = -attention[t];
        break;
    case KL_RANK_COSINE:
        for (uint64_t t = part->first; t < part->end; t++) {
            double length = (double)job->factors[t] * job->length;

            scores[t] = length > 0 ? (float)(attention[t] / length) : 0;
        }
        break;
    default: /* sums over layers: from 0 */
        memset(scores + part->first, 0, (part->end - part->first) * sizeof(float));
        break;
    }
    return KL_OK;
}

static enum kl_status find_lengths(struct kl_pool *pool, uint32_t layer, const float *x,
                                   struct job *job, struct kl_error *err)
{
    double squares = 0;

    for (uint32_t i = 0; i < job->history->final->shape.inputs[layer]; i++)
        squares += (double)x[i] * x[i];
    job->length = sqrt(squares);
    return kl_norms_of(pool, job->history, layer, &job->factors, err);
}

/* scores[t] += c_t (a_t + 1) (d_t . gradient) at one layer. */
static enum kl_status add_effect_part(void *argument, const struct kl_part *part,
                                      struct kl_error *err)
{
    const struct job *job = argument;
    const struct kl_history *history = job->history;

    (void)err;
    for (uint64_t t = part->first; t < part->end; t++)
        job->scores[t] += (float)history->coefficients[t / history->patterns_per_step] *
                          job->factors[t] * (job->attention[t] + 1);
    return KL_OK;
}

static enum kl_status negate_part(void *argument, const struct kl_part *part, struct kl_error *err)
{
    float *scores = argument;

    (void)err;
    for (uint64_t t = part->first; t < part->end; t++)
        scores[t] = -scores[t];
    return KL_OK;
}

/* Over all layers, or the query's only. */
static enum kl_status add_effects(struct kl_pool *pool, const struct kl_history *history,
                                  uint32_t own_layer, int all_layers,
                                  const struct kl_activations *trace, const float *attention,
                                  float *scores, struct kl_error *err)
{
    float *products = NULL, *other = NULL;
    enum kl_status status = kl_scratch_take(history->scratch, &products, err);

    if (!status && all_layers)
        status = kl_scratch_take(history->scratch, &other, err);
    for (uint32_t l = 0; !status && l < history->final->shape.n_layers; l++) {
        const float *a = l == own_layer ? attention : other;

        if ((l != own_layer && !all_layers) || !history->errors[l])
            continue;
        if (l != own_layer)
            status = kl_scan_attention(pool, history, l, trace->keys[l], other, err);
        if (!status)
            status = kl_scan_dot(pool, history->errors[l], trace->errors[l], 0, products, err);
        if (!status)
            status = kl_pool_split(
                pool, history->n_patterns, KL_PARTS_MAX, add_effect_part,
                &(struct job){
                    .history = history, .attention = a, .factors = products, .scores = scores},
                err);
    }
    kl_scratch_give(history->scratch, products);
    kl_scratch_give(history->scratch, other);
    return status;
}

enum kl_status kl_scores(struct kl_pool *pool, const struct kl_history *history,
                         const struct kl_query *query, uint32_t logit, uint32_t target,
                         struct kl_trace *trace, const float *attention, float *scores,
                         struct kl_error *err)
{
    uint32_t layer = query->layer - 1;
    struct job job = {
        .history = history, .rank = query->rank, .attention = attention, .scores = scores};
    enum kl_status status = KL_OK;

    if (query->rank == KL_RANK_COSINE)
        status = find_lengths(pool, layer, trace->batch->keys[layer], &job, err);
    if (!status)
        status = kl_pool_split(pool, history->n_patterns, KL_PARTS_MAX, score_part, &job, err);
    if (status || query->rank < KL_RANK_LOGIT)
        return status;
    if (query->rank == KL_RANK_LOGIT || query->rank == KL_RANK_EFFECT)
        kl_trace_logit(history, logit, query->rank == KL_RANK_LOGIT ? layer : 0, trace);
    else
        kl_trace_loss(history, target, trace);
    status = add_effects(pool, history, layer, query->rank != KL_RANK_LOGIT, trace->batch,
                         attention, scores, err);
    if (!status && query->rank == KL_RANK_PROPONENTS) /* what lowers the loss */
        status = kl_pool_split(pool, history->n_patterns, KL_PARTS_MAX, negate_part, scores, err);
    return status;
}
