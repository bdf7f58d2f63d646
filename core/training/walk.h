/* The walk back: what the weight of every training sample, in every step that saw it, did to the
 * loss of some queries, exact to first order: reverse-mode differentiation through the training
 * itself (Maclaurin et al. 2015; Hara et al. 2019), which is run again to find the weights along
 * the way. From the gradients of a query's loss w.r.t. weights and moments after a step the
 * optimiser's reverse (core/models/sgd.h, adam.h) makes those before it, but for what the step's
 * gradient G depends on the weights, and u^, that w.r.t. G times its clip factor c. Then
 *
 *   g^ = c (u^ - G (G . u^) / (|G| (|G| + 1e-6))) if the step was clipped, otherwise u^
 *   d loss / d weight of sample i += g^ . d G / d weight_i
 *   gradient w.r.t. the weights += H g^
 *
 * H is the Hessian of the minibatch's mean loss, whose products with g^ are exact (Pearlmutter
 * 1994); where the network has kinks (ReLU) the derivatives on this side of them. */
#ifndef KL_CORE_TRAINING_WALK_H
#define KL_CORE_TRAINING_WALK_H

#include "core/base/pool.h"
#include "core/training/loop.h"

/* Test samples that are asked about, and which output each should be. */
struct kl_walk_queries {
    uint32_t n;
    const uint32_t *samples, *targets; /* (n) */
};

/* The last parts of a training, of so many equal ones. */
struct kl_parts {
    uint32_t last, of;
};

/* How far back is walked, and what of it counts: what a step taught weighs exp(-damping t), with t
 * the learning rates of the steps after it as a share of all of them. What lies far back is mostly
 * forgotten, and its derivatives grow: 2.3, by which the first step weighs a tenth, foretold
 * retraining best (docs/influence.md); 0 is the derivative itself. */
struct kl_walk_extent {
    struct kl_parts parts;
    double damping;
};

/* The first step that is walked, from 1: of the last parts, and at least the last one. */
uint32_t kl_walk_first(const struct kl_training *training, const struct kl_parts *parts);

/* Whether a training can be walked back: by keylight. Of a text, what is carried from one stretch
 * to the next is taken as given, as training takes it. Errors: KL_ERR_USAGE. */
enum kl_status kl_walk_check(const struct kl_training *training, const struct kl_collection *data,
                             struct kl_error *err);

/* influences (n, samples of the run): what each query's loss would rise by without each training
 * sample, to first order: minus the derivative w.r.t. its weight in the steps of the extent. From
 * the initial parameters, over a pool as kl_retrain; data sets of images need their pixels. Takes
 * the room of two networks for each query (of Adam three), and of some 3 sqrt(steps) more (of Adam,
 * twice as many). work is told of all steps forward and back. Errors: those of kl_walk_check,
 * KL_ERR_MEMORY, KL_ERR_INTERRUPTED; KL_ERR_DIVERGED, if what is derived grows beyond all bounds on
 * the way back. */
enum kl_status kl_walk_back(struct kl_pool *pool, const struct kl_training *training,
                            const struct kl_collection *data, const struct kl_network *initial,
                            const struct kl_walk_queries *queries,
                            const struct kl_walk_extent *extent, const struct kl_work *work,
                            double *influences, struct kl_error *err);

#endif
