/* Spearman's rank correlation. */
#ifndef KL_CORE_RETRAINING_RANK_CORRELATION_H
#define KL_CORE_RETRAINING_RANK_CORRELATION_H

#include <stdint.h>

#include "core/base/error.h"

/* Of x and y, (n) each, ties sharing their ranks: *correlation, 0 where one side does not vary.
 * Errors: KL_ERR_MEMORY. */
enum kl_status kl_rank_correlation(const double *x, const double *y, uint32_t n,
                                   double *correlation, struct kl_error *err);

#endif
