#include "core/class_totals.h"

#include <stdlib.h>

#include "core/memory.h"

#define SUMS_MAX ((size_t)1 << 21) /* of all parts: 32 MB */

struct signed_sums {
    double positive, negative;
};

struct job {
    const struct kl_history *history;
    const float *attention;
    struct signed_sums *sums; /* (parts, n_classes) */
};

static enum kl_status add_part(void *argument, const struct kl_part *part, struct kl_error *err)
{
    const struct job *job = argument;
    const struct kl_history *history = job->history;
    struct signed_sums *sums = job->sums + (size_t)part->number * history->n_classes;

    (void)err;
    for (uint64_t t = part->first; t < part->end; t++) {
        struct signed_sums *own = &sums[history->classes[history->samples[t]]];
        double a = job->attention[t];

        own->positive += a > 0 ? a : 0;
        own->negative += a < 0 ? a : 0;
    }
    return KL_OK;
}

static void name_classes(const struct kl_history *history, struct kl_class_total *totals)
{
    uint32_t number = 0, n_samples = kl_collection_size(history->data);

    for (uint32_t d = 0; d < history->data->n_datasets; d++) {
        for (uint32_t label = 0; label < history->data->datasets[d]->n_classes; label++) {
            totals[number].dataset = d;
            totals[number++].label = label;
        }
    }
    for (uint32_t i = 0; i < n_samples; i++)
        if (history->repetitions[i])
            totals[history->classes[i]].patterns += history->repetitions[i];
}

enum kl_status kl_class_totals(struct kl_pool *pool, const struct kl_history *history,
                               const float *attention, struct kl_class_total **out,
                               struct kl_error *err)
{
    unsigned most = (unsigned)(SUMS_MAX / history->n_classes);
    size_t n_sums = (size_t)kl_pool_n_parts(history->n_patterns, most) * history->n_classes;
    struct job job = {history, attention, NULL};
    struct kl_class_total *totals = NULL;
    enum kl_status status = kl_alloc(&job.sums, n_sums, sizeof *job.sums, "class totals", err);

    if (!status)
        status = kl_alloc(&totals, history->n_classes, sizeof *totals, "class totals", err);
    if (!status)
        status = kl_pool_split(pool, history->n_patterns, most, add_part, &job, err);
    if (!status)
        name_classes(history, totals);
    for (size_t i = 0; !status && i < n_sums; i++) {
        struct kl_class_total *total = &totals[i % history->n_classes];

        total->sum_positive += job.sums[i].positive;
        total->sum_negative += job.sums[i].negative;
        total->sum_abs += job.sums[i].positive - job.sums[i].negative;
    }
    free(job.sums);
    if (status)
        free(totals);
    else
        *out = totals;
    return status;
}
