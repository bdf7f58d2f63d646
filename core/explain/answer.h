/* The answer to one query: what the network says, from which initial guess and which correction,
 * and which patterns or samples of its history a layer attends to. */
#ifndef KL_CORE_EXPLAIN_ANSWER_H
#define KL_CORE_EXPLAIN_ANSWER_H

#include "core/explain/inquiry.h"
#include "core/explain/places/heat.h"
#include "core/explain/views/class_totals.h"
#include "core/explain/views/curves.h"
#include "core/explain/views/learning.h"
#include "core/explain/views/sample_totals.h"
#include "core/explain/views/showings.h"
#include "core/explain/views/timeline.h"

/* One pattern that is hit, or sample (then attention, contribution and score are sums over
 * repetitions and pattern and step are those of the first). */
struct kl_hit {
    uint64_t pattern; /* its number among those of all processes (core/explain/history.h) */
    uint32_t step, sample, repetitions;
    uint32_t place; /* of a layer that sees samples at several: the most attended one, from 0 */
    double attention;
    /* Of this pattern to the query's logit: e_t[logit] (a_t + 1) in the last layer, exactly; in
     * others (a_t + 1) (e_t . gradient of that logit w.r.t. the layer's output), first order; NaN
     * where the layer's error signals are not recorded, or attention alone is asked for. */
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
    /* Without a dual form (see kl_history), these and contributions are NaN. */
    double *initial_guess; /* (n_logits) alpha (W_0 x + b_0) of the last layer */
    double *correction;    /* (n_logits) sum over all patterns of e_t (a_t + 1), there */
    double max_abs_error;  /* of initial_guess + correction against logits */
    const struct kl_contributions *contributions; /* the correction by class and by range of steps,
                                                     the inquiry's; NULL: not asked for */
    uint64_t n_patterns;
    uint32_t n_hits;
    struct kl_hit *spotlight; /* (n_hits) */
    /* The scores of everything that could be lit: patterns, or samples seen in training (of the
     * class, if only one is asked for). Light is measured against these. */
    struct {
        uint64_t count;
        double mean, deviation, max;
        int are_by_bytes; /* all but those of the best are by 8-bit keys: mean and deviation */
    } scores;
    uint32_t n_classes;
    struct kl_class_total *by_class; /* (n_classes), in the query's layer */
    struct kl_groups groups;         /* that curves and time are told by */
    struct kl_curves curves;         /* these, as far as asked for */
    struct kl_timeline time;
    struct kl_sample_totals samples; /* of the scores of the rank */
    const float *attention;          /* (n_patterns) in the query's layer, the inquiry's; NULL:
                                        it was not asked for, or not all of it is known */
    struct kl_learning learning;
    struct kl_showings showings;
    struct kl_place_heat heat;
    struct kl_removed removed;
    double scan_ms;                 /* time in the passes over the history */
    struct kl_inquiry *own_inquiry; /* of kl_attend; or NULL */
};

void kl_answer_clear(struct kl_answer *answer);

#endif
