/* Why one training sample contributes what it does: its showings, one by one, with the numbers that
 * each contribution is the product of. */
#ifndef KL_CORE_EXPLAIN_VIEWS_SHOWINGS_H
#define KL_CORE_EXPLAIN_VIEWS_SHOWINGS_H

#include "core/explain/inquiry.h"

struct kl_showing {
    uint64_t pattern;
    uint32_t step;
    double attention;    /* a_t = x_t . x in the last layer */
    double coefficient;  /* c_s of its step; of Adam what C_s of the logit comes to for this key and
                            query: weighted over plain attention */
    double error;        /* d_t of the logit */
    double contribution; /* c_s d_t (a_t + 1), exact */
};

struct kl_showings {
    uint32_t n;
    struct kl_showing *list; /* (n) in the order of training */
    uint32_t n_products;
    float *products; /* (n_products) of images: pixel by pixel, standardised, the sample's times the
                        query's: their sum is the attention of layer 1 */
};

/* Of a training sample, in the last layer, to a logit. The caller ends *showings with
 * kl_showings_clear. Errors: KL_ERR_USAGE (no training sample, or a history without a dual form),
 * KL_ERR_MEMORY and those of reading. */
enum kl_status kl_showings_find(struct kl_inquiry *inquiry, uint32_t sample, uint32_t logit,
                                struct kl_showings *showings, struct kl_error *err);
void kl_showings_clear(struct kl_showings *showings);

#endif
