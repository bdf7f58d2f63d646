/* How sure a network is of every sample of its run: by the final weights, all samples at once. */
#ifndef KL_CORE_EXPLAIN_MANY_CERTAINTY_H
#define KL_CORE_EXPLAIN_MANY_CERTAINTY_H

#include "core/explain/history.h"

struct kl_certainty {
    uint32_t n;     /* samples of the run */
    float *losses;  /* (n) cross-entropy of the target, in nats; NaN: it cannot be asked about */
    float *margins; /* (n) logit of the target less the largest other one; likewise */
};

/* Of a run of images, whose data sets have their pixels, or of a recorded one. The caller ends
 * *certainty with kl_certainty_clear, also on failure. Errors: KL_ERR_MEMORY and those of reading.
 */
enum kl_status kl_certainty(const struct kl_history *history, struct kl_certainty *certainty,
                            struct kl_error *err);
void kl_certainty_clear(struct kl_certainty *certainty);

#endif
