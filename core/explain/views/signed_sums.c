#include "core/explain/views/signed_sums.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "core/explain/views/bins.h"

#define PARTS 32
#define WAYS 8
#define FEW 32                     /* groups */
#define SUMS_MAX ((size_t)1 << 21) /* of all parts: 32 MB */

struct job {
    const struct kl_history *history;
    const float *numbers;
    const uint32_t *group_of_class;
    uint32_t n_groups, n_bins;
    struct kl_signed_sum *sums; /* (parts, n_bins, n_groups) */
};

static void add_pattern(const struct job *job, uint64_t t, struct kl_signed_sum *sums)
{
    uint32_t class = job->history->classes[job->history->samples[t]];
    struct kl_signed_sum *own = &sums[job->group_of_class ? job->group_of_class[class] : class];

    own->of[job->numbers[t] < 0] += job->numbers[t];
}

/* Patterns that follow each other are added to different sums, if groups are few: otherwise many an
 * addition would wait for the one before. */
static void add_patterns(const struct job *job, uint64_t first, uint64_t end,
                         struct kl_signed_sum *sums)
{
    struct kl_signed_sum ways[WAYS][FEW];
    uint64_t t = first;

    if (job->n_groups <= FEW) {
        memset(ways, 0, sizeof ways);
        for (; t + WAYS <= end; t += WAYS)
            for (unsigned way = 0; way < WAYS; way++)
                add_pattern(job, t + way, ways[way]);
        for (uint32_t i = 0; i < WAYS * job->n_groups; i++) {
            sums[i / WAYS].of[0] += ways[i % WAYS][i / WAYS].of[0];
            sums[i / WAYS].of[1] += ways[i % WAYS][i / WAYS].of[1];
        }
    }
    for (; t < end; t++)
        add_pattern(job, t, sums);
}

static enum kl_status add_part(void *argument, const struct kl_part *part, struct kl_error *err)
{
    const struct job *job = argument;
    const struct kl_history *history = job->history;
    struct kl_signed_sum *sums = job->sums + (size_t)part->number * job->n_bins * job->n_groups;

    (void)err;
    for (uint64_t first = part->first; first < part->end;) {
        uint32_t bin = job->n_bins > 1 ? kl_bin_of(history, kl_history_step(history, first)) : 0;
        uint64_t end = part->end;

        if (bin + 1 < job->n_bins) {
            uint64_t next = kl_history_start(history, kl_bin_first_step(history, bin + 1));

            end = next < end ? next : end;
        }
        add_patterns(job, first, end, sums + (size_t)bin * job->n_groups);
        first = end;
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
    size_t n_parts = kl_pool_n_parts(history->n_patterns, most);
    struct job job = {history, numbers, group_of_class, n_groups, n_bins, NULL};
    enum kl_status status = kl_alloc(&job.sums, n_parts * n, sizeof *job.sums, "sums", err);

    if (!status)
        status = kl_pool_split(pool, history->n_patterns, most, add_part, &job, err);
    for (size_t part = 1; !status && part < n_parts; part++) { /* onto the first one's */
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
