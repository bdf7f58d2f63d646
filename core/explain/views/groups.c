#include "core/explain/views/groups.h"

#include <stdlib.h>

#include "core/base/memory.h"

enum kl_status kl_groups_create(const struct kl_history *history, uint32_t predicted,
                                uint32_t target, struct kl_groups *groups, struct kl_error *err)
{
    int is_text = kl_history_is_text(history);
    uint32_t *of_class = NULL;
    enum kl_status status =
        kl_alloc(&of_class, history->n_classes, sizeof *of_class, "the classes", err);

    if (status)
        return status;
    for (uint32_t c = 0; c < history->n_classes; c++)
        of_class[c] = !is_text         ? c
                      : c == predicted ? KL_CONTINUED_AS_SAID
                      : c == target    ? KL_CONTINUED_AS_TARGET
                                       : KL_CONTINUED_OTHERWISE;
    *groups = (struct kl_groups){is_text ? KL_N_CONTINUATIONS : history->n_classes, of_class};
    return KL_OK;
}

void kl_groups_clear(struct kl_groups *groups)
{
    free(groups->of_class);
    *groups = (struct kl_groups){0, NULL};
}
