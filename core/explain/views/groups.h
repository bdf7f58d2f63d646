/* What attention over time and its curves are split by: the classes of images; of text, whose
 * classes are all the tokens that may follow, how the attended contexts went on compared with the
 * answer. */
#ifndef KL_CORE_EXPLAIN_VIEWS_GROUPS_H
#define KL_CORE_EXPLAIN_VIEWS_GROUPS_H

#include "core/explain/history.h"

/* Of a text. */
enum kl_continuation {
    KL_CONTINUED_AS_SAID,   /* with the token that the network expects most */
    KL_CONTINUED_AS_TARGET, /* with the one that really follows, if that is another */
    KL_CONTINUED_OTHERWISE,
    KL_N_CONTINUATIONS
};

struct kl_groups {
    uint32_t n;
    uint32_t *of_class; /* (n_classes of the history) */
};

/* predicted and target are outputs. The caller ends *groups with kl_groups_clear. Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_groups_create(const struct kl_history *history, uint32_t predicted,
                                uint32_t target, struct kl_groups *groups, struct kl_error *err);
void kl_groups_clear(struct kl_groups *groups);

#endif
