/* Queries decorrelated: what is left of a query when what all keys of a layer have in common is
 * discounted. With C the second moment of the layer's keys (and the bias's 1), E[x_t x_t^T], n its
 * width, m = tr(C) / n its mean eigenvalue, and f = .03,
 *
 *   x^ = m (C + f m I)^-1 x,
 *
 * in units of x. A contribution whose attention is x^ . x_t foretells what retraining without the
 * pattern would change far better than one by x . x_t (docs/influence.md); it is an influence
 * function whose Hessian is taken for C by layer.
 *
 * C comes from some thousand patterns, evenly over the training; it is factored at the first use of
 * a layer and kept. */
#ifndef KL_CORE_EXPLAIN_INFLUENCE_DECORRELATION_H
#define KL_CORE_EXPLAIN_INFLUENCE_DECORRELATION_H

#include "core/base/pool.h"

#define KL_DECORRELATION 0.03 /* f */

struct kl_history;
struct kl_decorrelation;

/* Nothing factored yet; the caller ends *decorrelation with kl_decorrelation_free. Errors:
 * KL_ERR_MEMORY. */
enum kl_status kl_decorrelation_create(struct kl_decorrelation **decorrelation,
                                       struct kl_error *err);
void kl_decorrelation_free(struct kl_decorrelation *decorrelation);

/* Decorrelates n rows of a layer, from 0, in place: (n, inputs + 1) each (x, 1), or another row of
 * the layer's weights with its bias. Of a layer without bias the last number becomes 0.
 * Thread-safe. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_decorrelate(struct kl_pool *pool, const struct kl_history *history,
                              uint32_t layer, uint32_t n, float *rows, struct kl_error *err);

#endif
