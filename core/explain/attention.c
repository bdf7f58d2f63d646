#include "core/explain/attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/explain/dual/dual.h"
#include "core/explain/quick.h"
#include "core/explain/ranks.h"
#include "core/explain/scores.h"
#include "core/explain/spotlight.h"
#include "core/explain/views/sample_order.h"

/* Totals tell contributions, too. */
#define NEEDS_CORRECTION (KL_ANSWER_LOGITS | KL_ANSWER_CLASSES | KL_ANSWER_TIME)

struct work {
    struct kl_inquiry *inquiry;
    struct kl_pool *pool;
    const struct kl_history *history;
    const struct kl_query *query;
    const float *scores;                   /* (n_patterns) of the query's rank */
    float *quick_attention, *quick_scores; /* of core/explain/quick.h; or NULL */
};

/* What the network says. */
static enum kl_status say(const struct work *work, struct kl_answer *answer, struct kl_error *err)
{
    const struct kl_network *network = work->history->final;
    const struct kl_query *query = work->query;
    uint32_t n_logits = kl_shape_n_outputs(&network->shape);
    enum kl_status status = kl_alloc(&answer->logits, n_logits, sizeof(float), "logits", err);

    if (!status)
        status = kl_alloc(&answer->probabilities, n_logits, sizeof(float), "logits", err);
    if (!status)
        status = kl_alloc(&answer->initial_guess, n_logits, sizeof(double), "logits", err);
    if (!status)
        status = kl_alloc(&answer->correction, n_logits, sizeof(double), "logits", err);
    if (status)
        return status;
    memcpy(answer->logits, kl_inquiry_key(work->inquiry, network->shape.n_layers),
           n_logits * sizeof(float));
    kl_softmax(answer->logits, n_logits, answer->probabilities);
    answer->n_logits = n_logits;
    answer->predicted = kl_argmax(answer->logits, n_logits);
    answer->logit = query->logit == KL_ANY_CLASS ? answer->predicted : (uint32_t)query->logit;
    answer->target = query->target == KL_ANY_CLASS ? answer->predicted : (uint32_t)query->target;
    for (uint32_t j = 0; j < n_logits && !work->history->has_dual; j++)
        answer->initial_guess[j] = answer->correction[j] = NAN;
    if (work->history->has_dual)
        status = kl_initial_guess(work->pool, work->history, network->shape.n_layers - 1,
                                  kl_inquiry_key(work->inquiry, network->shape.n_layers - 1),
                                  answer->initial_guess, err);
    if (status)
        return status;
    return kl_groups_create(work->history, answer->predicted, answer->target, &answer->groups, err);
}

/* Whether 8-bit keys may tell all that is asked for. */
static int may_be_quick(const struct work *work)
{
    const struct kl_query *query = work->query;
    uint32_t layer = query->layer - 1;

    return query->by_bytes && query->parts == KL_ANSWER_SPOTLIGHT && !query->removal &&
           !query->by_sample && query->only_class == KL_ANY_CLASS &&
           /* Contributions after Adam take a pass of their own, which tells attention, too. */
           (!work->history->adam || query->attention_alone) &&
           !kl_inquiry_has_attention(work->inquiry, layer) &&
           kl_quick_applies(work->history, layer, query->rank);
}

static void give_quick(struct work *work)
{
    kl_scratch_give(work->history->scratch, work->quick_attention);
    kl_scratch_give(work->history->scratch, work->quick_scores);
    work->quick_attention = work->quick_scores = NULL;
}

/* Looks for the spotlight in 8-bit keys: where they tell it, work->scores is known. */
static enum kl_status scan_bytes(struct work *work, struct kl_answer *answer, struct kl_error *err)
{
    const struct kl_query *query = work->query;
    uint32_t layer = query->layer - 1;
    enum kl_status status = kl_scratch_take(work->history->scratch, &work->quick_attention, err);

    if (!status)
        status = kl_scratch_take(work->history->scratch, &work->quick_scores, err);
    if (!status)
        status = kl_quick_attention(work->pool, work->history, layer,
                                    kl_inquiry_key(work->inquiry, layer), query->rank, query->top,
                                    work->quick_attention, work->quick_scores,
                                    &answer->scores.are_by_bytes, err);
    if (status || !answer->scores.are_by_bytes) {
        give_quick(work);
        return status == KL_ERR_MEMORY ? KL_OK : status; /* the full scan needs less */
    }
    answer->attention = work->quick_attention; /* of those that are lit, and some more */
    work->scores = work->quick_scores;
    return KL_OK;
}

/* The layers that the parts asked for need, before anything is made of them. */
static enum kl_status scan_layers(struct work *work, struct kl_answer *answer, struct kl_error *err)
{
    const struct kl_history *history = work->history;
    uint32_t last = history->final->shape.n_layers - 1;
    unsigned parts = work->query->parts;
    const float *any;
    double started = kl_now_ms();
    enum kl_status status = KL_OK;

    if (may_be_quick(work))
        status = scan_bytes(work, answer, err);
    if (!status && !answer->attention &&
        ((parts & ~(unsigned)(KL_ANSWER_LOGITS | KL_ANSWER_LEARNING | KL_ANSWER_SHOWINGS |
                              KL_ANSWER_PLACES)) ||
         work->query->removal))
        status =
            kl_inquiry_attention(work->inquiry, work->query->layer - 1, &answer->attention, err);
    if (!status && (parts & NEEDS_CORRECTION) && history->has_dual)
        status = kl_inquiry_attention(work->inquiry, last, &any, err);
    answer->scan_ms = kl_now_ms() - started;
    return status;
}

static enum kl_status correct(const struct work *work, struct kl_answer *answer,
                              struct kl_error *err)
{
    enum kl_status status;

    if (!work->history->has_dual || !(work->query->parts & NEEDS_CORRECTION))
        return KL_OK;
    status = kl_inquiry_correction(work->inquiry, answer->logit, &answer->contributions, err);
    for (uint32_t j = 0; !status && j < answer->n_logits; j++) {
        double error;

        answer->correction[j] = answer->contributions->correction[j];
        error = fabs(answer->initial_guess[j] + answer->correction[j] - (double)answer->logits[j]);
        answer->max_abs_error = error > answer->max_abs_error ? error : answer->max_abs_error;
    }
    return status;
}

struct contribution_job {
    const struct work *work;
    struct kl_answer *answer;
    const float *contributions; /* (n_patterns) where they are known anyway; or NULL, and */
    const float *gradient;      /* (outputs) of the logit w.r.t. the layer's output */
    const struct kl_sample_order *order; /* by sample; or NULL */
};

/* The contribution of pattern t, from its error signal (one row of the history). */
static enum kl_status contribution_of(const struct contribution_job *job, unsigned worker,
                                      uint64_t t, float *row, double *contribution,
                                      struct kl_error *err)
{
    const struct kl_history *history = job->work->history;
    uint32_t layer = job->work->query->layer - 1;
    const struct kl_block_source *errors = history->errors[layer];
    enum kl_status status;
    double sum = 0;

    if (job->contributions) {
        *contribution = (double)job->contributions[t];
        return KL_OK;
    }
    status = kl_read_rows(errors, worker, t, 1, row, err);
    for (uint32_t j = 0; !status && j < errors->width; j++)
        sum += (double)row[j] * job->gradient[j];
    *contribution = kl_history_coefficient(history, layer, t) *
                    ((double)job->answer->attention[t] + (double)history->layers[layer].bias) * sum;
    return status;
}

/* The contribution of a hit: by sample, of all its patterns here. */
static enum kl_status light_hit(const struct contribution_job *job, unsigned worker,
                                struct kl_hit *hit, float *row, struct kl_error *err)
{
    const struct kl_sample_order *order = job->order;
    enum kl_status status = KL_OK;
    uint64_t t;

    if (!order)
        return kl_history_find(job->work->history, hit->pattern, &t)
                   ? contribution_of(job, worker, t, row, &hit->contribution, err)
                   : KL_OK;
    for (uint64_t k = order->starts[hit->sample]; !status && k < order->starts[hit->sample + 1];
         k++) {
        double contribution = 0;

        status = contribution_of(job, worker, order->patterns[k], row, &contribution, err);
        hit->contribution += contribution;
    }
    return status;
}

/* Runs as the pool's only task, so that it may read as a worker. */
static enum kl_status light_contributions(void *argument, unsigned worker, unsigned task,
                                          struct kl_error *err)
{
    const struct contribution_job *job = argument;
    const struct kl_history *history = job->work->history;
    float *row = NULL;
    enum kl_status status = kl_alloc(&row, history->errors[job->work->query->layer - 1]->width,
                                     sizeof(float), "an error signal", err);

    (void)task;
    for (uint32_t i = 0; !status && i < job->answer->n_hits; i++)
        status = light_hit(job, worker, &job->answer->spotlight[i], row, err);
    free(row);
    return status;
}

/* What every process has of them. */
static enum kl_status add_contributions(const struct kl_history *history, struct kl_answer *answer,
                                        struct kl_error *err)
{
    double *sums = NULL;
    enum kl_status status = kl_alloc(&sums, answer->n_hits, sizeof *sums, "the spotlight", err);

    for (uint32_t i = 0; !status && i < answer->n_hits; i++)
        sums[i] = answer->spotlight[i].contribution;
    if (!status)
        status = kl_peers_sum(history->peers, sums, answer->n_hits, err);
    for (uint32_t i = 0; !status && i < answer->n_hits; i++)
        answer->spotlight[i].contribution = sums[i];
    free(sums);
    return status;
}

static enum kl_status report_contributions(const struct work *work, struct kl_answer *answer,
                                           struct kl_error *err)
{
    uint32_t layer = work->query->layer - 1;
    const float *gradients[KL_LAYERS_MAX];
    struct contribution_job job = {.work = work, .answer = answer};
    float *block = NULL;
    int is_told = work->history->errors[layer] &&
                  (!work->query->attention_alone || work->query->rank->score == kl_score_logit);
    enum kl_status status = KL_OK;

    for (uint32_t i = 0; i < answer->n_hits; i++)
        answer->spotlight[i].contribution = is_told ? 0 : NAN;
    if (!is_told)
        return KL_OK;
    if (work->query->rank->score == kl_score_logit)
        job.contributions = work->scores;
    else if (work->history->adam || kl_inquiry_places(work->inquiry, layer))
        status = kl_inquiry_scores(work->inquiry, kl_rank_find("logit"), layer, answer->logit,
                                   answer->target, &job.contributions, err);
    if (!status && !job.contributions) {
        status = kl_inquiry_gradients(work->inquiry, KL_GRADIENT_OF_LOGIT, answer->logit, layer,
                                      &block, gradients, err);
        job.gradient = gradients[layer];
    }
    if (!status && work->query->by_sample)
        status = kl_sample_order_of(work->history, &job.order, err);
    if (!status)
        status = kl_pool_run(work->pool, light_contributions, &job, 1, err);
    if (!status)
        status = add_contributions(work->history, answer, err);
    free(block);
    return status;
}

/* Marks the first patterns of the spotlight; or, by sample, adds the first samples to the removal,
 * in a copy of it. */
static void name_lit(const struct work *work, const struct kl_answer *answer,
                     struct kl_removal *removal, uint8_t *removed)
{
    uint64_t t;

    for (uint32_t i = 0; i < removal->top && i < answer->n_hits; i++) {
        if (!work->query->by_sample &&
            kl_history_find(work->history, answer->spotlight[i].pattern, &t))
            removed[t] = 1;
        if (work->query->by_sample)
            removal->samples[removal->n_samples++] = answer->spotlight[i].sample;
    }
}

static enum kl_status remove_patterns(const struct work *work, struct kl_answer *answer,
                                      struct kl_error *err)
{
    const struct kl_history *history = work->history;
    struct kl_removal removal = *work->query->removal;
    struct kl_removed *result = &answer->removed;
    uint32_t first = history->final->shape.model->first_removable(&history->final->shape);
    float *logits = NULL;
    uint8_t *removed = NULL;
    enum kl_status status = kl_alloc(&removed, history->n_patterns, 1, "the removal", err);

    if (status)
        goto out;
    status = kl_alloc(&result->logits, answer->n_logits, sizeof(double), "logits", err);
    if (status)
        goto out;
    status = kl_alloc(&result->probabilities, answer->n_logits, sizeof(float), "logits", err);
    if (status)
        goto out;
    name_lit(work, answer, &removal, removed);
    status = kl_removal_mark(history, &removal, removed, err);
    if (status)
        goto out;
    for (uint64_t t = 0; t < history->n_patterns; t++)
        result->n_patterns += removed[t];
    status = kl_peers_sum_counts(history->peers, &result->n_patterns, 1, err);
    if (status)
        goto out;
    status = kl_logits_without(work->pool, history, first, kl_inquiry_key(work->inquiry, first),
                               removed, result->logits, err);
    if (status)
        goto out;
    status = kl_alloc(&logits, answer->n_logits, sizeof(float), "logits", err);
    if (status)
        goto out;
    for (uint32_t j = 0; j < answer->n_logits; j++)
        logits[j] = (float)result->logits[j];
    kl_softmax(logits, answer->n_logits, result->probabilities);
    result->predicted = kl_argmax(logits, answer->n_logits);
out:
    free(logits);
    free(removed);
    return status;
}

/* Sums over all patterns, by class and by time. Where the groups that time is told by are the
 * classes, one pass does for both. */
static enum kl_status sum(const struct work *work, struct kl_answer *answer, struct kl_error *err)
{
    const struct kl_history *history = work->history;
    int is_shared = !kl_history_is_text(history);
    enum kl_status status = KL_OK;

    if (work->query->parts & KL_ANSWER_TIME)
        status = kl_timeline(work->pool, history, &answer->groups, answer->attention, &answer->time,
                             err);
    if (status || !(work->query->parts & (KL_ANSWER_CLASSES | KL_ANSWER_CURVES)))
        return status;
    return kl_class_totals(work->pool, history, answer->attention,
                           is_shared ? answer->time.sums : NULL, answer->time.n_bins,
                           &answer->by_class, err);
}

/* Which place of each hit is attended to most, where the layer has several. */
static enum kl_status find_places(const struct work *work, struct kl_answer *answer,
                                  struct kl_error *err)
{
    uint32_t layer = work->query->layer - 1, n = answer->n_hits, n_own = 0;
    uint32_t *places = NULL, *hits = NULL; /* of the own showings: their places, and which hits */
    uint64_t *showings = NULL, *all = NULL, t;
    enum kl_status status;

    if (kl_shape_places(&work->history->final->shape, layer) == 1)
        return KL_OK;
    status = kl_alloc(&showings, n, sizeof *showings, "the spotlight", err);
    if (!status)
        status = kl_alloc(&places, n, sizeof *places, "the spotlight", err);
    if (!status)
        status = kl_alloc(&hits, n, sizeof *hits, "the spotlight", err);
    if (!status)
        status = kl_alloc(&all, n, sizeof *all, "the spotlight", err);
    for (uint32_t i = 0; !status && i < n; i++)
        if (kl_history_find(work->history, answer->spotlight[i].pattern, &t)) {
            showings[n_own] = t;
            hits[n_own++] = i;
        }
    if (!status)
        status = kl_most_attended_places(work->inquiry, layer, showings, n_own, places, err);
    for (uint32_t k = 0; !status && k < n_own; k++)
        all[hits[k]] = places[k];
    if (!status)
        status = kl_peers_sum_counts(work->history->peers, all, n, err);
    for (uint32_t i = 0; !status && i < n; i++)
        answer->spotlight[i].place = (uint32_t)all[i];
    free(showings);
    free(places);
    free(hits);
    free(all);
    return status;
}

static enum kl_status light(struct work *work, struct kl_answer *answer, struct kl_error *err)
{
    const struct kl_history *history = work->history;
    const struct kl_query *query = work->query;
    int needs_spotlight = (query->parts & KL_ANSWER_SPOTLIGHT) || query->removal;
    uint32_t top = query->top;
    enum kl_status status;

    if (!needs_spotlight && !(query->parts & KL_ANSWER_SAMPLES))
        return KL_OK;
    if (query->removal && query->removal->top > top)
        top = query->removal->top;
    status = work->scores ? KL_OK
                          : kl_inquiry_scores(work->inquiry, query->rank, query->layer - 1,
                                              answer->logit, answer->target, &work->scores, err);
    if (!status && (query->by_sample || (query->parts & KL_ANSWER_SAMPLES)))
        status = kl_sample_totals(work->pool, history, answer->attention, work->scores,
                                  &answer->samples, err);
    if (!status && needs_spotlight)
        status = kl_spotlight(work->pool, history, query, top, answer->attention, work->scores,
                              &answer->samples, answer, err);
    if (!status && query->removal)
        status = remove_patterns(work, answer, err);
    if (answer->n_hits > query->top) /* more were found for the removal's sake */
        answer->n_hits = query->top;
    if (status || !(query->parts & KL_ANSWER_SPOTLIGHT))
        return status;
    status = find_places(work, answer, err);
    return status ? status : report_contributions(work, answer, err);
}

static enum kl_status look_further(const struct work *work, struct kl_answer *answer,
                                   struct kl_error *err)
{
    unsigned parts = work->query->parts;
    enum kl_status status = KL_OK;

    if (parts & KL_ANSWER_CURVES)
        status = kl_curves(work->history, &answer->groups, answer->attention, &answer->curves, err);
    if (!status && (parts & KL_ANSWER_LEARNING))
        status = kl_learn(work->pool, work->history, kl_inquiry_subject(work->inquiry),
                          &answer->learning, err);
    if (!status && (parts & KL_ANSWER_SHOWINGS))
        status = kl_showings_find(work->inquiry, work->query->training_sample, answer->logit,
                                  &answer->showings, err);
    if (!status && (parts & KL_ANSWER_PLACES))
        status = kl_place_heat_find(work->inquiry, work->query->layer - 1, answer->logit,
                                    &answer->heat, err);
    return status;
}

static enum kl_status check_place(const struct kl_inquiry *inquiry, const struct kl_query *query,
                                  struct kl_error *err)
{
    const struct kl_places *places = kl_inquiry_places(inquiry, query->layer - 1);

    if (query->place == 0 || (places && query->place <= places->n))
        return KL_OK;
    return places ? kl_fail_on(err, KL_ERR_USAGE, "place", "place is 0 to %u in this layer",
                               places->n - 1)
                  : kl_fail_on(err, KL_ERR_USAGE, "place",
                               "this layer sees the sample whole: it has no places");
}

enum kl_status kl_attend_to(struct kl_inquiry *inquiry, const struct kl_query *query,
                            struct kl_answer *out, struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(inquiry);
    struct work work = {
        .inquiry = inquiry, .pool = kl_inquiry_pool(inquiry), .history = history, .query = query};
    struct kl_answer answer = {.n_patterns = history->n_all, .n_classes = history->n_classes};
    enum kl_status status = kl_query_check(history, query, err);

    if (!status)
        status = check_place(inquiry, query, err);
    if (!status)
        status = say(&work, &answer, err);
    if (!status)
        status = scan_layers(&work, &answer, err);
    if (!status)
        status = correct(&work, &answer, err);
    if (!status)
        status = sum(&work, &answer, err);
    if (!status)
        status = light(&work, &answer, err);
    if (!status)
        status = look_further(&work, &answer, err);
    if (answer.scores.are_by_bytes)
        answer.attention = NULL;
    give_quick(&work);
    if (status)
        kl_answer_clear(&answer);
    else
        *out = answer;
    return status;
}

enum kl_status kl_attend(struct kl_pool *pool, const struct kl_history *history,
                         const struct kl_query *query, struct kl_answer *answer,
                         struct kl_error *err)
{
    struct kl_inquiry *inquiry = NULL;
    enum kl_status status = kl_inquiry_create(pool, history, &query->subject, &inquiry, err);

    if (!status)
        status = kl_attend_to(inquiry, query, answer, err);
    if (status)
        kl_inquiry_free(inquiry);
    else
        answer->own_inquiry = inquiry;
    return status;
}
