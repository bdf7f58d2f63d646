/* One way of learning: images by a multilayer perceptron, or text by an LSTM. The loop around it,
 * core/training/training.h, is the same for both. */
#ifndef KL_CORE_TRAINING_TASK_H
#define KL_CORE_TRAINING_TASK_H

#include "core/training/training.h"

struct kl_task {
    void *self;
    /* Runs the minibatch of record->step through the network: fills the record's count, samples,
     * keys, error signals and loss, valid until the next call, and the gradient of the loss; moves
     * state->carried on. Errors: KL_ERR_MEMORY. */
    enum kl_status (*step)(void *self, struct kl_training_state *state,
                           struct kl_step_record *record, struct kl_network *gradient,
                           struct kl_error *err);
    /* The test split of a data set. Errors: KL_ERR_MEMORY. */
    enum kl_status (*evaluate)(void *self, const struct kl_network *network, uint32_t dataset,
                               struct kl_evaluation *evaluation, struct kl_error *err);
    /* Predictions of all samples, by id, that the caller frees; NULL where none are kept. Errors:
     * KL_ERR_MEMORY. */
    enum kl_status (*predict)(void *self, const struct kl_network *network,
                              struct kl_prediction **predictions, struct kl_error *err);
    void (*free)(void *self);
};

/* The learner for a training's architecture; training and data must outlive it. The caller ends it
 * with learner->free(learner->self). Errors: KL_ERR_MEMORY. */
enum kl_status kl_image_task(const struct kl_training *training, const struct kl_collection *data,
                             struct kl_task *task, struct kl_error *err);
enum kl_status kl_text_task(const struct kl_training *training, const struct kl_collection *data,
                            struct kl_task *task, struct kl_error *err);

#endif
