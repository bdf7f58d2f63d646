/* What is asked about one subject. */
#ifndef KL_CORE_EXPLAIN_QUERY_H
#define KL_CORE_EXPLAIN_QUERY_H

#include "core/explain/rank.h"
#include "core/explain/removal.h"
#include "core/models/model.h"

/* What an answer is to have; a set. */
enum kl_part_of_answer {
    KL_ANSWER_CURVES = 1,     /* core/explain/views/curves.h */
    KL_ANSWER_TIME = 2,       /* core/explain/views/timeline.h */
    KL_ANSWER_SAMPLES = 4,    /* core/explain/views/sample_totals.h */
    KL_ANSWER_LEARNING = 8,   /* core/explain/views/learning.h */
    KL_ANSWER_LOGITS = 16,    /* what the network says: initial guess and correction */
    KL_ANSWER_SPOTLIGHT = 32, /* who is hit */
    KL_ANSWER_CLASSES = 64,   /* core/explain/views/class_totals.h */
    KL_ANSWER_SHOWINGS = 128, /* core/explain/views/showings.h, of one training sample */
    KL_ANSWER_PLACES = 256,   /* core/explain/places/heat.h */
};
#define KL_ANSWER_ALWAYS (KL_ANSWER_LOGITS | KL_ANSWER_SPOTLIGHT | KL_ANSWER_CLASSES)

#define KL_TOP_MAX                                                                                 \
    1000 /* a spotlight longer than this is no spotlight, and costs as much to send */
#define KL_ANY_CLASS (-1)

struct kl_query {
    struct kl_subject subject;
    int target;                 /* the output it should be, or KL_ANY_CLASS: the predicted one */
    uint32_t layer;             /* from 1 */
    uint32_t place;             /* of those at which the layer sees the subject, from 1: attention
                                   is of this one, which the inquiry's subject says, too; or 0 */
    const struct kl_rank *rank; /* what the spotlight is ordered by, largest first */
    int logit;                  /* whose contributions are reported; KL_ANY_CLASS: the predicted */
    int by_sample;              /* sum every training sample's repetitions */
    int only_class;             /* spotlight only this class (a number over all data sets), or
                                   KL_ANY_CLASS */
    uint32_t top;               /* 1 .. KL_TOP_MAX */
    unsigned parts;             /* of enum kl_part_of_answer */
    int attention_alone;        /* tell no contributions of what is lit, unless it is ranked by
                                   them: under Adam they take a sweep in hidden layers */
    int by_bytes;             /* find patterns that are lit by 8-bit keys, where that says the same
                                 (core/explain/quick.h) and nothing but them is asked for */
    uint32_t training_sample; /* the training sample whose showings are asked for */
    const struct kl_removal *removal; /* or NULL */
};

/* Refuses what the history cannot answer. Errors: KL_ERR_USAGE (layer, logit, class or top out of
 * range; contributions asked for where there are none). */
struct kl_history;
enum kl_status kl_query_check(const struct kl_history *history, const struct kl_query *query,
                              struct kl_error *err);

#endif
