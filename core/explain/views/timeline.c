#include "core/explain/views/timeline.h"

#include <stdlib.h>

enum kl_status kl_timeline(struct kl_pool *pool, const struct kl_history *history,
                           const struct kl_groups *groups, const float *attention,
                           struct kl_timeline *out, struct kl_error *err)
{
    struct kl_timeline timeline = {.n_bins = kl_n_bins(history), .n_groups = groups->n};
    enum kl_status status = kl_signed_sums(pool, history, attention, groups->of_class, groups->n,
                                           timeline.n_bins, &timeline.sums, err);

    if (!status)
        *out = timeline;
    return status;
}

void kl_timeline_clear(struct kl_timeline *timeline)
{
    free(timeline->sums);
    *timeline = (struct kl_timeline){0};
}
