/* How an answer was learned: what the network said of one query at points of its training. */
#ifndef KL_CORE_EXPLAIN_VIEWS_LEARNING_H
#define KL_CORE_EXPLAIN_VIEWS_LEARNING_H

#include "core/explain/history.h"

struct kl_learning {
    uint32_t n_points, n_logits;
    uint32_t *steps;       /* (n_points) 0, those of the snapshots, and the last */
    float *logits;         /* (n_points, n_logits) of the whole network as it was after that step */
    uint32_t first_won;    /* the first of these steps at which the final answer was the answer */
    uint32_t last_changed; /* the first from which on it always was */
};

/* The caller ends *learning with
 * kl_learning_clear. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_learn(struct kl_pool *pool, const struct kl_history *history,
                        const struct kl_subject *subject, struct kl_learning *learning,
                        struct kl_error *err);
void kl_learning_clear(struct kl_learning *learning);

#endif
