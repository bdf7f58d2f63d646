/* What a training tells whoever writes its history down. db/ implements it. */
#ifndef KL_CORE_TRAINING_RECORDER_H
#define KL_CORE_TRAINING_RECORDER_H

#include <stdint.h>

#include "core/models/coefficients.h"
#include "core/base/error.h"
#include "core/models/model.h"

struct kl_training_state;

/* What is recorded of every pattern, by layer, from 0: how many numbers its key and its error
 * signal have; 0: none of it is recorded. */
struct kl_layout {
    uint32_t n_layers;
    uint32_t keys[KL_LAYERS_MAX], errors[KL_LAYERS_MAX];
    /* Of the last layer's error signals: 0, or how many of their numbers are kept: the target's,
     * and the largest others. */
    uint32_t entries;
};

/* One step. Pointers are valid during the call only. */
struct kl_step_record {
    uint32_t step;                /* from 1 */
    uint32_t count;               /* patterns of this step */
    uint64_t first_pattern;       /* from 0 */
    const uint32_t *samples;      /* (count) sample ids */
    struct kl_step_result result; /* keys and error signals, as far as the layout says */
    struct kl_step_rule rule;
};

/* Called by whichever thread, one call after the other, finish after all others have ended. */
struct kl_recorder {
    void *self;
    enum kl_status (*step)(void *self, const struct kl_step_record *record, struct kl_error *err);
    /* The test split of data set number dataset, after step (0: before the first). */
    enum kl_status (*evaluation)(void *self, uint32_t step, uint32_t dataset,
                                 const struct kl_evaluation *evaluation, struct kl_error *err);
    /* The weights after a step, between the initial and the final ones. */
    enum kl_status (*snapshot)(void *self, uint32_t step, const struct kl_network *network,
                               struct kl_error *err);
    /* Everything so far becomes durable, with the state to resume from. */
    enum kl_status (*checkpoint)(void *self, const struct kl_training_state *state,
                                 struct kl_error *err);
    /* The training is complete; predictions: one of every sample of the run, by id; NULL:
     * none are kept. */
    enum kl_status (*finish)(void *self, const struct kl_training_state *state,
                             const struct kl_prediction *predictions, struct kl_error *err);
};

#endif
