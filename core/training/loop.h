/* The loop that makes a run. */
#ifndef KL_CORE_TRAINING_LOOP_H
#define KL_CORE_TRAINING_LOOP_H

#include "core/training/training.h"

/* Told, by any thread, after every step; returning nonzero ends the training. What came after the
 * last checkpoint is then dropped, so that checkpoints, and with them the file, are the same as
 * without the stop.
 */
struct kl_progress {
    int (*step)(void *self, uint32_t step, double loss);
    void (*evaluation)(void *self, uint32_t step, const struct kl_dataset *dataset,
                       const struct kl_evaluation *evaluation);
    void *self;
};

/* Trains from state to the last step, in one of a pool's workers, which the others help, or, if it
 * is NULL, in the caller's thread; of a pool, one training at a time. What it learns is the same
 * with any number of workers, as far as BLAS is (kl_blas_single_thread). Samples come in shuffled
 * passes over all training samples (or over those of one data set after the other); the order of
 * pass e depends on (seed, e, phase) alone, and a minibatch may span two passes, so that every step
 * has batch_size patterns and pattern t of the run is sample t of the endless sequence. Text is
 * read in order instead, in batch_size streams side by side, unroll tokens of each a step. recorder
 * may be NULL (nothing is recorded). Data sets need their pixels. Errors: KL_ERR_DIVERGED,
 * KL_ERR_INTERRUPTED, KL_ERR_MEMORY, and whatever the recorder says. */
enum kl_status kl_train(struct kl_pool *pool, const struct kl_training *training,
                        const struct kl_collection *data, struct kl_training_state *state,
                        const struct kl_recorder *recorder, const struct kl_progress *progress,
                        struct kl_error *err);

/* Trains again without some samples (of a text, positions, which are still read, but teach
 * nothing): they stay where they were in every minibatch, but weigh nothing (without: (samples of
 * the run) 1 for each of them; NULL: none). From the initial parameters, or, where these are NULL,
 * from those of the training's seed. Nothing is recorded; with none left out the parameters are
 * those of the run, to the bit. The caller's thread does it, and the pool's workers, if it is not
 * NULL, the large products, among whatever else they do: none is taken for the whole training. The
 * caller ends *network with kl_network_free. Errors: those of kl_train; KL_ERR_USAGE of what
 * keylight did not train. */
enum kl_status kl_retrain(struct kl_pool *pool, const struct kl_training *training,
                          const struct kl_collection *data, const struct kl_network *initial,
                          const uint8_t *without, const struct kl_progress *progress,
                          struct kl_network **network, struct kl_error *err);

#endif
