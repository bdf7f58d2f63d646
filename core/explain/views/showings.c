#include "core/explain/views/showings.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/views/sample_order.h"

struct job {
    struct kl_inquiry *inquiry;
    uint32_t sample, logit;
    const float *attention, *weighted; /* weighted: of Adam */
    const struct kl_sample_order *order;
    struct kl_showings *showings;
};

static enum kl_status read_errors(const struct job *job, unsigned worker, struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(job->inquiry);
    const struct kl_block_source *errors = history->errors[history->final->shape.n_layers - 1];
    uint32_t last = history->final->shape.n_layers - 1;
    double bias = (double)history->layers[last].bias;
    float *row = NULL;
    enum kl_status status = kl_alloc(&row, errors->width, sizeof *row, "an error signal", err);

    for (uint32_t i = 0; !status && i < job->showings->n; i++) {
        struct kl_showing *one = &job->showings->list[i];
        uint64_t t = job->order->patterns[job->order->starts[job->sample] + i];

        status = kl_read_rows(errors, worker, t, 1, row, err);
        one->pattern = kl_history_number(history, t);
        one->step = kl_history_step(history, t);
        one->attention = (double)job->attention[t];
        one->error = (double)row[job->logit];
        if (!history->adam)
            one->coefficient = kl_history_coefficient(history, last, t);
        else if (one->attention + bias != 0)
            one->coefficient = (double)job->weighted[t] / (one->attention + bias);
        one->contribution =
            one->error *
            (history->adam ? (double)job->weighted[t] : one->coefficient * (one->attention + bias));
    }
    free(row);
    return status;
}

static enum kl_status multiply(const struct job *job, unsigned worker, struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(job->inquiry);
    const struct kl_block_source *images = history->keys[0];
    const float *x = kl_inquiry_key(job->inquiry, 0);
    struct kl_showings *showings = job->showings;
    enum kl_status status =
        kl_alloc(&showings->products, images->width, sizeof(float), "an image", err);

    if (status)
        return status;
    status = kl_read_rows(images, worker, job->sample, 1, showings->products, err);
    if (status)
        return status;
    kl_dataset_standardise_floats(
        history->data->datasets[kl_collection_place(history->data, job->sample).dataset],
        showings->products);
    for (uint32_t j = 0; j < images->width; j++)
        showings->products[j] *= x[j];
    showings->n_products = images->width;
    return KL_OK;
}

/* The pool's only task. */
static enum kl_status find(void *argument, unsigned worker, unsigned task, struct kl_error *err)
{
    const struct job *job = argument;
    const struct kl_history *history = kl_inquiry_history(job->inquiry);
    enum kl_status status = read_errors(job, worker, err);

    (void)task;
    return status || !kl_shape_reads_samples(&history->final->shape, 0)
               ? status
               : multiply(job, worker, err);
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = ((const struct kl_showing *)a)->pattern,
             y = ((const struct kl_showing *)b)->pattern;

    return (x > y) - (x < y);
}

/* With those that other processes have. */
static enum kl_status gather(const struct kl_history *history, struct kl_showings *showings,
                             struct kl_error *err)
{
    struct kl_showing *all = NULL;
    size_t n = 0;
    enum kl_status status = kl_peers_gather_lists(history->peers, showings->list, showings->n,
                                                  sizeof *all, &all, &n, err);

    if (status)
        return status;
    free(showings->list);
    showings->list = all;
    showings->n = (uint32_t)n;
    qsort(all, n, sizeof *all, by_number);
    return KL_OK;
}

enum kl_status kl_showings_find(struct kl_inquiry *inquiry, uint32_t sample, uint32_t logit,
                                struct kl_showings *out, struct kl_error *err)
{
    const struct kl_history *history = kl_inquiry_history(inquiry);
    uint32_t last = history->final->shape.n_layers - 1;
    struct kl_showings showings = {0};
    struct job job = {.inquiry = inquiry, .sample = sample, .logit = logit, .showings = &showings};
    enum kl_status status;

    if (!history->has_dual || !history->errors[last] || history->errors[last]->entries)
        return kl_fail_on(err, KL_ERR_USAGE, "training",
                          "this run has no exact contributions to explain");
    if (sample >= kl_collection_size(history->data) || history->repetitions[sample] == 0)
        return kl_fail_on(err, KL_ERR_USAGE, "training",
                          "training names a sample that was trained on, such as train/DATASET/0");
    showings.n = history->repetitions_here[sample];
    status = kl_sample_order_of(history, &job.order, err);
    if (!status)
        status = kl_alloc(&showings.list, showings.n, sizeof *showings.list, "the showings", err);
    if (!status)
        status = kl_inquiry_attention(inquiry, last, &job.attention, err);
    if (!status && history->adam)
        status = kl_inquiry_weighted(inquiry, logit, &job.weighted, err);
    if (!status)
        status = kl_pool_run(kl_inquiry_pool(inquiry), find, &job, 1, err);
    if (!status)
        status = gather(history, &showings, err);
    if (status)
        kl_showings_clear(&showings);
    else
        *out = showings;
    return status;
}

void kl_showings_clear(struct kl_showings *showings)
{
    free(showings->list);
    free(showings->products);
    memset(showings, 0, sizeof *showings);
}
