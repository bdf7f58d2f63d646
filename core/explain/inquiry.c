#include "core/explain/inquiry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/layer_scan.h"

struct known_correction {
    struct known_correction *next;
    uint32_t logit;
    struct kl_contributions contributions;
};

struct known_scores {
    struct known_scores *next;
    const struct kl_rank *rank;
    uint32_t layer, logit, target;
    float *scores; /* (n_patterns) */
};

struct kl_inquiry {
    struct kl_pool *pool;
    const struct kl_history *history;
    struct kl_subject subject; /* its pixels or tokens are the inquiry's own, */
    void *own;                 /* here */
    struct kl_activations *activations;
    pthread_mutex_t back; /* of the activations' error signals, which gradients are made in */
    pthread_mutex_t layer_locks[KL_LAYERS_MAX]; /* held while a layer is scanned */
    float *attention[KL_LAYERS_MAX];            /* (n_patterns), or NULL */
    pthread_mutex_t sums;                       /* of both lists; held while either grows */
    struct known_correction *corrections;
    struct known_scores *scores;
    pthread_mutex_t count; /* of bytes */
    size_t n_bytes;
};

static void keep(struct kl_inquiry *inquiry, size_t n_bytes)
{
    pthread_mutex_lock(&inquiry->count);
    inquiry->n_bytes += n_bytes;
    pthread_mutex_unlock(&inquiry->count);
}

size_t kl_inquiry_bytes(struct kl_inquiry *inquiry)
{
    size_t n_bytes;

    pthread_mutex_lock(&inquiry->count);
    n_bytes = inquiry->n_bytes;
    pthread_mutex_unlock(&inquiry->count);
    return n_bytes;
}

static enum kl_status copy_subject(struct kl_inquiry *inquiry, const struct kl_subject *subject,
                                   struct kl_error *err)
{
    size_t n_bytes = subject->pixels ? inquiry->history->final->shape.inputs[0]
                                     : subject->n_tokens * sizeof(uint32_t);
    const void *from = subject->pixels ? (const void *)subject->pixels : subject->tokens;
    enum kl_status status = kl_alloc(&inquiry->own, n_bytes, 1, "a query", err);

    if (status)
        return status;
    memcpy(inquiry->own, from, n_bytes);
    inquiry->subject = *subject;
    inquiry->subject.pixels = subject->pixels ? inquiry->own : NULL;
    inquiry->subject.tokens = subject->pixels ? NULL : inquiry->own;
    return KL_OK;
}

enum kl_status kl_inquiry_create(struct kl_pool *pool, const struct kl_history *history,
                                 const struct kl_subject *subject, struct kl_inquiry **out,
                                 struct kl_error *err)
{
    struct kl_inquiry *inquiry = NULL;
    enum kl_status status = kl_alloc(&inquiry, 1, sizeof *inquiry, "a query", err);

    if (status)
        return status;
    inquiry->pool = pool;
    inquiry->history = history;
    pthread_mutex_init(&inquiry->back, NULL);
    pthread_mutex_init(&inquiry->sums, NULL);
    pthread_mutex_init(&inquiry->count, NULL);
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++)
        pthread_mutex_init(&inquiry->layer_locks[l], NULL);
    status = copy_subject(inquiry, subject, err);
    if (!status)
        status = kl_model_read(history->final, history->data, &inquiry->subject,
                               &inquiry->activations, err);
    if (status)
        kl_inquiry_free(inquiry);
    else
        *out = inquiry;
    return status;
}

void kl_inquiry_free(struct kl_inquiry *inquiry)
{
    struct known_correction *correction;
    struct known_scores *scores;

    if (!inquiry)
        return;
    while ((correction = inquiry->corrections)) {
        inquiry->corrections = correction->next;
        kl_contributions_clear(&correction->contributions);
        free(correction);
    }
    while ((scores = inquiry->scores)) {
        inquiry->scores = scores->next;
        kl_scratch_give(inquiry->history->scratch, scores->scores);
        free(scores);
    }
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        kl_scratch_give(inquiry->history->scratch, inquiry->attention[l]);
        pthread_mutex_destroy(&inquiry->layer_locks[l]);
    }
    pthread_mutex_destroy(&inquiry->back);
    pthread_mutex_destroy(&inquiry->sums);
    pthread_mutex_destroy(&inquiry->count);
    kl_activations_free(inquiry->activations);
    free(inquiry->own);
    free(inquiry);
}

struct kl_pool *kl_inquiry_pool(const struct kl_inquiry *inquiry)
{
    return inquiry->pool;
}

const struct kl_history *kl_inquiry_history(const struct kl_inquiry *inquiry)
{
    return inquiry->history;
}

const struct kl_subject *kl_inquiry_subject(const struct kl_inquiry *inquiry)
{
    return &inquiry->subject;
}

const float *kl_inquiry_key(const struct kl_inquiry *inquiry, uint32_t layer)
{
    return inquiry->activations->keys[layer];
}

enum kl_status kl_inquiry_attention(struct kl_inquiry *inquiry, uint32_t layer, const float **out,
                                    struct kl_error *err)
{
    const struct kl_history *history = inquiry->history;
    float *attention = NULL;
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&inquiry->layer_locks[layer]);
    if (!inquiry->attention[layer]) {
        status = kl_scratch_take(history->scratch, &attention, err);
        if (!status)
            status = kl_scan_attention(inquiry->pool, history, layer,
                                       kl_inquiry_key(inquiry, layer), attention, err);
        if (status) {
            kl_scratch_give(history->scratch, attention);
        } else {
            inquiry->attention[layer] = attention;
            keep(inquiry, history->n_patterns * sizeof *attention);
        }
    }
    if (!status)
        *out = inquiry->attention[layer];
    pthread_mutex_unlock(&inquiry->layer_locks[layer]);
    return status;
}

/* The list entry of a correction, computed if need be; sums is held. */
static enum kl_status find_correction(struct kl_inquiry *inquiry, uint32_t logit,
                                      struct known_correction **out, struct kl_error *err)
{
    const struct kl_history *history = inquiry->history;
    uint32_t last = history->final->shape.n_layers - 1;
    struct known_correction *known = inquiry->corrections;
    const float *attention = NULL;
    enum kl_status status;

    logit = kl_history_is_text(history) ? logit : 0; /* otherwise one has them all */
    while (known && known->logit != logit)
        known = known->next;
    if (known) {
        *out = known;
        return KL_OK;
    }
    status = kl_inquiry_attention(inquiry, last, &attention, err);
    if (!status)
        status = kl_alloc(&known, 1, sizeof *known, "a correction", err);
    if (!status)
        status = kl_correct(inquiry->pool, history, attention, logit, &known->contributions, err);
    if (status) {
        free(known);
        return status;
    }
    known->logit = logit;
    known->next = inquiry->corrections;
    inquiry->corrections = known;
    keep(inquiry, (size_t)history->n_classes * known->contributions.n_reported * sizeof(double));
    *out = known;
    return KL_OK;
}

enum kl_status kl_inquiry_correction(struct kl_inquiry *inquiry, uint32_t logit,
                                     const struct kl_contributions **out, struct kl_error *err)
{
    struct known_correction *known = NULL;
    enum kl_status status;

    pthread_mutex_lock(&inquiry->sums);
    status = find_correction(inquiry, logit, &known, err);
    pthread_mutex_unlock(&inquiry->sums);
    if (!status)
        *out = &known->contributions;
    return status;
}

/* The same of scores. */
static enum kl_status find_scores(struct kl_inquiry *inquiry, const struct known_scores *wanted,
                                  struct known_scores **out, struct kl_error *err)
{
    const struct kl_history *history = inquiry->history;
    struct kl_scoring scoring = {inquiry, wanted->layer, wanted->logit, wanted->target};
    struct known_scores *known = inquiry->scores;
    enum kl_status status;

    while (known && (known->rank != wanted->rank || known->layer != wanted->layer ||
                     known->logit != wanted->logit || known->target != wanted->target))
        known = known->next;
    if (known) {
        *out = known;
        return KL_OK;
    }
    status = kl_alloc(&known, 1, sizeof *known, "scores", err);
    if (status)
        return status;
    *known = *wanted;
    known->scores = NULL;
    status = kl_scratch_take(history->scratch, &known->scores, err);
    if (!status)
        status = wanted->rank->score(&scoring, known->scores, err);
    if (status) {
        kl_scratch_give(history->scratch, known->scores);
        free(known);
        return status;
    }
    known->next = inquiry->scores;
    inquiry->scores = known;
    keep(inquiry, history->n_patterns * sizeof(float));
    *out = known;
    return KL_OK;
}

enum kl_status kl_inquiry_scores(struct kl_inquiry *inquiry, const struct kl_rank *rank,
                                 uint32_t layer, uint32_t logit, uint32_t target, const float **out,
                                 struct kl_error *err)
{
    struct known_scores wanted = {.rank = rank, .layer = layer, .logit = logit, .target = target};
    struct known_scores *known = NULL;
    enum kl_status status;

    pthread_mutex_lock(&inquiry->sums);
    status = find_scores(inquiry, &wanted, &known, err);
    pthread_mutex_unlock(&inquiry->sums);
    if (!status)
        *out = known->scores;
    return status;
}

enum kl_status kl_inquiry_gradients(struct kl_inquiry *inquiry, enum kl_gradient_of what,
                                    uint32_t output, uint32_t layer, float **block,
                                    const float *gradients[KL_LAYERS_MAX], struct kl_error *err)
{
    const struct kl_network *final = inquiry->history->final;
    uint32_t n_layers = final->shape.n_layers;
    size_t n = 0;
    float *next;

    for (uint32_t l = 0; l < n_layers; l++)
        n += final->shape.outputs[l];
    if (kl_alloc(block, n, sizeof(float), "gradients", err))
        return err->status;
    next = *block;
    pthread_mutex_lock(&inquiry->back);
    if (what == KL_GRADIENT_OF_LOGIT)
        kl_model_back_logit(final, output, layer, inquiry->activations);
    else
        kl_model_back_loss(final, output, inquiry->activations);
    for (uint32_t l = 0; l < n_layers; l++) {
        if (l >= layer)
            memcpy(next, inquiry->activations->errors[l], final->shape.outputs[l] * sizeof(float));
        gradients[l] = next;
        next += final->shape.outputs[l];
    }
    pthread_mutex_unlock(&inquiry->back);
    return KL_OK;
}
