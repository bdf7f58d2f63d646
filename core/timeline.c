#include "core/timeline.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/memory.h"

uint32_t kl_n_bins(const struct kl_history *history)
{
    return history->n_steps < KL_BINS ? history->n_steps : KL_BINS;
}

uint32_t kl_bin_of(const struct kl_history *history, uint32_t step)
{
    return (uint32_t)((uint64_t)(step - 1) * kl_n_bins(history) / history->n_steps);
}

uint32_t kl_bin_first_step(const struct kl_history *history, uint32_t bin)
{
    uint64_t n_bins = kl_n_bins(history);

    return (uint32_t)(((uint64_t)bin * history->n_steps + n_bins - 1) / n_bins) + 1;
}

enum kl_status kl_timeline(const struct kl_history *history, const struct kl_groups *groups,
                           const float *attention, struct kl_timeline *out, struct kl_error *err)
{
    struct kl_timeline timeline = {.n_bins = kl_n_bins(history), .n_groups = groups->n};
    size_t n = (size_t)timeline.n_bins * timeline.n_groups;
    enum kl_status status = kl_alloc(&timeline.sum_abs, n, sizeof(double), "the timeline", err);

    if (!status)
        status = kl_alloc(&timeline.sum_positive, n, sizeof(double), "the timeline", err);
    if (!status)
        status = kl_alloc(&timeline.sum_negative, n, sizeof(double), "the timeline", err);
    if (status) {
        kl_timeline_clear(&timeline);
        return status;
    }
    for (uint64_t t = 0; t < history->n_patterns; t++) {
        size_t bin = kl_bin_of(history, kl_history_step(history, t));
        size_t i =
            bin * timeline.n_groups + groups->of_class[history->classes[history->samples[t]]];
        double a = attention[t];

        timeline.sum_abs[i] += fabs(a);
        *(a > 0 ? &timeline.sum_positive[i] : &timeline.sum_negative[i]) += a;
    }
    *out = timeline;
    return KL_OK;
}

void kl_timeline_clear(struct kl_timeline *timeline)
{
    free(timeline->sum_abs);
    free(timeline->sum_positive);
    free(timeline->sum_negative);
    memset(timeline, 0, sizeof *timeline);
}
