#include "core/explain/views/bins.h"

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
