/* What of a run is kept in memory. */
#include <stdlib.h>

#include "db/run_private.h"

static enum kl_status load_source(struct kl_run *run, struct kl_pool *pool, uint64_t budget_bytes,
                                  uint32_t layer, const struct kl_block_source **source,
                                  struct kl_resident **resident, struct kl_error *err)
{
    uint64_t n_bytes = *source ? (*source)->n_rows * kl_row_bytes(*source) : 0;
    enum kl_status status = KL_OK;

    if (!*source || *resident || kl_run_is_damaged(*source) ||
        n_bytes > budget_bytes - run->private->resident_bytes)
        return status;
    status = kl_resident_create(*source, pool, resident, err);
    if (status == KL_ERR_MEMORY)
        return KL_OK; /* then it streams from the file */
    if (status)
        return kl_run_replace_damaged(run, layer, (*source)->n_rows, (*source)->width,
                                      (*source)->entries, source, err);
    run->private->resident_bytes += n_bytes;
    *source = &(*resident)->source;
    return KL_OK;
}

enum kl_status kl_run_load(struct kl_run *run, struct kl_pool *pool, uint64_t budget_bytes,
                           struct kl_error *err)
{
    struct kl_run_private *private = run->private;
    struct kl_history *history = &run->history;
    enum kl_status status = KL_OK;

    if (kl_shape_reads_samples(&run->training.shape, 0))
        status = load_source(run, pool, budget_bytes, 0, &history->keys[0],
                             &private->resident_keys[0], err);
    for (uint32_t l = run->training.shape.n_layers; !status && l-- > 0;) {
        if (!private->resident_keys[l])
            status = load_source(run, pool, budget_bytes, l, &history->keys[l],
                                 &private->resident_keys[l], err);
        if (!status)
            status = load_source(run, pool, budget_bytes, l, &history->errors[l],
                                 &private->resident_errors[l], err);
    }
    return status;
}

uint64_t kl_run_resident_bytes(const struct kl_run *run)
{
    return run->private->resident_bytes;
}
