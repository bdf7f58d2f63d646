/* The tables of the paper over many test samples: Irie et al. 2022, tables 1 to 3 and their kin. */
#ifndef KL_CORE_EXPLAIN_MANY_REPORT_H
#define KL_CORE_EXPLAIN_MANY_REPORT_H

#include "core/explain/many/batch_query.h"

#define KL_REPORT_TOP 10

/* A vote of one layer over the queries of one data set: the class with the largest sum |a_t|. As
 * the paper's published code counts it, classes of several data sets that share an output are one.
 * It is the target if it is the query's own, and the output if it is what the network chose. */
struct kl_vote {
    uint32_t n_right, n_wrong; /* queries by whether the network's answer is right */
    uint32_t target_when_right, target_when_wrong, output_when_wrong; /* how many of these */
};

struct kl_most_attended {
    uint32_t sample;
    double share;   /* of all |a_t| over the queries */
    double top_ten; /* in what share of queries it is among the ten with the largest sum |a_t| */
};

struct kl_report {
    uint32_t n_queries, n_layers, n_datasets;
    struct kl_vote *votes;          /* (n_layers, n_datasets of queries) */
    struct kl_vote *votes_by_class; /* the same of the classes of all data sets, each by itself */
    struct kl_vote *votes_within;   /* the same of the classes of the query's own data set only */
    struct kl_vote *votes_first;    /* the same of the class of the most attended sample alone: of
                                       images by sum |a_t|, of a text by one pattern's |a_t| */
    double *attention;  /* (n_layers, n_datasets of queries, n_datasets of training samples): mean
                           share of sum |a_t| */
    double *dispersion; /* the same shape: mean over queries of mean over deviation of the class
                           totals within the data set trained on; NaN where it cannot be */
    struct kl_most_attended *most; /* (n_layers, KL_REPORT_TOP) */
    uint32_t *n_most;              /* (n_layers) */
    double flop, seconds;          /* of the matrix products, and from begin to end */
};

/* Told after every slice, in turns. */
typedef void (*kl_report_progress)(void *self, uint32_t done, uint32_t total);

/* Asks the samples ids (n). BLAS should be single-threaded (core/base/blas.h). progress may be
 * NULL. The caller ends *report with kl_report_clear. Errors: KL_ERR_MEMORY and those of reading.
 */
enum kl_status kl_report(struct kl_pool *pool, const struct kl_history *history,
                         const uint32_t *ids, uint32_t n, kl_report_progress progress, void *self,
                         struct kl_report *report, struct kl_error *err);
void kl_report_clear(struct kl_report *report);

#endif
