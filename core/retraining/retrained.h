/* What a network says that never saw some of its training samples, beside what scores foretold of
 * it: a run of images is trained again (core/training/loop.h, kl_retrain). */
#ifndef KL_CORE_RETRAINING_RETRAINED_H
#define KL_CORE_RETRAINING_RETRAINED_H

#include "core/base/pool.h"
#include "core/explain/inquiry.h"
#include "core/training/loop.h"

/* Who is left out, and where the training begins. */
struct kl_retraining {
    const uint8_t *without; /* (samples of the run) 1 for each of them */
    int has_seed;           /* or from the run's own initial weights, in the run's own order */
    uint32_t seed;
    uint32_t target; /* the output that the sample which is asked about should be */
};

/* What a network makes of the test split, and of the sample that is asked about. */
struct kl_said {
    float *logits, *probabilities; /* (n_outputs) or NULL, where no sample is asked about */
    double loss;                   /* of the target, natural logarithm */
    double accuracy, test_loss;    /* over all test samples; NaN without any */
};

struct kl_retrained {
    uint32_t n_without, n_outputs;
    struct kl_said before, after;
    /* What the scores of those left out foretold that the loss would rise by; NaN without a sample,
     * and where no error signals are recorded. */
    double influence, proponents;
    double seconds; /* that the training took */
};

/* Trains again, over a pool as kl_retrain. inquiry is about the sample that is asked about, or
 * NULL; history is the run's, whose data sets need their pixels. The caller ends *retrained with
 * kl_retrained_clear, also on failure. Errors: those of kl_retrain; KL_ERR_INTERRUPTED. */
enum kl_status kl_retrain_without(struct kl_pool *pool, const struct kl_training *training,
                                  const struct kl_history *history, struct kl_inquiry *inquiry,
                                  const struct kl_retraining *retraining,
                                  const struct kl_work *work, struct kl_retrained *retrained,
                                  struct kl_error *err);
void kl_retrained_clear(struct kl_retrained *retrained);

/* The steps of a training, as the progress of kl_train, told as pieces of some larger work: told
 * lives as long as the training. */
struct kl_told_steps {
    const struct kl_work *work;
    uint32_t offset, total;
};
struct kl_progress kl_tell_steps(struct kl_told_steps *told);

#endif
