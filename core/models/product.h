/* Products of dense float32 matrices, row-major, whose rows follow each other without gaps. */
#ifndef KL_CORE_MODELS_PRODUCT_H
#define KL_CORE_MODELS_PRODUCT_H

#include <stddef.h>

#include "core/base/pool.h"

/* Which factor is turned, if any: its columns are then as its rows. */
enum kl_turned { KL_TURNED_NONE, KL_TURNED_A, KL_TURNED_B };

/* c (rows, columns) = factor c + a b, where a is (rows, inner) or, turned, (inner, rows), and b
 * (inner, columns) or (columns, inner). With factor 0 what stands in c is not read.
 *
 * Large ones are cut in parts, by their sizes alone: sums are the same with any number of workers.
 * The pool's workers do them, or, if it is NULL, the caller's thread. Thread-safe. */
void kl_multiply(struct kl_pool *pool, enum kl_turned turned, size_t rows, size_t columns,
                 size_t inner, const float *a, const float *b, float factor, float *c);

#endif
