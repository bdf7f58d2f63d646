/* How far something is that takes long, and whether it is still wanted. */
#ifndef KL_CORE_TRAINING_WORK_H
#define KL_CORE_TRAINING_WORK_H

#include <stdint.h>

/* told, or NULL, hears how many of how many pieces are done; returning nonzero ends the work, which
 * then fails with KL_ERR_INTERRUPTED. */
struct kl_work {
    int (*told)(void *self, uint32_t done, uint32_t total);
    void *self;
};

static inline int kl_work_tell(const struct kl_work *work, uint32_t done, uint32_t total)
{
    return work && work->told ? work->told(work->self, done, total) : 0;
}

#endif
