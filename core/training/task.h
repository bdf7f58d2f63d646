/* What the steps of a training learn from: one kind of data behind a table of functions. The model
 * does the learning (core/models/model.h), the loop around both is core/training/loop.h. */
#ifndef KL_CORE_TRAINING_TASK_H
#define KL_CORE_TRAINING_TASK_H

#include "core/training/training.h"

struct kl_task {
    void *self;
    /* The minibatch of a step, and which samples of the run its rows are, (n): valid until the next
     * call. */
    void (*load)(void *self, uint32_t step, struct kl_minibatch *minibatch,
                 const uint32_t **samples);
    void (*free)(void *self);
};

/* Samples one by one, in shuffled passes; and text, in streams. training, which fits the data, and
 * data must outlive *task, which the caller ends with task->free(task->self). Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_sample_task(const struct kl_training *training, const struct kl_collection *data,
                              struct kl_task *task, struct kl_error *err);
enum kl_status kl_text_task(const struct kl_training *training, const struct kl_collection *data,
                            struct kl_task *task, struct kl_error *err);

/* That of the two whose kind the data are. */
static inline enum kl_status kl_task_create(const struct kl_training *training,
                                            const struct kl_collection *data, struct kl_task *task,
                                            struct kl_error *err)
{
    return kl_collection_kind(data) == KL_DATA_TEXT ? kl_text_task(training, data, task, err)
                                                    : kl_sample_task(training, data, task, err);
}

#endif
