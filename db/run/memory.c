/* What of a run is kept in memory. */
#include "db/run_private.h"

/* In the keeper's thread. Of a file that was cut off or changed since it was opened nothing is
 * answered any more: it is not damage that is found then. */
static void note_damage(void *self, const struct kl_error *err)
{
    struct kl_kept_source *kept = self;
    struct kl_run *run = kept->run;
    const struct kl_run_damage *noted =
        kl_run_is_sound(run) ? kl_run_note_damage(run, kept->layer, err) : NULL;

    if (noted && run->private->told)
        run->private->told(run, noted);
}

static enum kl_status keep(struct kl_run *run, uint32_t layer, struct kl_kept_source *kept,
                           const struct kl_block_source **source, struct kl_error *err)
{
    enum kl_status status;

    if (!*source || kl_run_is_damaged(*source))
        return KL_OK;
    kept->run = run;
    kept->layer = layer;
    status =
        kl_keeper_take(run->private->keeper, *source, 0, note_damage, kept, &kept->source, err);
    if (!status)
        *source = kept->source;
    return status;
}

/* Keys that are patterns, in 8 bits, made of those of the file, lest copying them counts as reading
 * their other copy. Of a text they are not asked for. */
static enum kl_status keep_bytes(struct kl_run *run, uint32_t layer,
                                 const struct kl_block_source *keys, struct kl_error *err)
{
    struct kl_quantised_keys *bytes = &run->history.quantised[layer];
    const struct kl_shape *shape = &run->training.shape;
    enum kl_status status;

    if (!keys || kl_run_is_damaged(keys) || kl_history_is_text(&run->history) ||
        kl_shape_reads_samples(shape, layer) || kl_shape_places(shape, layer) > 1 ||
        !kl_quantised_applies(keys))
        return KL_OK;
    status =
        kl_quantised_create(keys, kl_keeper_n_workers(run->private->keeper), &bytes->keys, err);
    return status ? status
                  : kl_keeper_take(run->private->keeper, &bytes->keys->source,
                                   kl_quantised_beside(&bytes->keys->source), NULL, NULL,
                                   &bytes->kept, err);
}

enum kl_status kl_run_keep(struct kl_run *run, struct kl_keeper *keeper, kl_run_damaged told,
                           struct kl_error *err)
{
    struct kl_run_private *private = run->private;
    enum kl_status status = KL_OK;

    private->keeper = keeper;
    private->told = told;
    for (uint32_t l = run->training.shape.n_layers; !status && l-- > 0;) {
        const struct kl_block_source *keys = run->history.keys[l];

        status = keep(run, l, &private->kept.keys[l], &run->history.keys[l], err);
        if (!status)
            status = keep(run, l, &private->kept.errors[l], &run->history.errors[l], err);
        if (!status)
            status = keep_bytes(run, l, keys, err);
    }
    return status;
}

void kl_run_let_go(struct kl_run *run)
{
    for (uint32_t l = 0; l < KL_LAYERS_MAX; l++) {
        kl_keeper_let_go(run->private->keeper, run->history.quantised[l].kept);
        kl_quantised_free(run->history.quantised[l].keys);
        kl_keeper_let_go(run->private->keeper, run->private->kept.keys[l].source);
        kl_keeper_let_go(run->private->keeper, run->private->kept.errors[l].source);
    }
}
