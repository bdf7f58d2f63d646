/* Suspicious labels: samples whose label the memory of themselves supports, and not that of the
 * others; and held-out ones, whose label the network contradicts that never trained on them.
 *
 *   own_i    = sum over i's patterns of |p_t - y|^2 = |B d_t|^2 at the last layer: how much of its
 *              answer a sample had to write into the memory itself, showing after showing (the
 *              squared error of Paul et al. 2021, summed over training)
 *   others_i = the share of other labels among its ten nearest neighbours in the memory: the other
 *              training samples with the largest cosine of first-layer keys
 *   score_i  = own_i / deviation of all own + 4 others_i
 *
 * A held-out sample was never shown: its own is |p - y|^2 of the final network's answer, and its
 * loss that of it, times the mean number of showings of a training sample.
 *
 * The area under the ROC curve of finding a tenth of flipped labels: .989 among 1000 images of
 * MNIST (the sample's loss, summed over its showings, the usual baseline: .977), .974 among 1000 of
 * Fashion-MNIST (.968), .989 among all 60,000 of Fashion-MNIST (.990). The weight was chosen on the
 * first of these; from 2 to 6, and 10 to 20 neighbours, make no great difference.
 */
#ifndef KL_CORE_EXPLAIN_MANY_SUSPECTS_H
#define KL_CORE_EXPLAIN_MANY_SUSPECTS_H

#include "core/explain/history.h"

#define KL_NEIGHBOURS 10

struct kl_suspect {
    uint32_t sample;
    double score, own, others, loss; /* own in deviations; others from 0 to 1, NaN if not asked */
    /* The label, within its data set, that most of its neighbours there have, if it is another, and
     * their share; KL_NO_LABEL: none. */
    uint32_t suggested;
    double suggested_share;
    int64_t duplicate; /* a training sample of another label that is nearly the same; -1: none */
};
#define KL_NO_LABEL UINT32_MAX
#define KL_NEAR_DUPLICATE 0.98 /* cosine of the standardised images */

struct kl_suspects {
    uint32_t n;                 /* samples that were trained on, and held-out ones */
    struct kl_suspect *samples; /* (n) by falling score */
    /* How well score, own and loss find the labels that were flipped on purpose: area under the ROC
     * curve; NaN in runs without. */
    double auc, auc_own, auc_loss;
};

/* Told in turns while neighbours are found. */
typedef void (*kl_suspects_progress)(void *self, uint32_t done, uint32_t total);

/* Neighbours are found for the candidates samples of largest own (0: for all, which takes the
 * square of the samples); the others rank by own alone, below. progress may be NULL; BLAS should be
 * single-threaded (core/base/blas.h). The caller ends *suspects with kl_suspects_clear.
 * Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_suspects(struct kl_pool *pool, const struct kl_history *history,
                           uint32_t candidates, kl_suspects_progress progress, void *self,
                           struct kl_suspects *suspects, struct kl_error *err);
void kl_suspects_clear(struct kl_suspects *suspects);

#endif
