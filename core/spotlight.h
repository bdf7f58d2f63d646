/* Picks the patterns or samples with the largest scores, in one pass and without sorting all. */
#ifndef KL_CORE_SPOTLIGHT_H
#define KL_CORE_SPOTLIGHT_H

#include "core/attention.h"

/* Fills answer->spotlight (contributions left 0), n_lit and scores from the attention of every
 * pattern; contributions (n_patterns) is needed for KL_RANK_LOGIT only. Of equal scores the earlier
 * pattern, or the smaller sample id, comes first. Errors: KL_ERR_MEMORY. */
enum kl_status kl_spotlight(const struct kl_history *history, const struct kl_query *query,
                            const float *attention, const float *contributions,
                            struct kl_answer *answer, struct kl_error *err);

#endif
