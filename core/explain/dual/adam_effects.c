/* Contributions along any gradients, by a sweep, which all who wait for one share. */
#include <cblas.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/dual/adam_private.h"
#include "core/explain/dual/sweep.h"

/* What a task has for itself. */
struct own {
    float *weighted;  /* (n_requests, its outputs, inputs + 1) C_s * (x, 1), or C_s * M */
    float *gradients; /* (all gradients of all requests, its outputs) */
    float *products;  /* (patterns of a slice, its outputs) */
    float *scores;    /* (all gradients of all requests, showings of a segment) */
    uint32_t step;    /* whose weighted is */
};

struct job {
    const struct kl_history *history;
    uint32_t layer;
    struct kl_adam_request *requests; /* joined by their next */
    uint32_t n_requests, n_gradients; /* of all of them */
    struct own *own;                  /* (n_tasks) */
    unsigned n_tasks;
    uint64_t n_segment; /* showings of the longest segment */
    uint32_t places;
};

static void end(struct job *job)
{
    for (unsigned i = 0; job->own && i < job->n_tasks; i++) {
        free(job->own[i].weighted);
        free(job->own[i].gradients);
        free(job->own[i].products);
        free(job->own[i].scores);
    }
    free(job->own);
    job->own = NULL;
}

static enum kl_status begin(void *self, unsigned n_tasks, uint64_t n_showings, struct kl_error *err)
{
    struct job *job = self;
    const struct kl_shape *shape = &job->history->final->shape;
    size_t width = shape->inputs[job->layer] + 1, outputs = shape->outputs[job->layer];
    size_t most = (size_t)kl_sweep_slice(job->history, job->layer) * job->places;
    const char *what = "contributions";
    enum kl_status status;

    end(job); /* of the outputs before */
    job->n_tasks = n_tasks;
    job->n_segment = n_showings;
    status = kl_alloc(&job->own, n_tasks, sizeof *job->own, what, err);
    for (unsigned i = 0; !status && i < n_tasks; i++) {
        struct own *own = &job->own[i];

        status =
            kl_alloc(&own->weighted, job->n_requests * outputs * width, sizeof(float), what, err);
        if (!status)
            status =
                kl_alloc(&own->gradients, job->n_gradients * outputs, sizeof(float), what, err);
        if (!status)
            status = kl_alloc(&own->products, most * outputs, sizeof(float), what, err);
        if (!status)
            status =
                kl_alloc(&own->scores, job->n_gradients * n_showings, sizeof(float), what, err);
    }
    return status;
}

/* What one request's coefficients are multiplied with: (x, 1) in every row, or M. */
static float factor_of(const struct kl_adam_request *one, uint32_t output, uint32_t i,
                       uint32_t width)
{
    if (one->matrix)
        return one->matrix[(size_t)output * width + i];
    return i + 1 < width ? one->x[i] : 1;
}

/* C_s * x, or C_s * M, of every request, and its gradients, once a step. */
static void weigh(const struct job *job, const struct kl_sweep_rows *rows,
                  const struct kl_sweep_patterns *patterns, struct own *own)
{
    uint32_t width = rows->width;
    float *weighted = own->weighted, *gradients = own->gradients;

    if (own->step == patterns->step)
        return;
    own->step = patterns->step;
    for (struct kl_adam_request *one = job->requests; one; one = one->next) {
        for (uint32_t r = 0; r < rows->n; r++, weighted += width)
            for (uint32_t i = 0; i < width; i++)
                weighted[i] = patterns->coefficients[(size_t)r * width + i] *
                              factor_of(one, rows->first + r, i, width);
        for (uint32_t k = 0; k < one->n; k++, gradients += rows->n)
            for (uint32_t r = 0; r < rows->n; r++)
                gradients[r] = one->matrix ? 1 : one->gradients[k][rows->first + r];
    }
}

/* products[t][r] = d_t[r] (weighted_r . (x_t, 1)) */
static void multiply(const struct kl_sweep_rows *rows, const struct kl_sweep_patterns *patterns,
                     const float *weighted, float *products)
{
    uint32_t inputs = rows->width - 1, n = rows->n;

    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)patterns->n, (int)n, (int)inputs, 1,
                patterns->keys, (int)inputs, weighted, (int)rows->width, 0, products, (int)n);
    for (uint32_t i = 0; i < patterns->n; i++, products += n) {
        const float *errors = patterns->errors + i * patterns->stride;

        for (uint32_t r = 0; r < n; r++)
            products[r] = (products[r] + weighted[(size_t)r * rows->width + inputs]) * errors[r];
    }
}

/* Every showing's products become those of its first place: the sum over all. */
static void add_places(uint32_t n_showings, uint32_t places, uint32_t n, float *products)
{
    for (uint32_t i = 0; i < n_showings; i++) {
        float *sum = products + (size_t)i * n;
        const float *from = products + (size_t)i * places * n;

        if (i > 0)
            memcpy(sum, from, n * sizeof *sum);
        for (uint32_t p = 1; p < places; p++)
            cblas_saxpy((int)n, 1, from + (size_t)p * n, 1, sum, 1);
    }
}

static void add_patterns(void *self, const struct kl_sweep_rows *rows,
                         const struct kl_sweep_patterns *patterns)
{
    const struct job *job = self;
    struct own *own = &job->own[rows->task];
    size_t matrix = (size_t)rows->n * rows->width;
    float *weighted = own->weighted, *gradients = own->gradients;
    float *scores = own->scores + patterns->at;

    weigh(job, rows, patterns, own);
    for (struct kl_adam_request *one = job->requests; one; one = one->next, weighted += matrix) {
        multiply(rows, patterns, weighted, own->products);
        if (job->places > 1)
            add_places(patterns->n_showings, job->places, rows->n, own->products);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)one->n, (int)patterns->n_showings,
                    (int)rows->n, 1, gradients, (int)rows->n, own->products, (int)rows->n, 0,
                    scores, (int)job->n_segment);
        scores += one->n * job->n_segment;
        gradients += (size_t)one->n * rows->n;
    }
}

static void add_segment(void *self, uint64_t first, uint64_t n)
{
    struct job *job = self;

    for (unsigned task = 0; task < job->n_tasks; task++) {
        const float *scores = job->own[task].scores;

        for (struct kl_adam_request *one = job->requests; one; one = one->next)
            for (uint32_t k = 0; k < one->n; k++, scores += job->n_segment)
                for (uint64_t i = 0; i < n; i++)
                    one->scores[k][first + i] += scores[i];
        job->own[task].step = 0;
    }
}

static enum kl_status sweep_for(struct kl_pool *pool, const struct kl_history *history,
                                struct kl_adam_request *requests, struct kl_error *err)
{
    struct job job = {.history = history,
                      .layer = requests->layer,
                      .requests = requests,
                      .places = kl_shape_places(&history->final->shape, requests->layer)};
    struct kl_sweep sweep = {.pool = pool,
                             .history = history,
                             .layer = requests->layer,
                             .n = history->final->shape.outputs[requests->layer],
                             .wants_patterns = 1,
                             .self = &job,
                             .begin = begin,
                             .patterns = add_patterns,
                             .segment = add_segment};
    enum kl_status status;

    for (struct kl_adam_request *one = requests; one; one = one->next) {
        job.n_requests++;
        job.n_gradients += one->n;
    }
    status = kl_sweep(&sweep, err);
    end(&job);
    return status;
}

/* Takes the requests of the first one's layer out of the queue. */
static struct kl_adam_request *take_requests(struct kl_adam *adam)
{
    struct kl_adam_request *taken = NULL, **place = &adam->requests;
    uint32_t layer = adam->requests->layer;

    while (*place) {
        struct kl_adam_request *one = *place;

        if (one->layer != layer) {
            place = &one->next;
            continue;
        }
        *place = one->next;
        one->next = taken;
        taken = one;
    }
    return taken;
}

/* Does what waits until one's own request is among what is done; the queue is held. */
static void sweep_until_done(struct kl_pool *pool, const struct kl_history *history,
                             struct kl_adam_request *own)
{
    struct kl_adam *adam = history->adam;

    while (!own->is_done) {
        struct kl_adam_request *taken, *next;
        struct kl_error err = {0};

        if (adam->is_sweeping) {
            pthread_cond_wait(&adam->is_free, &adam->queue);
            continue;
        }
        adam->is_sweeping = 1;
        taken = take_requests(adam);
        pthread_mutex_unlock(&adam->queue);
        (void)sweep_for(pool, history, taken, &err); /* it is in err, for each of them */
        pthread_mutex_lock(&adam->queue);
        for (; taken; taken = next) {
            next = taken->next; /* who is done goes */
            taken->error = err;
            taken->is_done = 1;
        }
        adam->is_sweeping = 0;
        pthread_cond_broadcast(&adam->is_free);
    }
}

/* Waits among the others until it is done. */
static enum kl_status wait_for(struct kl_pool *pool, const struct kl_history *history,
                               struct kl_adam_request *request, struct kl_error *err)
{
    struct kl_adam *adam = history->adam;
    struct kl_adam_request **place = &adam->requests;

    pthread_mutex_lock(&adam->queue);
    while (*place)
        place = &(*place)->next;
    *place = request;
    sweep_until_done(pool, history, request);
    pthread_mutex_unlock(&adam->queue);
    if (request->error.status)
        *err = request->error;
    return request->error.status;
}

enum kl_status kl_adam_effects(struct kl_pool *pool, const struct kl_history *history,
                               uint32_t layer, const float *x, uint32_t n,
                               const float *const *gradients, float *const *scores,
                               struct kl_error *err)
{
    struct kl_adam_request request = {
        .layer = layer, .x = x, .n = n, .gradients = gradients, .scores = scores};

    return wait_for(pool, history, &request, err);
}

enum kl_status kl_adam_bilinear(struct kl_pool *pool, const struct kl_history *history,
                                uint32_t layer, const float *matrix, float *scores,
                                struct kl_error *err)
{
    struct kl_adam_request request = {.layer = layer, .matrix = matrix, .n = 1, .scores = &scores};

    return wait_for(pool, history, &request, err);
}
