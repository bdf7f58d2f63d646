#include "core/explain/inquiry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/dual/adam.h"
#include "core/explain/layer_scan.h"
#include "core/explain/passes.h"

/* Entries of lists are there before what they stand for is made: whoever finds it missing makes it,
 * holding the entry alone, so that nobody waits for what he did not ask for. */
struct known_correction {
    struct known_correction *next;
    pthread_mutex_t making;
    int is_made;
    uint32_t logit;
    struct kl_contributions contributions;
};

/* Of Adam: attention weighted by one output's coefficients, in the last layer. */
struct known_weighted {
    struct known_weighted *next;
    uint32_t output;
    float *weighted; /* (n_patterns) */
};

struct known_scores {
    struct known_scores *next;
    pthread_mutex_t making;
    const struct kl_rank *rank;
    uint32_t layer, logit, target;
    float *scores; /* (n_patterns), or NULL: not made yet */
};

struct kl_inquiry {
    struct kl_pool *pool;
    const struct kl_history *history;
    struct kl_subject subject; /* its pixels or tokens are the inquiry's own, */
    void *own;                 /* here */
    struct kl_activations *activations;
    pthread_mutex_t back; /* of the activations' error signals, which gradients are made in */
    pthread_mutex_t layer_locks[KL_LAYERS_MAX]; /* held while a layer is scanned, */
    pthread_mutex_t sweep_locks[KL_LAYERS_MAX]; /* or swept: attention does not wait for that */
    float *attention[KL_LAYERS_MAX];            /* (n_patterns), or NULL */
    float *effects[KL_LAYERS_MAX];              /* (n_logits, n_patterns), or NULL */
    struct known_weighted *weighted;            /* under the last layer's lock */
    pthread_mutex_t lists;                      /* of the next two: held while either grows */
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
    size_t n_bytes = subject->pixels ? kl_dataset_image_size(inquiry->history->data->datasets[0])
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
    pthread_mutex_init(&inquiry->lists, NULL);
    pthread_mutex_init(&inquiry->count, NULL);
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        pthread_mutex_init(&inquiry->layer_locks[l], NULL);
        pthread_mutex_init(&inquiry->sweep_locks[l], NULL);
    }
    status = copy_subject(inquiry, subject, err);
    if (!status)
        status = kl_pass_forward(history, &inquiry->subject, &inquiry->activations, err);
    if (status)
        kl_inquiry_free(inquiry);
    else
        *out = inquiry;
    return status;
}

void kl_inquiry_free(struct kl_inquiry *inquiry)
{
    struct known_correction *correction;
    struct known_weighted *weighted;
    struct known_scores *scores;

    if (!inquiry)
        return;
    while ((correction = inquiry->corrections)) {
        inquiry->corrections = correction->next;
        kl_contributions_clear(&correction->contributions);
        pthread_mutex_destroy(&correction->making);
        free(correction);
    }
    while ((weighted = inquiry->weighted)) {
        inquiry->weighted = weighted->next;
        kl_scratch_give(inquiry->history->scratch, weighted->weighted);
        free(weighted);
    }
    while ((scores = inquiry->scores)) {
        inquiry->scores = scores->next;
        kl_scratch_give(inquiry->history->scratch, scores->scores);
        pthread_mutex_destroy(&scores->making);
        free(scores);
    }
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        kl_scratch_give(inquiry->history->scratch, inquiry->attention[l]);
        free(inquiry->effects[l]);
        pthread_mutex_destroy(&inquiry->layer_locks[l]);
        pthread_mutex_destroy(&inquiry->sweep_locks[l]);
    }
    pthread_mutex_destroy(&inquiry->back);
    pthread_mutex_destroy(&inquiry->lists);
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

const struct kl_places *kl_inquiry_places(const struct kl_inquiry *inquiry, uint32_t layer)
{
    return inquiry->activations->places[layer];
}

/* Weighs the last layer by an output's coefficients, under its lock; attention (or NULL) is made by
 * the same pass. */
static enum kl_status weigh(struct kl_inquiry *inquiry, uint32_t output, float *attention,
                            struct kl_error *err)
{
    const struct kl_history *history = inquiry->history;
    uint32_t last = history->final->shape.n_layers - 1;
    struct known_weighted *known = NULL;
    enum kl_status status = kl_alloc(&known, 1, sizeof *known, "a query", err);

    if (!status)
        status = kl_scratch_take(history->scratch, &known->weighted, err);
    if (!status)
        status = kl_adam_weigh(inquiry->pool, history, output, kl_inquiry_key(inquiry, last),
                               attention, known->weighted, err);
    if (status) {
        if (known)
            kl_scratch_give(history->scratch, known->weighted);
        free(known);
        return status;
    }
    known->output = output;
    known->next = inquiry->weighted;
    inquiry->weighted = known;
    keep(inquiry, history->n_patterns * sizeof(float));
    return KL_OK;
}

enum kl_status kl_inquiry_weighted(struct kl_inquiry *inquiry, uint32_t output, const float **out,
                                   struct kl_error *err)
{
    uint32_t last = inquiry->history->final->shape.n_layers - 1;
    struct known_weighted *known;
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&inquiry->layer_locks[last]);
    for (known = inquiry->weighted; known && known->output != output;)
        known = known->next;
    if (!known) {
        status = weigh(inquiry, output, NULL, err);
        known = inquiry->weighted;
    }
    if (!status)
        *out = known->weighted;
    pthread_mutex_unlock(&inquiry->layer_locks[last]);
    return status;
}

/* A layer's attention. What Adam's last layer says is wanted next is made by the same pass. */
static enum kl_status scan(struct kl_inquiry *inquiry, uint32_t layer, float *attention,
                           struct kl_error *err)
{
    const struct kl_history *history = inquiry->history;
    uint32_t n_layers = history->final->shape.n_layers;
    const float *logits = kl_inquiry_key(inquiry, n_layers);

    if (history->adam && history->has_dual && layer + 1 == n_layers && !inquiry->weighted)
        return weigh(inquiry, kl_argmax(logits, history->final->shape.outputs[layer]), attention,
                     err);
    return kl_scan_attention(inquiry->pool, history, layer, kl_inquiry_key(inquiry, layer),
                             attention, err);
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
            status = scan(inquiry, layer, attention, err);
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

int kl_inquiry_has_attention(struct kl_inquiry *inquiry, uint32_t layer)
{
    int is_known;

    pthread_mutex_lock(&inquiry->layer_locks[layer]);
    is_known = inquiry->attention[layer] != NULL;
    pthread_mutex_unlock(&inquiry->layer_locks[layer]);
    return is_known;
}

static enum kl_status correct_adam(struct kl_inquiry *inquiry, uint32_t logit,
                                   struct kl_contributions *out, struct kl_error *err)
{
    const struct kl_history *history = inquiry->history;
    const float *weighted = NULL;
    enum kl_status status =
        kl_history_is_text(history) ? kl_inquiry_weighted(inquiry, logit, &weighted, err) : KL_OK;

    return status ? status
                  : kl_adam_correct(inquiry->pool, history,
                                    kl_inquiry_key(inquiry, history->final->shape.n_layers - 1),
                                    logit, weighted, out, err);
}

static enum kl_status sweep_effects(struct kl_inquiry *inquiry, uint32_t layer, float *effects,
                                    struct kl_error *err)
{
    const struct kl_history *history = inquiry->history;
    uint32_t n = kl_shape_n_outputs(&history->final->shape);
    const float *gradients[KL_LAYERS_MAX], *each[KL_INQUIRY_LOGITS];
    float *blocks[KL_INQUIRY_LOGITS] = {0}, *scores[KL_INQUIRY_LOGITS];
    enum kl_status status = KL_OK;

    for (uint32_t j = 0; !status && j < n; j++) {
        status = kl_inquiry_gradients(inquiry, KL_GRADIENT_OF_LOGIT, j, layer, &blocks[j],
                                      gradients, err);
        each[j] = gradients[layer];
        scores[j] = effects + j * history->n_patterns;
    }
    if (!status)
        status = kl_adam_effects(inquiry->pool, history, layer, kl_inquiry_key(inquiry, layer), n,
                                 each, scores, err);
    for (uint32_t j = 0; j < n; j++)
        free(blocks[j]);
    return status;
}

enum kl_status kl_inquiry_effects(struct kl_inquiry *inquiry, uint32_t layer, const float **out,
                                  struct kl_error *err)
{
    const struct kl_history *history = inquiry->history;
    size_t n = kl_shape_n_outputs(&history->final->shape) * history->n_patterns;
    float *effects = NULL;
    enum kl_status status = KL_OK;

    pthread_mutex_lock(&inquiry->sweep_locks[layer]);
    if (!inquiry->effects[layer]) {
        status = kl_alloc(&effects, n, sizeof *effects, "contributions", err);
        if (!status)
            status = sweep_effects(inquiry, layer, effects, err);
        if (status) {
            free(effects);
        } else {
            inquiry->effects[layer] = effects;
            keep(inquiry, n * sizeof *effects);
        }
    }
    if (!status)
        *out = inquiry->effects[layer];
    pthread_mutex_unlock(&inquiry->sweep_locks[layer]);
    return status;
}

static enum kl_status correct(struct kl_inquiry *inquiry, uint32_t logit,
                              struct kl_contributions *out, struct kl_error *err)
{
    const struct kl_history *history = inquiry->history;
    const float *attention = NULL;
    enum kl_status status;

    if (history->adam)
        return correct_adam(inquiry, logit, out, err);
    status = kl_inquiry_attention(inquiry, history->final->shape.n_layers - 1, &attention, err);
    return status ? status : kl_correct(inquiry->pool, history, attention, logit, out, err);
}

/* The list entry of a correction; the lists are held. */
static enum kl_status find_correction(struct kl_inquiry *inquiry, uint32_t logit,
                                      struct known_correction **out, struct kl_error *err)
{
    struct known_correction *known = inquiry->corrections;

    while (known && known->logit != logit)
        known = known->next;
    if (!known) {
        if (kl_alloc(&known, 1, sizeof *known, "a correction", err))
            return err->status;
        pthread_mutex_init(&known->making, NULL);
        known->logit = logit;
        known->next = inquiry->corrections;
        inquiry->corrections = known;
    }
    *out = known;
    return KL_OK;
}

enum kl_status kl_inquiry_correction(struct kl_inquiry *inquiry, uint32_t logit,
                                     const struct kl_contributions **out, struct kl_error *err)
{
    const struct kl_history *history = inquiry->history;
    struct known_correction *known = NULL;
    enum kl_status status;

    logit = kl_history_is_text(history) ? logit : 0; /* otherwise one has them all */
    pthread_mutex_lock(&inquiry->lists);
    status = find_correction(inquiry, logit, &known, err);
    pthread_mutex_unlock(&inquiry->lists);
    if (status)
        return status;
    pthread_mutex_lock(&known->making);
    if (!known->is_made) {
        status = correct(inquiry, logit, &known->contributions, err);
        known->is_made = !status;
        if (!status)
            keep(inquiry,
                 (size_t)history->n_classes * known->contributions.n_reported * sizeof(double));
    }
    pthread_mutex_unlock(&known->making);
    if (!status)
        *out = &known->contributions;
    return status;
}

/* The same of scores. */
static enum kl_status find_scores(struct kl_inquiry *inquiry, const struct known_scores *wanted,
                                  struct known_scores **out, struct kl_error *err)
{
    struct known_scores *known = inquiry->scores;

    while (known && (known->rank != wanted->rank || known->layer != wanted->layer ||
                     known->logit != wanted->logit || known->target != wanted->target))
        known = known->next;
    if (!known) {
        if (kl_alloc(&known, 1, sizeof *known, "scores", err))
            return err->status;
        *known = *wanted;
        pthread_mutex_init(&known->making, NULL);
        known->next = inquiry->scores;
        inquiry->scores = known;
    }
    *out = known;
    return KL_OK;
}

static enum kl_status score(struct kl_inquiry *inquiry, struct known_scores *known,
                            struct kl_error *err)
{
    struct kl_scoring scoring = {inquiry, known->rank, known->layer, known->logit, known->target};
    struct kl_scratch *scratch = inquiry->history->scratch;
    float *scores = NULL;
    enum kl_status status = kl_scratch_take(scratch, &scores, err);

    if (!status)
        status = known->rank->score(&scoring, scores, err);
    if (status) {
        kl_scratch_give(scratch, scores);
        return status;
    }
    known->scores = scores;
    keep(inquiry, inquiry->history->n_patterns * sizeof(float));
    return KL_OK;
}

enum kl_status kl_inquiry_scores(struct kl_inquiry *inquiry, const struct kl_rank *rank,
                                 uint32_t layer, uint32_t logit, uint32_t target, const float **out,
                                 struct kl_error *err)
{
    struct known_scores wanted = {.rank = rank,
                                  .layer = layer,
                                  .logit = rank->takes_logit ? logit : 0,
                                  .target = rank->takes_logit ? 0 : target};
    struct known_scores *known = NULL;
    enum kl_status status;

    pthread_mutex_lock(&inquiry->lists);
    status = find_scores(inquiry, &wanted, &known, err);
    pthread_mutex_unlock(&inquiry->lists);
    if (status)
        return status;
    pthread_mutex_lock(&known->making);
    if (!known->scores)
        status = score(inquiry, known, err);
    if (!status)
        *out = known->scores;
    pthread_mutex_unlock(&known->making);
    return status;
}

enum kl_status kl_inquiry_gradients(struct kl_inquiry *inquiry, enum kl_gradient_of what,
                                    uint32_t output, uint32_t layer, float **block,
                                    const float *gradients[KL_LAYERS_MAX], struct kl_error *err)
{
    enum kl_status status;

    pthread_mutex_lock(&inquiry->back);
    status = kl_pass_gradients(inquiry->history, &inquiry->subject, what, output, layer,
                               inquiry->activations, block, gradients, err);
    pthread_mutex_unlock(&inquiry->back);
    return status;
}

enum kl_status kl_inquiry_place_gradients(struct kl_inquiry *inquiry, uint32_t logit,
                                          uint32_t layer, float *gradients, struct kl_error *err)
{
    const struct kl_places *places = inquiry->activations->places[layer];
    size_t n = (size_t)places->n * inquiry->history->final->shape.outputs[layer];
    enum kl_status status;

    pthread_mutex_lock(&inquiry->back);
    status = kl_pass_back(inquiry->history, &inquiry->subject, KL_GRADIENT_OF_LOGIT, logit, layer,
                          inquiry->activations, err);
    if (!status)
        memcpy(gradients, places->errors, n * sizeof *gradients);
    pthread_mutex_unlock(&inquiry->back);
    return status;
}
