/* Optimisers, one behind another table: how gradients change the parameters, and what their dual
 * form is like. core/models/optimiser.c lists them. */
#ifndef KL_CORE_MODELS_OPTIMISER_H
#define KL_CORE_MODELS_OPTIMISER_H

#include "core/models/coefficients.h"
#include "core/models/network.h"

struct kl_optimiser {
    const char *name; /* in files, settings and answers; static */
    /* Whether it divides every parameter's step by a denominator of its own, as Adam does: then a
     * step's coefficient is a number for each (core/models/adam_dual.h), otherwise one for all
     * (core/models/coefficients.h), and momentum is a setting. */
    int is_adaptive;
    int is_decoupled; /* weights decay beside the gradient's step, not by a term of the gradient */
    uint32_t n_moments; /* what it keeps of each parameter: numbers, 1 to KL_MOMENTS_MAX */
    /* Step number step, from 1: moments are networks of what is kept, zeros at the start. Of each
     * it sees the parameters alone, in one block: that may be some of a network's. */
    void (*update)(const struct kl_step_rule *rule, uint32_t step,
                   const struct kl_network *gradient, struct kl_network *const *moments,
                   struct kl_network *network);
    /* The same step in reverse, for differentiating through it: gradients of some quantity w.r.t.
     * the parameters and moments after the step become those w.r.t. them before it (but for what
     * the gradient depends on them), and direction the one w.r.t. the gradient times the clip
     * factor. network and moments are as they were before the step. */
    void (*reverse)(const struct kl_step_rule *rule, uint32_t step,
                    const struct kl_network *gradient, struct kl_network *const *moments,
                    const struct kl_network *network, const struct kl_adjoint *adjoint,
                    struct kl_network *direction);
    int reverses_by_values; /* whether reverse reads moments and network */
};

/* Number i of the list, NULL behind its end. */
const struct kl_optimiser *kl_optimiser_at(uint32_t i);

/* Over a pool's workers, or, where it is NULL, in the caller's thread, with the same results: */

/* min(1, clip_norm / (|gradient| + 1e-6)) over all parameters, as torch's clip_grad_norm_; 1 when
 * clip_norm is 0. */
double kl_clip_factor(struct kl_pool *pool, const struct kl_network *gradient, double clip_norm);

/* The optimiser's update, of all parameters. */
void kl_optimiser_update(struct kl_pool *pool, const struct kl_optimiser *optimiser,
                         const struct kl_step_rule *rule, uint32_t step,
                         const struct kl_network *gradient, struct kl_network *const *moments,
                         struct kl_network *network);

#endif
