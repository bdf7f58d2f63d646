/* Parts of the history that are damaged: in their place stands a source that says so whenever it is
 * read, so that what needs them is refused, and all else is answered. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/memory.h"
#include "db/run_private.h"

struct kl_damaged_source {
    struct kl_block_source source;
    struct kl_error err; /* what every reading of it says */
    struct kl_damaged_source *next;
    struct kl_extent extents[]; /* of all its rows */
};

static enum kl_status refuse(void *self, unsigned worker, uint32_t block, uint32_t row,
                             uint32_t count, struct kl_block *out, struct kl_error *err)
{
    (void)worker, (void)block, (void)row, (void)count, (void)out;
    *err = ((const struct kl_damaged_source *)self)->err;
    return err->status;
}

const struct kl_run_damage *kl_run_note_damage(struct kl_run *run, uint32_t layer,
                                               const struct kl_error *err)
{
    /* What is damaged, without the file's name before it and the remedy behind. */
    static const char says[] = " is damaged: ";
    const char *what = strstr(err->message, says);
    struct kl_run_damage *damage = &run->damage[run->n_damaged];

    if (run->n_damaged == KL_RUN_DAMAGE_MAX)
        return NULL;
    what = what ? what + strlen(says) : err->message;
    damage->layer = layer + 1;
    snprintf(damage->what, sizeof damage->what, "%.*s", (int)strcspn(what, ";"), what);
    for (uint32_t i = 0; i < run->n_damaged; i++) /* of keys and error signals alike, perhaps */
        if (run->damage[i].layer == damage->layer && !strcmp(run->damage[i].what, damage->what))
            return NULL;
    __atomic_store_n(&run->n_damaged, run->n_damaged + 1, __ATOMIC_RELEASE);
    return damage;
}

uint32_t kl_run_n_damaged(const struct kl_run *run)
{
    return __atomic_load_n(&run->n_damaged, __ATOMIC_ACQUIRE);
}

enum kl_status kl_run_replace_damaged(struct kl_run *run, uint32_t layer, uint64_t n_rows,
                                      uint32_t width, uint32_t entries,
                                      const struct kl_block_source **source, struct kl_error *err)
{
    const uint64_t most = (uint64_t)1 << 31; /* of an extent */
    struct kl_damaged_source *damaged = NULL;
    uint32_t n_blocks = (uint32_t)((n_rows + most - 1) / most);
    struct kl_error own = *err;

    if (err->status != KL_ERR_DAMAGED || run->n_damaged == KL_RUN_DAMAGE_MAX)
        return err->status;
    if (kl_alloc(&damaged, sizeof *damaged + n_blocks * sizeof damaged->extents[0], 1, "a part",
                 err))
        return err->status;
    for (uint32_t i = 0; i < n_blocks; i++)
        damaged->extents[i] = (struct kl_extent){
            i * most, (uint32_t)(n_rows - i * most < most ? n_rows - i * most : most), 0};
    damaged->source = (struct kl_block_source){.self = damaged,
                                               .n_rows = n_rows,
                                               .width = width,
                                               .entries = entries,
                                               .dtype = KL_F16,
                                               .n_blocks = n_blocks,
                                               .extents = damaged->extents,
                                               .read = refuse};
    damaged->err = own;
    damaged->next = run->private->damaged;
    run->private->damaged = damaged;
    *source = &damaged->source;
    (void)kl_run_note_damage(run, layer, &own);
    return KL_OK;
}

int kl_run_is_damaged(const struct kl_block_source *source)
{
    return source && source->read == refuse;
}

void kl_run_free_damaged(struct kl_run *run)
{
    while (run->private->damaged) {
        struct kl_damaged_source *damaged = run->private->damaged;

        run->private->damaged = damaged->next;
        free(damaged);
    }
}
