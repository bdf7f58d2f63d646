/* One thing that a spotlight can be ordered by; core/explain/ranks.h has all of them. */
#ifndef KL_CORE_EXPLAIN_RANK_H
#define KL_CORE_EXPLAIN_RANK_H

#include <stdint.h>

#include "core/base/error.h"

/* What is scored. */
struct kl_inquiry;
struct kl_scoring {
    struct kl_inquiry *inquiry;
    const struct kl_rank *rank;
    uint32_t layer; /* from 0 */
    uint32_t logit, target;
};

struct kl_rank {
    const char *name;       /* in questions and answers */
    const char *older_name; /* an older word for it that is still understood; or NULL */
    const char *label;      /* for people: a few words */
    const char *meaning;    /* for people: one sentence */
    const char *score_name; /* for people: what its scores are */
    int uses_layer;         /* of the layer that is asked for alone, or of all of them */
    int takes_logit;        /* "name:C" asks for logit C instead of the predicted one */
    int needs_dual;         /* whether it is made of contributions */
    int needs_lengths;      /* whether row wants the keys' lengths: core/explain/norms.h */
    /* scores[t], (n_patterns): core/explain/scores.h. Errors: KL_ERR_MEMORY, reading's. */
    enum kl_status (*score)(const struct kl_scoring *scoring, float *scores, struct kl_error *err);
    /* One pattern's attention to n queries becomes its scores, in place, up to a factor per query;
     * length is its key's; without lengths, scores are as far apart as attention is, at most. NULL:
     * it is no function of the attention alone. */
    void (*row)(float *attention, uint32_t n, float length);
    const struct kl_rank *opposite; /* of kl_score_opposite: whose scores have the other sign */
};

#endif
