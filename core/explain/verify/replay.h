/* The snapshots checked against the history: a layer is trained again from its recorded gradients,
 *
 *   W_{s+1} = update(W_s, sum_t d_t x_t^T) over the patterns t of step s + 1,
 *
 * and should be at every snapshot what that has. No dual form is asked: a second way to the same
 * weights. */
#ifndef KL_CORE_EXPLAIN_VERIFY_REPLAY_H
#define KL_CORE_EXPLAIN_VERIFY_REPLAY_H

#include "core/explain/history.h"
#include "core/models/optimiser.h"

struct kl_layer_replay {
    uint32_t step; /* of the snapshot that is furthest off; 0: there are no snapshots */
    /* |W' - W_s| / |W - W_0| of that, over weights and biases (Frobenius): by the way of the whole
     * training, as what hardly moved yet is rounded by more than it moved. */
    double distance;
    double excess; /* what of it float32 cannot explain: core/explain/verify/distance.h */
};

/* Of layer number layer (from 0), all of whose error signals are recorded. Reads its keys and error
 * signals up to the last snapshot, once, and all snapshots. Errors: KL_ERR_MEMORY and those of
 * reading. */
enum kl_status kl_layer_replay(struct kl_pool *pool, const struct kl_history *history,
                               const struct kl_optimiser *optimiser, uint32_t layer,
                               struct kl_layer_replay *replay, struct kl_error *err);

#endif
