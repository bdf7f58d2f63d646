/* The short answer to "which training samples made it say that?": the samples it looks at, those
 * that argue for what it says, those that argue against it, and, where its answer is wrong, those
 * that argue for what it should say. By sample (repetitions summed), in the last layer, where
 * contributions are exact. */
#ifndef KL_CORE_EXPLAIN_STRIPS_H
#define KL_CORE_EXPLAIN_STRIPS_H

#include "core/explain/attention.h"

#define KL_STRIP_LENGTH 10

enum kl_strip_kind {
    KL_STRIP_LOOKS,   /* largest |attention| */
    KL_STRIP_FOR,     /* largest contributions to the predicted output; none that is not positive */
    KL_STRIP_AGAINST, /* most negative ones */
    KL_STRIP_LABEL,   /* largest contributions to the target, where that is another output */
    KL_N_STRIPS
};

struct kl_strip {
    enum kl_strip_kind kind;
    uint32_t output; /* whose contributions are told: the predicted one, or the target */
    uint32_t n;
    struct kl_hit hits[KL_STRIP_LENGTH]; /* (n) by sample, in the strip's order */
    double sum;         /* of these hits' contributions; NaN where there are none */
    double correction;  /* of all samples' to the output; NaN likewise */
    uint64_t n_samples; /* that were seen in training */
};

struct kl_strips {
    uint32_t n;
    struct kl_strip strips[KL_N_STRIPS]; /* (n) in the order of their kinds */
};

/* "looks", "for", "against", "label"; a static string. */
const char *kl_strip_name(enum kl_strip_kind kind);

/* What a strip orders by, to be asked for with output as the logit. */
const struct kl_rank *kl_strip_rank(enum kl_strip_kind kind);

/* The strips of an inquiry's subject; target is the output it should be, or KL_ANY_CLASS. Without a
 * dual form there is only the first. Thread-safe. Errors: KL_ERR_USAGE (no such target),
 * KL_ERR_MEMORY, reading's. */
enum kl_status kl_strips_find(struct kl_inquiry *inquiry, int target, struct kl_strips *strips,
                              struct kl_error *err);

#endif
