#include "core/explain/views/signed_sums.h"

#include <math.h>
#include <stdlib.h>

#include "core/base/memory.h"
#include "core/explain/views/class_order.h"

#define PARTS 32
#define LANES 4                    /* sums taken in turns, so that no addition waits for the last */
#define SUMS_MAX ((size_t)1 << 21) /* of all parts: 32 MB */

struct job {
    const struct kl_class_order *order;
    const float *numbers;
    const uint32_t *group_of_class;
    uint32_t n_groups, n_bins;
    unsigned n_parts;
    struct kl_signed_sum *sums; /* (parts, n_bins, n_groups) */
};

/* The numbers of a stretch, which stand at places: from their sum and that of their sizes, which
 * need no branch that follows the sign. Both are as exact as the larger one; where all have one
 * sign, the other's sum is 0. */
static void add_stretch(const float *numbers, const uint16_t *places, uint32_t n,
                        struct kl_signed_sum *sum)
{
    double sums[LANES] = {0}, sizes[LANES] = {0};
    uint32_t i = 0;

    for (; i + LANES <= n; i += LANES) {
        for (uint32_t k = 0; k < LANES; k++) {
            double number = (double)numbers[places[i + k]];

            sums[k] += number;
            sizes[k] += fabs(number);
        }
    }
    for (; i < n; i++)
        sum->of[numbers[places[i]] < 0] += (double)numbers[places[i]];
    for (uint32_t k = 0; n >= LANES && k < LANES; k++) {
        sum->of[0] += (sizes[k] + sums[k]) / 2;
        sum->of[1] -= (sizes[k] - sums[k]) / 2;
    }
}

static enum kl_status add_part(void *argument, unsigned worker, unsigned part, struct kl_error *err)
{
    const struct job *job = argument;
    uint64_t n = job->order->n_segments;
    struct kl_signed_sum *sums = job->sums + (size_t)part * job->n_bins * job->n_groups;

    (void)worker;
    (void)err;
    for (uint64_t i = n * part / job->n_parts; i < n * (part + 1) / job->n_parts; i++) {
        const struct kl_segment *segment = &job->order->segments[i];
        const uint16_t *places = job->order->places + segment->first;
        struct kl_signed_sum *own =
            sums + (job->n_bins > 1 ? (size_t)segment->bin * job->n_groups : 0);

        for (uint32_t k = 0; k < segment->n_stretches; k++) {
            const struct kl_stretch *stretch = &job->order->stretches[segment->first_stretch + k];
            uint32_t class = stretch->class;

            add_stretch(job->numbers + segment->first, places, stretch->n,
                        &own[job->group_of_class ? job->group_of_class[class] : class]);
            places += stretch->n;
        }
    }
    return KL_OK;
}

enum kl_status kl_signed_sums(struct kl_pool *pool, const struct kl_history *history,
                              const float *numbers, const uint32_t *group_of_class,
                              uint32_t n_groups, uint32_t n_bins, struct kl_signed_sum **out,
                              struct kl_error *err)
{
    size_t n = (size_t)n_bins * n_groups;
    unsigned most = SUMS_MAX / n < PARTS ? (unsigned)(SUMS_MAX / n) + 1 : PARTS;
    struct job job = {.numbers = numbers,
                      .group_of_class = group_of_class,
                      .n_groups = n_groups,
                      .n_bins = n_bins,
                      .n_parts = kl_pool_n_parts(history->n_patterns, most)};
    enum kl_status status = kl_class_order_of(pool, history, &job.order, err);

    if (!status)
        status = kl_alloc(&job.sums, job.n_parts * n, sizeof *job.sums, "sums", err);
    if (!status)
        status = kl_pool_run(pool, add_part, &job, job.n_parts, err);
    for (size_t part = 1; !status && part < job.n_parts; part++) { /* onto the first one's */
        for (size_t i = 0; i < n; i++) {
            job.sums[i].of[0] += job.sums[part * n + i].of[0];
            job.sums[i].of[1] += job.sums[part * n + i].of[1];
        }
    }
    if (!status)
        status = kl_peers_sum(history->peers, job.sums->of, 2 * n, err);
    if (status)
        free(job.sums);
    else
        *out = job.sums;
    return status;
}
