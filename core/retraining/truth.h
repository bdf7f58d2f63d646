/* How far the scores of a run foretell what retraining would change: it is trained again without
 * random subsets of its training samples, and every score's sum over a subset is compared with what
 * the loss of a test sample really became, by their rank correlation (Spearman) over the subsets:
 * the linear datamodeling score of Park et al. 2023. */
#ifndef KL_CORE_RETRAINING_TRUTH_H
#define KL_CORE_RETRAINING_TRUTH_H

#include "core/base/notes.h"
#include "core/base/pool.h"
#include "core/explain/history.h"
#include "core/training/walk.h"

#define KL_WALK "walk"    /* the score that is no rank */
#define KL_TRUTH_SCORES 5 /* at most */
#define KL_WALK_QUERIES                                                                            \
    64u /* walked back from at a time: each takes the room of two or three networks */

struct kl_truth_question {
    uint32_t n_subsets, n_queries; /* test samples, evenly spread; at most as many as there are */
    double share;                  /* of the training samples, left out by each subset */
    struct kl_walk_extent walk;
};

struct kl_truth_row {
    const char *score;  /* a rank's name, or KL_WALK: a static string */
    double mean, error; /* rank correlation, over the queries; its standard error over them */
};

struct kl_truth {
    uint32_t n_subsets, n_queries, n_left_out;
    uint32_t n_rows;
    struct kl_truth_row rows[KL_TRUTH_SCORES];
    uint32_t first_step; /* that was walked */
    double seconds;
};

/* Measures it. history is the run's, whose data sets need their pixels, and has error signals. The
 * walk is left out where there is none, or where derivatives grow beyond all bounds, which notes
 * say. Errors: those of kl_retrain; KL_ERR_USAGE, where the share leaves out all or nobody;
 * KL_ERR_INTERRUPTED. */
enum kl_status kl_truth_measure(struct kl_pool *pool, const struct kl_training *training,
                                const struct kl_history *history,
                                const struct kl_truth_question *question,
                                const struct kl_work *work, struct kl_truth *truth,
                                struct kl_notes *notes, struct kl_error *err);

#endif
