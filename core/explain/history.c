#include "core/explain/history.h"

int kl_history_can_ask(const struct kl_history *history, uint32_t sample)
{
    const struct kl_queries *queries = history->queries;
    uint32_t low = 0, high = queries ? queries->n : 0;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (queries->samples[middle] < sample)
            low = middle + 1;
        else
            high = middle;
    }
    return !queries || (low < queries->n && queries->samples[low] == sample);
}
