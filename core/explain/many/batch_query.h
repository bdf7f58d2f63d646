/* Attention of many queries at once: one pass over the keys for a slice of them, by matrix products
 * (A = K Q^T), instead of one pass each. A slice belongs to one worker at a time; slices are
 * independent of each other. */
#ifndef KL_CORE_EXPLAIN_MANY_BATCH_QUERY_H
#define KL_CORE_EXPLAIN_MANY_BATCH_QUERY_H

#include "core/base/pool.h"
#include "core/explain/many/batch_rows.h"
#include "core/explain/rank.h"

#define KL_SLICE 128 /* queries a slice: enough for matrix products to run at full speed */

/* What one unit of a query's top list is. */
enum kl_unit {
    KL_UNIT_PATTERN,  /* a pattern; the list names the samples among the best patterns, each once */
    KL_UNIT_SAMPLE,   /* a training sample, its repetitions summed */
    KL_UNIT_DISTINCT, /* a training sample by its best repetition */
};

struct kl_batch_query {
    uint32_t layer;             /* from 0 */
    const struct kl_rank *rank; /* one with rows: core/explain/rank.h */
    enum kl_unit unit;
    uint32_t top;   /* length of the lists, > 0 */
    int has_totals; /* whether totals of |a_t| by class and by sample are wanted, too */
};

/* Some queries run through the network, and what has been found of them. */
struct kl_slice {
    uint32_t n;                         /* queries */
    const uint32_t *ids;                /* (n) samples of the run, borrowed */
    struct kl_activations *activations; /* keys[l]: (n, kl_shape_key_row(l)), [n_layers]: logits */
    double *class_totals;               /* (n_classes, n) of |a_t|, if wanted */
    double *sample_totals; /* (samples of the run) of |a_t|, over the queries, of this process
                              alone, if wanted */
    uint32_t *n_best;      /* (n) */
    uint32_t *best;        /* (n, top) ids of training samples, best first */
    struct kl_slice_work *work;
};

/* Runs n samples through the network, in slices of size <= KL_SLICE: slices has room for as many,
 * and NULL in it. Collective; the caller ends those that are made with kl_slice_free, after a
 * failure too. Errors: KL_ERR_MEMORY, KL_ERR_PEERS and those of reading. */
enum kl_status kl_slices_create(struct kl_pool *pool, const struct kl_batch_rows *rows,
                                const uint32_t *ids, uint32_t n, uint32_t size,
                                struct kl_slice **slices, struct kl_error *err);
void kl_slice_free(struct kl_slice *slice);

/* Begins a batch query of one layer. Where its rows are patterns, norms (n_patterns) are for ranks
 * that need them (core/explain/norms.h); where they are samples, weighed by how many patterns each
 * stands for, it may be NULL. Errors: KL_ERR_MEMORY. */
enum kl_status kl_slice_begin(struct kl_slice *slice, const struct kl_batch_query *query,
                              const float *norms, struct kl_error *err);

/* Passes over blocks first .. end-1 of the layer's keys, within a pool's task; every block must be
 * passed over once, in any parts. Errors: those of reading. */
enum kl_status kl_slice_scan(struct kl_slice *slice, unsigned worker, uint32_t first, uint32_t end,
                             struct kl_error *err);

/* Once every block was passed over: what the other processes found is added. Collective, of the
 * same slices in the same order, and not within a pool's task. Errors: KL_ERR_MEMORY, KL_ERR_PEERS.
 */
enum kl_status kl_slice_share(struct kl_slice *slice, struct kl_error *err);

/* Fills n_best and best, after that. Errors: KL_ERR_MEMORY. */
enum kl_status kl_slice_finish(struct kl_slice *slice, struct kl_error *err);

/* limit samples, evenly spread over the test splits of all data sets (all, if there are no more):
 * *ids (*n) is the caller's, to free. Errors: KL_ERR_NOT_FOUND (no test samples), KL_ERR_MEMORY. */
enum kl_status kl_batch_query_choose(const struct kl_history *history, uint32_t limit,
                                     uint32_t **ids, uint32_t *n, struct kl_error *err);

#endif
