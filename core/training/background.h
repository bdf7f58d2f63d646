/* A recorder that works in a thread of its own, so that training goes on while its history is
 * written. */
#ifndef KL_CORE_TRAINING_BACKGROUND_H
#define KL_CORE_TRAINING_BACKGROUND_H

#include "core/base/pool.h"
#include "core/training/recorder.h"
#include "core/training/training.h"

struct kl_background;

/* Starts a thread that hands what it is given on to inner, in order: steps from within a task of
 * the pool, if it is not NULL and has several workers, so that what is done for them takes its turn
 * with the pool's other work and no more threads run than there are workers. What it is given is
 * copied; up to eight records wait, then the giver does. The caller ends *background with
 * kl_background_stop. Errors: KL_ERR_MEMORY. */
enum kl_status kl_background_start(struct kl_pool *pool, const struct kl_recorder *inner,
                                   const struct kl_training *training,
                                   struct kl_background **background, struct kl_error *err);

/* The recorder to give to. Its step, evaluation and checkpoint may report the failure of an earlier
 * one; its finish waits for all that was given before. For one thread. */
struct kl_recorder kl_background_recorder(struct kl_background *background);

/* Waits until everything has been handed on and ends. Errors: the first that inner reported, if no
 * call before this has. NULL is allowed. */
enum kl_status kl_background_stop(struct kl_background *background, struct kl_error *err);

#endif
