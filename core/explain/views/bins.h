/* Ranges of steps that training time is divided into. */
#ifndef KL_CORE_EXPLAIN_VIEWS_BINS_H
#define KL_CORE_EXPLAIN_VIEWS_BINS_H

#include "core/explain/history.h"

#define KL_BINS 100 /* ranges of steps of a run, or as many as there are steps */

/* How many ranges a run has, the range (from 0) that a step (from 1) belongs to, and the first step
 * of a range. */
uint32_t kl_n_bins(const struct kl_history *history);
uint32_t kl_bin_of(const struct kl_history *history, uint32_t step);
uint32_t kl_bin_first_step(const struct kl_history *history, uint32_t bin);

#endif
