#include "core/explain/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/places/bilinear.h"
#include "core/explain/dual/adam.h"
#include "core/explain/influence/decorrelation.h"
#include "core/explain/layer_scan.h"
#include "core/explain/norms.h"
#include "core/scan/scan.h"

/* What the scores of a part of the patterns are made of. */
struct job {
    const struct kl_history *history;
    uint32_t layer;         /* whose effects are added, from 0 */
    const float *attention; /* (n_patterns) */
    const float *factors;   /* (n_patterns) the keys' lengths, or products with error signals */
    double length;          /* of the query; or what is added to attention */
    float *scores;          /* (n_patterns) */
};

/* Does a function for all patterns, in parts. */
static enum kl_status for_all(const struct kl_scoring *scoring, kl_pool_part do_part,
                              struct job *job, struct kl_error *err)
{
    job->history = kl_inquiry_history(scoring->inquiry);
    return kl_pool_split(kl_inquiry_pool(scoring->inquiry), job->history->n_patterns, KL_PARTS_MAX,
                         do_part, job, err);
}

/* The same of the attention in the layer that is asked for. */
static enum kl_status from_attention(const struct kl_scoring *scoring, kl_pool_part do_part,
                                     float *scores, struct kl_error *err)
{
    struct job job = {.scores = scores};
    enum kl_status status =
        kl_inquiry_attention(scoring->inquiry, scoring->layer, &job.attention, err);

    return status ? status : for_all(scoring, do_part, &job, err);
}

static enum kl_status abs_part(void *argument, const struct kl_part *part, struct kl_error *err)
{
    const struct job *job = argument;

    (void)err;
    for (uint64_t t = part->first; t < part->end; t++)
        job->scores[t] = fabsf(job->attention[t]);
    return KL_OK;
}

enum kl_status kl_score_abs(const struct kl_scoring *scoring, float *scores, struct kl_error *err)
{
    return from_attention(scoring, abs_part, scores, err);
}

void kl_row_abs(float *row, uint32_t n, float length)
{
    (void)length;
    for (uint32_t q = 0; q < n; q++)
        row[q] = fabsf(row[q]);
}

static enum kl_status positive_part(void *argument, const struct kl_part *part,
                                    struct kl_error *err)
{
    const struct job *job = argument;

    (void)err;
    memcpy(job->scores + part->first, job->attention + part->first,
           (part->end - part->first) * sizeof(float));
    return KL_OK;
}

enum kl_status kl_score_positive(const struct kl_scoring *scoring, float *scores,
                                 struct kl_error *err)
{
    return from_attention(scoring, positive_part, scores, err);
}

void kl_row_positive(float *row, uint32_t n, float length)
{
    (void)row;
    (void)n;
    (void)length;
}

static enum kl_status negative_part(void *argument, const struct kl_part *part,
                                    struct kl_error *err)
{
    const struct job *job = argument;

    (void)err;
    for (uint64_t t = part->first; t < part->end; t++)
        job->scores[t] = -job->attention[t];
    return KL_OK;
}

enum kl_status kl_score_negative(const struct kl_scoring *scoring, float *scores,
                                 struct kl_error *err)
{
    return from_attention(scoring, negative_part, scores, err);
}

void kl_row_negative(float *row, uint32_t n, float length)
{
    (void)length;
    for (uint32_t q = 0; q < n; q++)
        row[q] = -row[q];
}

static enum kl_status cosine_part(void *argument, const struct kl_part *part, struct kl_error *err)
{
    const struct job *job = argument;

    (void)err;
    for (uint64_t t = part->first; t < part->end; t++) {
        double length = (double)job->factors[t] * job->length;

        job->scores[t] = length > 0 ? (float)(job->attention[t] / length) : 0;
    }
    return KL_OK;
}

enum kl_status kl_score_cosine(const struct kl_scoring *scoring, float *scores,
                               struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(scoring->inquiry);
    const struct kl_places *places = kl_inquiry_places(scoring->inquiry, scoring->layer);
    const float *x = places ? places->attended : kl_inquiry_key(scoring->inquiry, scoring->layer);
    struct job job = {.scores = scores};
    double squares = 0;
    enum kl_status status =
        kl_inquiry_attention(scoring->inquiry, scoring->layer, &job.attention, err);

    for (uint32_t i = 0; i < history->final->shape.inputs[scoring->layer]; i++)
        squares += (double)x[i] * x[i];
    job.length = sqrt(squares);
    if (!status)
        status = kl_norms_of(kl_inquiry_pool(scoring->inquiry), history, scoring->layer,
                             &job.factors, err);
    return status ? status : for_all(scoring, cosine_part, &job, err);
}

/* The query's own length changes no order among its scores. */
void kl_row_cosine(float *row, uint32_t n, float length)
{
    for (uint32_t q = 0; q < n; q++)
        row[q] = length > 0 ? row[q] / length : 0;
}

static enum kl_status zero_part(void *argument, const struct kl_part *part, struct kl_error *err)
{
    const struct job *job = argument;

    (void)err;
    memset(job->scores + part->first, 0, (part->end - part->first) * sizeof(float));
    return KL_OK;
}

/* scores[t] += c_t (a_t + 1) (d_t . gradient) at one layer; of Adam, whose coefficients are in the
 * weighted attention, that times (d_t . gradient). */
static enum kl_status effect_part(void *argument, const struct kl_part *part, struct kl_error *err)
{
    const struct job *job = argument;
    const struct kl_history *history = job->history;

    (void)err;
    for (uint64_t t = part->first; history->adam && t < part->end; t++)
        job->scores[t] += job->factors[t] * job->attention[t];
    for (uint64_t t = part->first; !history->adam && t < part->end; t++)
        job->scores[t] += (float)kl_history_coefficient(history, job->layer, t) * job->factors[t] *
                          (job->attention[t] + history->layers[job->layer].bias);
    return KL_OK;
}

static uint32_t n_layers_of(const struct kl_scoring *scoring)
{
    return kl_inquiry_history(scoring->inquiry)->final->shape.n_layers;
}

/* Of Adam: through one layer by a sweep, whose contributions to every logit are kept where there
 * are few; those to the loss are their sum, weighted by its gradient. */
static enum kl_status add_swept(const struct kl_scoring *scoring, enum kl_gradient_of what,
                                uint32_t layer, const float *gradient, float *scores,
                                struct kl_error *err)
{
    struct kl_inquiry *inquiry = scoring->inquiry;
    const struct kl_history *history = kl_inquiry_history(inquiry);
    uint32_t n = kl_shape_n_outputs(&history->final->shape);
    float weights[KL_INQUIRY_LOGITS] = {0};
    const float *effects = NULL;

    if (n > KL_INQUIRY_LOGITS || history->queries)
        return kl_adam_effects(kl_inquiry_pool(inquiry), history, layer,
                               kl_inquiry_key(inquiry, layer), 1, &gradient, &scores, err);
    if (kl_inquiry_effects(inquiry, layer, &effects, err))
        return err->status;
    if (what == KL_GRADIENT_OF_LOSS) {
        kl_softmax(kl_inquiry_key(inquiry, history->final->shape.n_layers), n, weights);
        weights[scoring->target] -= 1;
    } else {
        weights[scoring->logit] = 1;
    }
    for (uint32_t j = 0; j < n; j++, effects += history->n_patterns)
        for (uint64_t t = 0; weights[j] != 0 && t < history->n_patterns; t++)
            scores[t] += weights[j] * effects[t];
    return KL_OK;
}

/* What a pattern's step weighs, as a number: of Adam, whose steps are divided by every weight's own
 * gradients, the rate of the step. */
static double weight_of(const struct kl_history *history, uint32_t layer, uint64_t pattern)
{
    const struct kl_step_rule *rule;

    if (!history->adam)
        return kl_history_coefficient(history, layer, pattern);
    rule = &history->layers[layer].rules[kl_history_step(history, pattern) - 1];
    return -rule->learning_rate * rule->clip_factor;
}

/* scores[t] += c_t times the factor. */
static enum kl_status bilinear_part(void *argument, const struct kl_part *part,
                                    struct kl_error *err)
{
    const struct job *job = argument;

    (void)err;
    for (uint64_t t = part->first; t < part->end; t++)
        job->scores[t] += (float)weight_of(job->history, job->layer, t) * job->factors[t];
    return KL_OK;
}

/* Through a layer with places, by their matrix: with every step's own coefficients, or, swept = 0,
 * with what each weighs as a number. products is room for it. */
static enum kl_status add_bilinear(const struct kl_scoring *scoring, struct job *job, int swept,
                                   const float *matrix, float *products, struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(scoring->inquiry);
    struct kl_pool *pool = kl_inquiry_pool(scoring->inquiry);
    enum kl_status status;

    if (history->adam && swept)
        return kl_adam_bilinear(pool, history, job->layer, matrix, job->scores, err);
    status = kl_scan_bilinear(pool, history, job->layer, matrix, products, err);
    job->factors = products;
    return status ? status : for_all(scoring, bilinear_part, job, err);
}

/* Over the layers first .. end - 1 whose error signals are recorded. */
static enum kl_status add_effects(const struct kl_scoring *scoring, enum kl_gradient_of what,
                                  uint32_t first, uint32_t end,
                                  const float *const gradients[KL_LAYERS_MAX], float *scores,
                                  struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(scoring->inquiry);
    struct job job = {.scores = scores};
    float *products = NULL;
    enum kl_status status = for_all(scoring, zero_part, &job, err);

    if (!status)
        status = kl_scratch_take(history->scratch, &products, err);
    for (uint32_t l = first; !status && l < end; l++) {
        if (!history->errors[l])
            continue;
        job.layer = l;
        if (kl_inquiry_places(scoring->inquiry, l)) {
            status = add_bilinear(scoring, &job, 1, gradients[l], products, err);
            continue;
        }
        if (history->adam && (what != KL_GRADIENT_OF_LOGIT || l + 1 < n_layers_of(scoring))) {
            status = add_swept(scoring, what, l, gradients[l], scores, err);
            continue;
        }
        status = history->adam
                     ? kl_inquiry_weighted(scoring->inquiry, scoring->logit, &job.attention, err)
                     : kl_inquiry_attention(scoring->inquiry, l, &job.attention, err);
        if (!status)
            status = kl_scan_dot(kl_inquiry_pool(scoring->inquiry), history->errors[l],
                                 gradients[l], 0, products, err);
        job.factors = products;
        if (!status)
            status = for_all(scoring, effect_part, &job, err);
    }
    kl_scratch_give(history->scratch, products);
    return status;
}

/* Effects on what the gradients are of. */
static enum kl_status score_effects(const struct kl_scoring *scoring, enum kl_gradient_of what,
                                    uint32_t output, uint32_t first, uint32_t end, float *scores,
                                    struct kl_error *err)
{
    const float *gradients[KL_LAYERS_MAX];
    float *block = NULL;
    enum kl_status status =
        kl_inquiry_gradients(scoring->inquiry, what, output, first, &block, gradients, err);

    if (!status)
        status = add_effects(scoring, what, first, end, gradients, scores, err);
    free(block);
    return status;
}

enum kl_status kl_score_logit(const struct kl_scoring *scoring, float *scores, struct kl_error *err)
{
    return score_effects(scoring, KL_GRADIENT_OF_LOGIT, scoring->logit, scoring->layer,
                         scoring->layer + 1, scores, err);
}

enum kl_status kl_score_effect(const struct kl_scoring *scoring, float *scores,
                               struct kl_error *err)
{
    return score_effects(scoring, KL_GRADIENT_OF_LOGIT, scoring->logit, 0, n_layers_of(scoring),
                         scores, err);
}

/* What raises the loss adds to it. */
enum kl_status kl_score_opponents(const struct kl_scoring *scoring, float *scores,
                                  struct kl_error *err)
{
    return score_effects(scoring, KL_GRADIENT_OF_LOSS, scoring->target, 0, n_layers_of(scoring),
                         scores, err);
}

/* scores[t] += c_t (x^ . x_t + its offset) (d_t . gradient) at one layer. */
static enum kl_status decorrelated_part(void *argument, const struct kl_part *part,
                                        struct kl_error *err)
{
    const struct job *job = argument;

    (void)err;
    for (uint64_t t = part->first; t < part->end; t++)
        job->scores[t] += (float)weight_of(job->history, job->layer, t) * job->factors[t] *
                          (job->attention[t] + (float)job->length);
    return KL_OK;
}

/* One layer's part of what raises the loss, its query (a row, or a matrix of places) decorrelated.
 * attention and products are room for it. */
static enum kl_status add_decorrelated(const struct kl_scoring *scoring, struct job *job,
                                       const float *gradient, float *attention, float *products,
                                       struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(scoring->inquiry);
    struct kl_pool *pool = kl_inquiry_pool(scoring->inquiry);
    const struct kl_shape *shape = &history->final->shape;
    int has_places = kl_inquiry_places(scoring->inquiry, job->layer) != NULL;
    uint32_t inputs = shape->inputs[job->layer], n = has_places ? shape->outputs[job->layer] : 1;
    size_t n_numbers = n * ((size_t)inputs + 1);
    float *rows = NULL;
    enum kl_status status = kl_alloc(&rows, n_numbers, sizeof *rows, "a query", err);

    if (status)
        return status;
    rows[inputs] = 1;
    memcpy(rows, has_places ? gradient : kl_inquiry_key(scoring->inquiry, job->layer),
           (has_places ? n_numbers : inputs) * sizeof *rows);
    status = kl_decorrelate(pool, history, job->layer, n, rows, err);
    if (!status && has_places) {
        status = add_bilinear(scoring, job, 0, rows, products, err);
        free(rows);
        return status;
    }
    if (!status)
        status = kl_scan_attention(pool, history, job->layer, rows, attention, err);
    if (!status)
        status = kl_scan_dot(pool, history->errors[job->layer], gradient, 0, products, err);
    job->attention = attention;
    job->factors = products;
    job->length = (double)rows[inputs];
    if (!status)
        status = for_all(scoring, decorrelated_part, job, err);
    free(rows);
    return status;
}

enum kl_status kl_score_hindrance(const struct kl_scoring *scoring, float *scores,
                                  struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(scoring->inquiry);
    struct job job = {.scores = scores};
    const float *gradients[KL_LAYERS_MAX];
    float *block = NULL, *attention = NULL, *products = NULL;
    enum kl_status status = for_all(scoring, zero_part, &job, err);

    if (!status)
        status = kl_inquiry_gradients(scoring->inquiry, KL_GRADIENT_OF_LOSS, scoring->target, 0,
                                      &block, gradients, err);
    if (!status)
        status = kl_scratch_take(history->scratch, &attention, err);
    if (!status)
        status = kl_scratch_take(history->scratch, &products, err);
    for (job.layer = 0; !status && job.layer < n_layers_of(scoring); job.layer++)
        if (history->errors[job.layer])
            status =
                add_decorrelated(scoring, &job, gradients[job.layer], attention, products, err);
    kl_scratch_give(history->scratch, attention);
    kl_scratch_give(history->scratch, products);
    free(block);
    return status;
}

enum kl_status kl_score_opposite(const struct kl_scoring *scoring, float *scores,
                                 struct kl_error *err)
{
    struct job job = {.scores = scores};
    enum kl_status status =
        kl_inquiry_scores(scoring->inquiry, scoring->rank->opposite, scoring->layer, scoring->logit,
                          scoring->target, &job.attention, err);

    return status ? status : for_all(scoring, negative_part, &job, err);
}
