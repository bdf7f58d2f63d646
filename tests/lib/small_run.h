/* A small run for tests: 24 training and 6 test images of 3 x 4 in three classes, a 12-9-8-3
 * network, 40 steps of 10 with everything the update rule has. */
#ifndef KL_TESTS_LIB_SMALL_RUN_H
#define KL_TESTS_LIB_SMALL_RUN_H

#include "core/training/training.h"

struct small_run {
    struct kl_collection data;
    struct kl_training training;
    struct kl_training_state state;
};

void small_run_create(struct small_run *run, enum kl_dtype dtype);
void small_run_clear(struct small_run *run);

/* Creates the file and trains it to its end, or, when stop_after > 0, until after that step as an
 * interrupted training ends. */
void small_run_write(struct small_run *run, const char *path, uint32_t stop_after);

#endif
