#include "core/attention.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/memory.h"
#include "core/scan.h"
#include "core/spotlight.h"

#define TASKS_MAX 64 /* partial sums of the last layer: bounds memory, keeps their order fixed */

struct work {
    struct kl_pool *pool;
    const struct kl_history *history;
    const struct kl_query *query;
    struct kl_batch *batch; /* the query's inputs to all layers; errors: gradients of its logit */
    float *attention;       /* (n_patterns) in the query's layer */
    float *last_attention;  /* (n_patterns) in the last layer; may be the same array */
    float *contributions;   /* (n_patterns), for KL_RANK_LOGIT, or NULL */
};

const char *kl_rank_name(enum kl_rank rank)
{
    static const char *const names[] = {"abs", "positive", "negative", "logit"};

    return names[rank];
}

static enum kl_status check_query(const struct kl_history *history, const struct kl_query *query,
                                  struct kl_error *err)
{
    uint32_t n_layers = history->final->n_layers, n_logits = history->final->widths[n_layers];

    if (query->layer < 1 || query->layer > n_layers)
        return kl_fail(err, KL_ERR_USAGE, "layer is 1 to %u in this run", n_layers);
    if (query->top < 1 || query->top > KL_TOP_MAX)
        return kl_fail(err, KL_ERR_USAGE, "the length of the spotlight is 1 to %d", KL_TOP_MAX);
    if (query->logit != KL_ANY_CLASS && (query->logit < 0 || (uint32_t)query->logit >= n_logits))
        return kl_fail(err, KL_ERR_USAGE, "the logit is 0 to %u in this run", n_logits - 1);
    if (query->only_class != KL_ANY_CLASS &&
        (query->only_class < 0 || (uint32_t)query->only_class >= n_logits))
        return kl_fail(err, KL_ERR_USAGE, "the class is 0 to %u in this run", n_logits - 1);
    return KL_OK;
}

/* Runs the query through the network: logits, probabilities, and the gradients of its logit w.r.t.
 * every layer's output, in batch->errors. */
static enum kl_status run_network(struct work *work, struct kl_answer *answer, struct kl_error *err)
{
    const struct kl_network *network = work->history->final;
    const struct kl_query *query = work->query;
    uint32_t n_layers = network->n_layers, n_logits = network->widths[n_layers];
    enum kl_status status = kl_alloc(&answer->logits, n_logits, sizeof(float), "logits", err);

    if (!status)
        status = kl_alloc(&answer->probabilities, n_logits, sizeof(float), "logits", err);
    if (!status)
        status = kl_alloc(&answer->initial_guess, n_logits, sizeof(double), "logits", err);
    if (!status)
        status = kl_alloc(&answer->correction, n_logits, sizeof(double), "logits", err);
    if (status)
        return status;
    kl_dataset_standardise(work->history->data->datasets[query->dataset], query->pixels,
                           work->batch->keys[0]);
    kl_network_forward(network, 1, work->batch);
    memcpy(answer->logits, work->batch->keys[n_layers], n_logits * sizeof(float));
    kl_softmax(answer->logits, n_logits, answer->probabilities);
    answer->n_logits = n_logits;
    answer->predicted = kl_argmax(answer->logits, n_logits);
    answer->logit = query->logit == KL_ANY_CLASS ? answer->predicted : (uint32_t)query->logit;
    memset(work->batch->errors[n_layers - 1], 0, n_logits * sizeof(float));
    work->batch->errors[n_layers - 1][answer->logit] = 1;
    kl_network_backward(network, 1, work->batch);
    return KL_OK;
}

static void guess_initially(const struct work *work, struct kl_answer *answer)
{
    const struct kl_network *initial = work->history->initial;
    uint32_t last = initial->n_layers - 1, inputs = initial->widths[last];
    const float *x = work->batch->keys[last];

    for (uint32_t j = 0; j < answer->n_logits; j++) {
        double sum = initial->biases[last][j];

        for (uint32_t i = 0; i < inputs; i++)
            sum += (double)initial->weights[last][(size_t)j * inputs + i] * x[i];
        answer->initial_guess[j] = work->history->alpha * sum;
    }
}

static enum kl_status scan_layers(struct work *work, struct kl_error *err)
{
    const struct kl_history *history = work->history;
    uint32_t layer = work->query->layer - 1, last = history->final->n_layers - 1;
    enum kl_status status =
        kl_alloc(&work->attention, history->n_patterns, sizeof(float), "the attention", err);

    if (!status)
        status = kl_scan_attention(work->pool, history, layer, work->batch->keys[layer],
                                   work->attention, err);
    if (!status && layer == last) {
        work->last_attention = work->attention;
    } else if (!status) {
        status = kl_alloc(&work->last_attention, history->n_patterns, sizeof(float),
                          "the attention", err);
        if (!status)
            status = kl_scan_attention(work->pool, history, last, work->batch->keys[last],
                                       work->last_attention, err);
    }
    if (status || work->query->rank != KL_RANK_LOGIT)
        return status;
    status = kl_alloc(&work->contributions, history->n_patterns, sizeof(float), "the contributions",
                      err);
    if (!status)
        status = kl_scan_dot(work->pool, history->errors[layer], work->batch->errors[layer], 0,
                             work->contributions, err);
    for (uint64_t t = 0; !status && t < history->n_patterns; t++)
        work->contributions[t] *=
            (float)history->coefficients[t / history->patterns_per_step] * (work->attention[t] + 1);
    return status;
}

struct correction_job {
    const struct kl_history *history;
    const float *attention;
    uint32_t n_logits, n_tasks;
    double *sums; /* (n_tasks, n_classes, n_logits) */
};

/* sums[class][j] += sum over a range of blocks of e_t[j] (a_t + 1). */
static enum kl_status correct_blocks(void *argument, unsigned worker, unsigned task,
                                     struct kl_error *err)
{
    const struct correction_job *job = argument;
    const struct kl_history *history = job->history;
    const struct kl_block_source *errors = history->errors[history->final->n_layers - 1];
    uint32_t n_logits = job->n_logits;
    double *sums = job->sums + (size_t)task * history->n_classes * n_logits;
    uint32_t first = (uint32_t)((uint64_t)errors->n_blocks * task / job->n_tasks);
    uint32_t end = (uint32_t)((uint64_t)errors->n_blocks * (task + 1) / job->n_tasks);
    float row[KL_CLASSES_MAX];

    for (uint32_t b = first; b < end; b++) {
        struct kl_block block = {0};
        enum kl_status status = kl_read_block(errors, worker, b, &block, err);

        if (status)
            return status;
        for (uint32_t i = 0; i < block.count; i++) {
            uint64_t t = block.first + i;
            double weight = history->coefficients[t / history->patterns_per_step] *
                            ((double)job->attention[t] + 1);
            double *sum = sums + (size_t)history->classes[history->samples[t]] * n_logits;

            kl_block_to_float(&block, (size_t)i * n_logits, n_logits, row);
            for (uint32_t j = 0; j < n_logits; j++)
                sum[j] += weight * row[j];
        }
    }
    return KL_OK;
}

static enum kl_status correct(struct work *work, struct kl_answer *answer, struct kl_error *err)
{
    const struct kl_history *history = work->history;
    uint32_t n_blocks = history->errors[history->final->n_layers - 1]->n_blocks;
    struct correction_job job = {history, work->last_attention, answer->n_logits,
                                 n_blocks < TASKS_MAX ? n_blocks : TASKS_MAX, NULL};
    size_t n_sums = (size_t)history->n_classes * answer->n_logits;
    enum kl_status status =
        kl_alloc(&job.sums, job.n_tasks * n_sums, sizeof(double), "class sums", err);

    if (!status)
        status = kl_alloc(&answer->contributions, n_sums, sizeof(double), "class sums", err);
    if (!status)
        status = kl_pool_run(work->pool, correct_blocks, &job, job.n_tasks, err);
    for (size_t i = 0; !status && i < job.n_tasks * n_sums; i++) {
        answer->contributions[i % n_sums] += job.sums[i];
        answer->correction[i % answer->n_logits] += job.sums[i];
    }
    for (uint32_t j = 0; !status && j < answer->n_logits; j++) {
        double error =
            fabs(answer->initial_guess[j] + answer->correction[j] - (double)answer->logits[j]);

        answer->max_abs_error = error > answer->max_abs_error ? error : answer->max_abs_error;
    }
    free(job.sums);
    return status;
}

static enum kl_status total_classes(const struct work *work, struct kl_answer *answer,
                                    struct kl_error *err)
{
    const struct kl_history *history = work->history;
    uint32_t number = 0;
    enum kl_status status = kl_alloc(&answer->by_class, history->n_classes,
                                     sizeof *answer->by_class, "class totals", err);

    if (status)
        return status;
    answer->n_classes = history->n_classes;
    for (uint32_t d = 0; d < history->data->n_datasets; d++) {
        for (uint32_t label = 0; label < history->data->datasets[d]->n_classes; label++) {
            struct kl_class_total *total = &answer->by_class[number];

            total->dataset = d;
            total->label = label;
            total->contributions = answer->contributions + (size_t)number++ * answer->n_logits;
        }
    }
    for (uint64_t t = 0; t < history->n_patterns; t++) {
        struct kl_class_total *total = &answer->by_class[history->classes[history->samples[t]]];
        double a = work->attention[t];

        total->patterns++;
        total->sum_abs += fabs(a);
        total->sum_positive += a > 0 ? a : 0;
        total->sum_negative += a < 0 ? a : 0;
    }
    return KL_OK;
}

/* The contribution of pattern t, from its error signal (one row of the history). */
static enum kl_status contribution_of(const struct work *work, uint64_t t, float *row,
                                      double *contribution, struct kl_error *err)
{
    const struct kl_history *history = work->history;
    uint32_t layer = work->query->layer - 1;
    const struct kl_block_source *errors = history->errors[layer];
    const float *gradient = work->batch->errors[layer];
    enum kl_status status;
    double sum = 0;

    if (work->contributions) {
        *contribution = work->contributions[t];
        return KL_OK;
    }
    status = kl_read_rows(errors, 0, t, 1, row, err);
    for (uint32_t j = 0; !status && j < errors->width; j++)
        sum += (double)row[j] * gradient[j];
    *contribution = history->coefficients[t / history->patterns_per_step] *
                    ((double)work->attention[t] + 1) * sum;
    return status;
}

struct contribution_job {
    const struct work *work;
    struct kl_answer *answer;
    uint32_t *place_of_sample; /* (samples) place in the spotlight + 1, or 0 */
};

/* Runs as the pool's only task, so that it may read as a worker. */
static enum kl_status light_contributions(void *argument, unsigned worker, unsigned task,
                                          struct kl_error *err)
{
    const struct contribution_job *job = argument;
    const struct kl_history *history = job->work->history;
    struct kl_lit *spotlight = job->answer->spotlight;
    float *row = NULL;
    enum kl_status status = kl_alloc(&row, history->errors[job->work->query->layer - 1]->width,
                                     sizeof(float), "an error signal", err);

    (void)worker;
    (void)task;
    for (uint64_t t = 0; !status && job->work->query->by_sample && t < history->n_patterns; t++) {
        uint32_t place = job->place_of_sample[history->samples[t]];
        double contribution = 0;

        if (place == 0)
            continue;
        status = contribution_of(job->work, t, row, &contribution, err);
        spotlight[place - 1].contribution += contribution;
    }
    for (uint32_t i = 0; !status && !job->work->query->by_sample && i < job->answer->n_lit; i++)
        status =
            contribution_of(job->work, spotlight[i].pattern, row, &spotlight[i].contribution, err);
    free(row);
    return status;
}

static enum kl_status tell_contributions(const struct work *work, struct kl_answer *answer,
                                         struct kl_error *err)
{
    struct contribution_job job = {work, answer, NULL};
    enum kl_status status = kl_alloc(&job.place_of_sample, kl_collection_size(work->history->data),
                                     sizeof(uint32_t), "the spotlight", err);

    for (uint32_t i = 0; !status && i < answer->n_lit; i++)
        job.place_of_sample[answer->spotlight[i].sample] = i + 1;
    if (!status)
        status = kl_pool_run(work->pool, light_contributions, &job, 1, err);
    free(job.place_of_sample);
    return status;
}

enum kl_status kl_attend(struct kl_pool *pool, const struct kl_history *history,
                         const struct kl_query *query, struct kl_answer *out, struct kl_error *err)
{
    struct work work = {pool, history, query, NULL, NULL, NULL, NULL};
    struct kl_answer answer = {0};
    double started = kl_now_ms();
    enum kl_status status = check_query(history, query, err);

    if (!status)
        status = kl_batch_create(history->final, 1, &work.batch, err);
    if (!status)
        status = run_network(&work, &answer, err);
    if (!status) {
        guess_initially(&work, &answer);
        status = scan_layers(&work, err);
    }
    answer.scan_ms = kl_now_ms() - started;
    if (!status)
        status = correct(&work, &answer, err);
    if (!status)
        status = total_classes(&work, &answer, err);
    if (!status)
        status = kl_spotlight(history, query, work.attention, work.contributions, &answer, err);
    if (!status)
        status = tell_contributions(&work, &answer, err);
    answer.n_patterns = history->n_patterns;
    if (work.last_attention != work.attention)
        free(work.last_attention);
    free(work.attention);
    free(work.contributions);
    kl_batch_free(work.batch);
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
    free(answer->contributions);
    memset(answer, 0, sizeof *answer);
}
