#include "core/explain/attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/scan/scan.h"
#include "core/explain/scores.h"
#include "core/explain/spotlight.h"
#include "core/models/trace.h"

struct work {
    struct kl_pool *pool;
    const struct kl_history *history;
    const struct kl_query *query;
    struct kl_trace *trace;
    float *attention;      /* (n_patterns) in the query's layer */
    float *last_attention; /* (n_patterns) in the last layer; may be the same array */
    float *scores;         /* (n_patterns) of the query's rank */
};

const char *kl_rank_name(enum kl_rank rank)
{
    static const char *const names[KL_N_RANKS] = {"abs",   "positive", "negative", "cosine",
                                                  "logit", "effect",   "helped",   "harmed"};

    return names[rank];
}

/* Refuses what takes contributions where there are none. */
static enum kl_status check_contributions(const struct kl_history *history,
                                          const struct kl_query *query, struct kl_error *err)
{
    if (query->rank >= KL_RANK_LOGIT && !history->has_dual)
        return kl_fail(err, KL_ERR_USAGE,
                       "this run was trained with Adam, which has no exact dual form: attention is "
                       "defined, contributions are not; rank by abs, positive, negative or cosine");
    if (query->rank == KL_RANK_LOGIT && !history->errors[query->layer - 1])
        return kl_fail(err, KL_ERR_USAGE,
                       "the error signals of layer %u are not recorded, so there are no "
                       "contributions: train with --gate-errors, or ask for the last layer",
                       query->layer);
    if (query->removal && !history->has_dual)
        return kl_fail(err, KL_ERR_USAGE,
                       "nothing can be taken out of a run that was trained with Adam: it has no "
                       "exact dual form");
    return KL_OK;
}

static enum kl_status check_query(const struct kl_history *history, const struct kl_query *query,
                                  struct kl_error *err)
{
    uint32_t n_layers = history->final->shape.n_layers,
             n_logits = kl_shape_n_outputs(&history->final->shape);

    if (query->layer < 1 || query->layer > n_layers)
        return kl_fail(err, KL_ERR_USAGE, "layer is 1 to %u in this run", n_layers);
    if (query->top < 1 || query->top > KL_TOP_MAX)
        return kl_fail(err, KL_ERR_USAGE, "the length of the spotlight is 1 to %d", KL_TOP_MAX);
    if (query->logit != KL_ANY_CLASS && (query->logit < 0 || (uint32_t)query->logit >= n_logits))
        return kl_fail(err, KL_ERR_USAGE, "the logit is 0 to %u in this run", n_logits - 1);
    if (query->only_class != KL_ANY_CLASS &&
        (query->only_class < 0 || (uint32_t)query->only_class >= history->n_classes))
        return kl_fail(err, KL_ERR_USAGE, "the class is 0 to %u in this run",
                       history->n_classes - 1);
    return check_contributions(history, query, err);
}

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
    memcpy(answer->logits, work->trace->batch->keys[network->shape.n_layers],
           n_logits * sizeof(float));
    kl_softmax(answer->logits, n_logits, answer->probabilities);
    answer->n_logits = n_logits;
    answer->predicted = kl_argmax(answer->logits, n_logits);
    answer->logit = query->logit == KL_ANY_CLASS ? answer->predicted : (uint32_t)query->logit;
    answer->target = query->target == KL_ANY_CLASS ? answer->predicted : (uint32_t)query->target;
    if (work->history->has_dual)
        kl_initial_guess(work->history, network->shape.n_layers - 1,
                         work->trace->batch->keys[network->shape.n_layers - 1],
                         answer->initial_guess);
    return kl_groups_create(work->history, answer->predicted, answer->target, &answer->groups, err);
}

static enum kl_status scan_layers(struct work *work, struct kl_error *err)
{
    const struct kl_history *history = work->history;
    uint32_t layer = work->query->layer - 1, last = history->final->shape.n_layers - 1;
    enum kl_status status = kl_scratch_take(history->scratch, &work->attention, err);

    if (!status)
        status = kl_scan_attention(work->pool, history, layer, work->trace->batch->keys[layer],
                                   work->attention, err);
    if (status || layer == last || !history->has_dual) {
        work->last_attention = work->attention;
        return status;
    }
    status = kl_scratch_take(history->scratch, &work->last_attention, err);
    return status ? status
                  : kl_scan_attention(work->pool, history, last, work->trace->batch->keys[last],
                                      work->last_attention, err);
}

static enum kl_status correct(const struct work *work, struct kl_answer *answer,
                              struct kl_error *err)
{
    enum kl_status status;

    if (!work->history->has_dual)
        return KL_OK;
    status = kl_correct(work->pool, work->history, work->last_attention, answer->logit,
                        &answer->contributions, err);
    for (uint32_t j = 0; !status && j < answer->n_logits; j++) {
        double error;

        answer->correction[j] = answer->contributions.correction[j];
        error = fabs(answer->initial_guess[j] + answer->correction[j] - (double)answer->logits[j]);

        answer->max_abs_error = error > answer->max_abs_error ? error : answer->max_abs_error;
    }
    return status;
}

struct contribution_job {
    const struct work *work;
    struct kl_answer *answer;
    uint32_t *place_of_sample; /* (samples) place in the spotlight + 1, or 0 */
};

/* The contribution of pattern t, from its error signal (one row of the history). */
static enum kl_status contribution_of(const struct work *work, unsigned worker, uint64_t t,
                                      float *row, double *contribution, struct kl_error *err)
{
    const struct kl_history *history = work->history;
    uint32_t layer = work->query->layer - 1;
    const struct kl_block_source *errors = history->errors[layer];
    const float *gradient = work->trace->batch->errors[layer];
    enum kl_status status;
    double sum = 0;

    if (work->query->rank == KL_RANK_LOGIT) {
        *contribution = work->scores[t];
        return KL_OK;
    }
    status = kl_read_rows(errors, worker, t, 1, row, err);
    for (uint32_t j = 0; !status && j < errors->width; j++)
        sum += (double)row[j] * gradient[j];
    *contribution = history->coefficients[t / history->patterns_per_step] *
                    ((double)work->attention[t] + 1) * sum;
    return status;
}

/* Runs as the pool's only task, so that it may read as a worker. */
static enum kl_status light_contributions(void *argument, unsigned worker, unsigned task,
                                          struct kl_error *err)
{
    const struct contribution_job *job = argument;
    const struct kl_history *history = job->work->history;
    struct kl_hit *spotlight = job->answer->spotlight;
    float *row = NULL;
    enum kl_status status = kl_alloc(&row, history->errors[job->work->query->layer - 1]->width,
                                     sizeof(float), "an error signal", err);

    (void)task;
    for (uint64_t t = 0; !status && job->work->query->by_sample && t < history->n_patterns; t++) {
        uint32_t place = job->place_of_sample[history->samples[t]];
        double contribution = 0;

        if (place == 0)
            continue;
        status = contribution_of(job->work, worker, t, row, &contribution, err);
        spotlight[place - 1].contribution += contribution;
    }
    for (uint32_t i = 0; !status && !job->work->query->by_sample && i < job->answer->n_hits; i++)
        status = contribution_of(job->work, worker, spotlight[i].pattern, row,
                                 &spotlight[i].contribution, err);
    free(row);
    return status;
}

static enum kl_status tell_contributions(const struct work *work, struct kl_answer *answer,
                                         struct kl_error *err)
{
    struct contribution_job job = {work, answer, NULL};
    enum kl_status status = kl_alloc(&job.place_of_sample, kl_collection_size(work->history->data),
                                     sizeof(uint32_t), "the spotlight", err);

    for (uint32_t i = 0; !status && i < answer->n_hits; i++)
        answer->spotlight[i].contribution = NAN;
    if (status || !work->history->errors[work->query->layer - 1]) {
        free(job.place_of_sample);
        return status;
    }
    for (uint32_t i = 0; i < answer->n_hits; i++)
        answer->spotlight[i].contribution = 0;
    kl_trace_logit(work->history, answer->logit, work->query->layer - 1, work->trace);
    for (uint32_t i = 0; !status && i < answer->n_hits; i++)
        job.place_of_sample[answer->spotlight[i].sample] = i + 1;
    if (!status)
        status = kl_pool_run(work->pool, light_contributions, &job, 1, err);
    free(job.place_of_sample);
    return status;
}

/* Marks the first patterns of the spotlight; or, by sample, adds the first samples to the removal,
 * in a copy of it. */
static void name_lit(const struct work *work, const struct kl_answer *answer,
                     struct kl_removal *removal, uint8_t *removed)
{
    for (uint32_t i = 0; i < removal->top && i < answer->n_hits; i++) {
        if (!work->query->by_sample)
            removed[answer->spotlight[i].pattern] = 1;
        else
            removal->samples[removal->n_samples++] = answer->spotlight[i].sample;
    }
}

static enum kl_status remove_patterns(const struct work *work, struct kl_answer *answer,
                                      struct kl_error *err)
{
    const struct kl_history *history = work->history;
    struct kl_removal removal = *work->query->removal;
    struct kl_removed *result = &answer->removed;
    uint32_t first = kl_history_is_text(history) ? history->final->shape.n_layers - 1 : 0;
    float *logits = NULL;
    uint8_t *removed = NULL;
    enum kl_status status = kl_alloc(&removed, history->n_patterns, 1, "the removal", err);

    if (!status)
        status = kl_alloc(&result->logits, answer->n_logits, sizeof(double), "logits", err);
    if (!status)
        status = kl_alloc(&result->probabilities, answer->n_logits, sizeof(float), "logits", err);
    if (!status) {
        name_lit(work, answer, &removal, removed);
        status = kl_removal_mark(history, &removal, removed, err);
    }
    if (!status) {
        for (uint64_t t = 0; t < history->n_patterns; t++)
            result->n_patterns += removed[t];
        status = kl_logits_without(work->pool, history, first, work->trace->batch->keys[first],
                                   removed, result->logits, err);
    }
    if (!status)
        status = kl_alloc(&logits, answer->n_logits, sizeof(float), "logits", err);
    if (!status) {
        for (uint32_t j = 0; j < answer->n_logits; j++)
            logits[j] = (float)result->logits[j];
        kl_softmax(logits, answer->n_logits, result->probabilities);
        result->predicted = kl_argmax(logits, answer->n_logits);
    }
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

    if (work->query->views & KL_VIEW_TIME)
        status =
            kl_timeline(work->pool, history, &answer->groups, work->attention, &answer->time, err);
    return status ? status
                  : kl_class_totals(work->pool, history, work->attention,
                                    is_shared ? answer->time.sums : NULL, answer->time.n_bins,
                                    &answer->by_class, err);
}

static enum kl_status light(struct work *work, struct kl_answer *answer, struct kl_error *err)
{
    const struct kl_history *history = work->history;
    const struct kl_query *query = work->query;
    uint32_t top = query->top;
    int needs_totals = query->by_sample || (query->views & KL_VIEW_SAMPLES);
    enum kl_status status = kl_scratch_take(history->scratch, &work->scores, err);

    if (query->removal && query->removal->top > top)
        top = query->removal->top;
    if (!status)
        status = kl_scores(work->pool, history, query, answer->logit, answer->target, work->trace,
                           work->attention, work->scores, err);
    if (!status && needs_totals)
        status = kl_sample_totals(history, work->attention, work->scores, &answer->samples, err);
    return status ? status
                  : kl_spotlight(work->pool, history, query, top, work->attention, work->scores,
                                 &answer->samples, answer, err);
}

static enum kl_status look_further(struct work *work, struct kl_answer *answer,
                                   struct kl_error *err)
{
    const struct kl_query *query = work->query;
    enum kl_status status = KL_OK;

    if (query->removal)
        status = remove_patterns(work, answer, err);
    if (answer->n_hits > query->top) /* more were lit for the removal's sake */
        answer->n_hits = query->top;
    if (!status)
        status = tell_contributions(work, answer, err);
    if (!status && (query->views & KL_VIEW_CURVES))
        status = kl_curves(work->history, &answer->groups, work->attention, &answer->curves, err);
    if (!status && (query->views & KL_VIEW_LEARNING))
        status = kl_learn(work->pool, work->history, &query->subject, &answer->learning, err);
    return status;
}

enum kl_status kl_attend(struct kl_pool *pool, const struct kl_history *history,
                         const struct kl_query *query, struct kl_answer *out, struct kl_error *err)
{
    struct work work = {.pool = pool, .history = history, .query = query};
    struct kl_answer answer = {0};
    double started = kl_now_ms();
    enum kl_status status = check_query(history, query, err);

    if (!status)
        status = kl_trace(history, history->final, &query->subject, &work.trace, err);
    if (!status)
        status = say(&work, &answer, err);
    if (!status)
        status = scan_layers(&work, err);
    answer.scan_ms = kl_now_ms() - started;
    if (!status)
        status = correct(&work, &answer, err);
    if (!status)
        status = sum(&work, &answer, err);
    if (!status)
        status = light(&work, &answer, err);
    if (!status)
        status = look_further(&work, &answer, err);
    answer.n_patterns = history->n_patterns;
    answer.n_classes = history->n_classes;
    if (work.last_attention != work.attention)
        kl_scratch_give(history->scratch, work.last_attention);
    answer.attention = work.attention;
    answer.scratch = history->scratch;
    kl_scratch_give(history->scratch, work.scores);
    kl_trace_free(work.trace);
    if (status)
        kl_answer_clear(&answer);
    else
        *out = answer;
    return status;
}

void kl_answer_clear(struct kl_answer *answer)
{
    free(answer->logits);
    free(answer->probabilities);
    free(answer->initial_guess);
    free(answer->correction);
    free(answer->spotlight);
    free(answer->by_class);
    if (answer->attention)
        kl_scratch_give(answer->scratch, answer->attention);
    free(answer->removed.logits);
    free(answer->removed.probabilities);
    kl_groups_clear(&answer->groups);
    kl_contributions_clear(&answer->contributions);
    kl_curves_clear(&answer->curves);
    kl_timeline_clear(&answer->time);
    kl_sample_totals_clear(&answer->samples);
    kl_learning_clear(&answer->learning);
    memset(answer, 0, sizeof *answer);
}
