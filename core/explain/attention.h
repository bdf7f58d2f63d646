/* The answer to one query: what the network says, from which initial guess and which correction,
 * and which patterns or samples of its history a layer attends to. */
#ifndef KL_CORE_EXPLAIN_ATTENTION_H
#define KL_CORE_EXPLAIN_ATTENTION_H

#include "core/explain/views/class_totals.h"
#include "core/explain/correction.h"
#include "core/explain/views/curves.h"
#include "core/explain/history.h"
#include "core/explain/views/learning.h"
#include "core/explain/removal.h"
#include "core/explain/views/sample_totals.h"
#include "core/explain/views/timeline.h"
#include "core/models/trace.h"

/* What the spotlight is ordered by, largest first. */
enum kl_rank {
    KL_RANK_ABS,        /* |a_t| */
    KL_RANK_POSITIVE,   /* a_t */
    KL_RANK_NEGATIVE,   /* -a_t */
    KL_RANK_COSINE,     /* a_t / (|x_t| |x|): not the dual form, but blind to the keys' lengths */
    KL_RANK_LOGIT,      /* contribution to the query's logit through its layer */
    KL_RANK_EFFECT,     /* contribution to the query's logit, summed over all layers */
    KL_RANK_PROPONENTS, /* what lowered the query's loss, summed over all layers */
    KL_RANK_OPPONENTS,  /* what raised it */
};
#define KL_N_RANKS (KL_RANK_OPPONENTS + 1)

/* Views that take more than the spotlight does; a set. */
enum kl_view {
    KL_VIEW_CURVES = 1,   /* core/explain/views/curves.h */
    KL_VIEW_TIME = 2,     /* core/explain/views/timeline.h */
    KL_VIEW_SAMPLES = 4,  /* core/explain/views/sample_totals.h */
    KL_VIEW_LEARNING = 8, /* core/explain/views/learning.h */
};

#define KL_TOP_MAX                                                                                 \
    1000 /* a spotlight longer than this is no spotlight, and costs as much to send */
#define KL_ANY_CLASS (-1)

struct kl_query {
    struct kl_subject subject;
    int target;     /* the output it should be, or KL_ANY_CLASS: the predicted one */
    uint32_t layer; /* from 1 */
    enum kl_rank rank;
    int logit;      /* whose contributions are told; KL_ANY_CLASS: the predicted one */
    int by_sample;  /* sum every training sample's repetitions */
    int only_class; /* spotlight only this class (a number over all data sets), or KL_ANY_CLASS */
    uint32_t top;   /* 1 .. KL_TOP_MAX */
    unsigned views; /* of enum kl_view */
    const struct kl_removal *removal; /* or NULL */
};

/* One lit pattern, or sample (then attention, contribution and score are sums over repetitions and
 * pattern and step are those of the first). */
struct kl_hit {
    uint64_t pattern;
    uint32_t step, sample, repetitions;
    double attention;
    /* Of this pattern to the query's logit: e_t[logit] (a_t + 1) in the last layer, exactly; in
     * others (a_t + 1) (e_t . gradient of that logit w.r.t. the layer's output), first order; NaN
     * where the layer's error signals are not recorded. */
    double contribution;
    double score; /* what the rank orders by */
};

/* Without what was removed: core/explain/removal.h. */
struct kl_removed {
    uint64_t n_patterns;  /* removed */
    double *logits;       /* (n_logits), or NULL */
    float *probabilities; /* (n_logits) */
    uint32_t predicted;
};

struct kl_answer {
    uint32_t n_logits, predicted, logit, target;
    float *logits, *probabilities; /* (n_logits), as the network itself computes them */
    /* Without a dual form (see kl_history), these are 0, and contributions NaN. */
    double *initial_guess; /* (n_logits) alpha (W_0 x + b_0) of the last layer */
    double *correction;    /* (n_logits) sum over all patterns of e_t (a_t + 1), there */
    double max_abs_error;  /* of initial_guess + correction against logits */
    struct kl_contributions contributions; /* the correction by class and by range of steps */
    uint64_t n_patterns;
    uint32_t n_hits;
    struct kl_hit *spotlight; /* (n_hits) */
    /* The scores of everything that could be lit: patterns, or samples seen in training (of the
     * class, if only one is asked for). Light is measured against these. */
    struct {
        uint64_t count;
        double mean, deviation, max;
    } scores;
    uint32_t n_classes;
    struct kl_class_total *by_class; /* (n_classes), in the query's layer */
    struct kl_groups groups;         /* that curves and time are told by */
    struct kl_curves curves;         /* these, as far as asked for */
    struct kl_timeline time;
    struct kl_sample_totals samples; /* of the scores of the rank */
    float *attention;                /* (n_patterns) in the query's layer */
    struct kl_scratch *scratch;      /* that lent it */
    struct kl_learning learning;
    struct kl_removed removed;
    double scan_ms; /* time in the passes over the history */
};

/* Answers a query; the caller ends *answer with kl_answer_clear. Thread-safe: scans take turns.
 * Errors: KL_ERR_USAGE (layer, logit, class or top out of range; contributions asked for where
 * there are none), KL_ERR_MEMORY, reading's. */
enum kl_status kl_attend(struct kl_pool *pool, const struct kl_history *history,
                         const struct kl_query *query, struct kl_answer *answer,
                         struct kl_error *err);

void kl_answer_clear(struct kl_answer *answer);

/* "abs", "positive", "negative", "cosine", "logit", "effect", "helped", "harmed"; a static string.
 */
const char *kl_rank_name(enum kl_rank rank);

#endif
