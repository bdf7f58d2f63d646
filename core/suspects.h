/* Suspicious labels: training samples whose label the memory of themselves supports, and not that
 * of the others.
 *
 *   own_i    = sum over i's patterns of sqrt(sum over layers of -c_s (|x_t|^2 + 1) |d_t|^2),
 *              how much of its own answer a sample had to be taught by itself: the root of its
 *              self-influence along the trajectory (-c_s (|x_t|^2 + 1) |d_t|^2 is what pattern t
 *              lowered its own loss by, to first order; Pruthi et al. 2020), summed over its
 * showings others_i = the share of other labels among its ten nearest neighbours in the memory: the
 * other training samples with the largest cosine of first-layer keys score_i  = own_i / deviation
 * of all own + 4 others_i
 *
 * The weight 4 and the ten neighbours were chosen on MNIST with a tenth of its labels flipped,
 * where from 2 to 6 and 10 to 20 make no great difference. loss_i, the sample's loss summed over
 * its showings, is the usual baseline. */
#ifndef KL_CORE_SUSPECTS_H
#define KL_CORE_SUSPECTS_H

#include "core/history.h"

#define KL_NEIGHBOURS 10

struct kl_suspect {
    uint32_t sample;
    double score, own, others, loss; /* own in deviations; others from 0 to 1, NaN if not asked */
};

struct kl_suspects {
    uint32_t n;                 /* samples that were trained on */
    struct kl_suspect *samples; /* (n) by falling score */
    /* How well score, own and loss find the labels that were flipped on purpose: area under the ROC
     * curve; NaN in runs without. */
    double auc, auc_own, auc_loss;
};

/* Told in turns while neighbours are found. */
typedef void (*kl_suspects_progress)(void *self, uint32_t done, uint32_t total);

/* Neighbours are found for the candidates samples of largest own (0: for all, which takes the
 * square of the samples); the others rank by own alone, below. progress may be NULL; BLAS should be
 * single-threaded (core/blas.h). The caller ends *suspects with kl_suspects_clear.
 * Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_suspects(struct kl_pool *pool, const struct kl_history *history,
                           uint32_t candidates, kl_suspects_progress progress, void *self,
                           struct kl_suspects *suspects, struct kl_error *err);
void kl_suspects_clear(struct kl_suspects *suspects);

#endif
