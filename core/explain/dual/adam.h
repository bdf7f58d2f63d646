/* The dual form of a run that Adam or AdamW trained (core/models/adam_dual.h): a step's coefficient
 * is a matrix C_s, so pattern t adds to output j of a layer
 *
 *   d_t[j] (sum_i C_s[j, i] x_t[i] x[i] + C_s[j, bias]),
 *
 * its attention under the metric of its step and output. What is made of the history for that is
 * made at the first use and kept for the run: one matrix (steps, inputs + 1) an output of the last
 * layer that is asked about, the least recently used given back above KL_ADAM_ROOM, unless all are
 * in use; and the last layer's sums by class and range of steps. All functions are thread-safe. */
#ifndef KL_CORE_EXPLAIN_DUAL_ADAM_H
#define KL_CORE_EXPLAIN_DUAL_ADAM_H

#include "core/explain/correction.h"
#include "core/explain/history.h"

#define KL_ADAM_ROOM ((size_t)512 << 20) /* bytes of the matrices of outputs */

/* How far a sweep is. */
struct kl_adam_progress {
    int is_sweeping;
    uint32_t layer; /* from 1 */
    double done;    /* 0 to 1 */
};
void kl_adam_tell(struct kl_adam *adam, struct kl_adam_progress *progress);

/* Nothing made yet. The caller ends *adam with kl_adam_free. Errors: KL_ERR_MEMORY. */
enum kl_status kl_adam_create(struct kl_adam **adam, struct kl_error *err);
void kl_adam_free(struct kl_adam *adam);

/* Every pattern's attention to x (the last layer's input), and weighted attention
 * sum_i C_s[output, i] x_t[i] x[i] + C_s[output, bias], in one pass: (n_patterns) each; attention
 * may be NULL. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_adam_weigh(struct kl_pool *pool, const struct kl_history *history,
                             uint32_t output, const float *x, float *attention, float *weighted,
                             struct kl_error *err);

/* scores[k][t] += sum_j gradients[k][j] d_t[j] (sum_i C_s[j, i] x_t[i] x[i] + C_s[j, bias]) at a
 * layer, from 0, for n gradients (outputs): a sweep,
 * which serves all who wait for one of the same layer. Errors: KL_ERR_MEMORY and those of reading.
 */
enum kl_status kl_adam_effects(struct kl_pool *pool, const struct kl_history *history,
                               uint32_t layer, const float *x, uint32_t n,
                               const float *const *gradients, float *const *scores,
                               struct kl_error *err);

/* The same of a query at several places, of layers of several places: scores[t] += sum over the
 * showing's places p of d_p^T (C_s * M) (x_p, 1), matrix M (outputs, inputs + 1). */
enum kl_status kl_adam_bilinear(struct kl_pool *pool, const struct kl_history *history,
                                uint32_t layer, const float *matrix, float *scores,
                                struct kl_error *err);

/* What kl_correct tells, from x, the last layer's input; of a text, of the told logit by its
 * weighted attention (n_patterns, kl_adam_weigh); of images weighted is NULL. Of so many classes
 * that their sums would take more than KL_ADAM_ROOM, a sweep. Errors: KL_ERR_MEMORY and those of
 * reading. */
enum kl_status kl_adam_correct(struct kl_pool *pool, const struct kl_history *history,
                               const float *x, uint32_t logit, const float *weighted,
                               struct kl_contributions *out, struct kl_error *err);

/* What is left of every initial weight of a layer, from 0; NaN of Adam with weight decay, where
 * each has its own. */
double kl_adam_share(const struct kl_history *history, uint32_t layer);

/* Of a layer's weights, biases as the last column, (outputs, inputs + 1) float64: what is left of
 * the initial ones; and what the patterns made whose mark (n_patterns; NULL: all) is value, with
 * what is left in the same sweep or without.
 * Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_adam_left(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                            double *weights, struct kl_error *err);
enum kl_status kl_adam_sum(struct kl_pool *pool, const struct kl_history *history, uint32_t layer,
                           const uint8_t *marks, int value, int with_left, double *weights,
                           struct kl_error *err);

#endif
