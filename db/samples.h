/* Looking samples up by what is known of them. */
#ifndef KL_DB_SAMPLES_H
#define KL_DB_SAMPLES_H

#include "core/explain/many/certainty.h"
#include "db/run.h"

#define KL_ANY (-1)

struct kl_sample {
    uint32_t id;
    struct kl_sample_place place;
    uint32_t label;      /* within its data set, as the run was told it */
    uint32_t true_label; /* as its file has it */
    uint32_t target;     /* the output that stands for the label */
    uint32_t predicted;  /* an output; right if it is the target */
    double probability;  /* of the predicted output */
};

/* Conditions that must all hold; KL_ANY means no condition. */
struct kl_sample_filter {
    int dataset, split, label, predicted;
    int correct; /* 1: predicted = target; 0: not */
    int flipped; /* 1: label is not the true one; 0: it is */
    int differs; /* 1: the vote of what is attended to differs from the answer; 0: it agrees */
    const uint8_t *votes; /* (samples of the run) what differs is compared with: enum kl_vote_is */
    const char *name;     /* that their file or description has somewhere, in any case; or NULL */
};

/* Of a sample of which no vote is known, neither holds. */
enum kl_vote_is { KL_VOTE_UNKNOWN, KL_VOTE_AGREES, KL_VOTE_DIFFERS };

/* What samples are ordered by. Ties, and what is not known, by rising id at the end. */
enum kl_sample_order {
    KL_ORDER_STORED,     /* by rising id */
    KL_ORDER_LEAST_SURE, /* by the probability of what is predicted */
    KL_ORDER_MOST_SURE,
    KL_ORDER_LOSS,   /* of the target, the largest first */
    KL_ORDER_MARGIN, /* of the target, the smallest first */
    KL_N_ORDERS
};

/* "stored", "least-sure", "most-sure", "loss", "margin"; NULL behind the last; and the reverse: 0,
 * or -1 for another word. */
const char *kl_sample_order_name(uint32_t order);
int kl_sample_order_parse(const char *name, enum kl_sample_order *order);

/* The samples that match, in an order: *ids (*n) is the caller's to free. certainty is read by the
 * orders loss and margin only, and may be NULL for others. Thread-safe. Errors: KL_ERR_MEMORY and
 * those of reading. */
enum kl_status kl_samples_choose(struct kl_run *run, const struct kl_sample_filter *filter,
                                 enum kl_sample_order order, const struct kl_certainty *certainty,
                                 uint32_t **ids, uint32_t *n, struct kl_error *err);

/* Fills samples (n) with those of some ids. Errors: those of kl_samples_get. */
enum kl_status kl_samples_some(struct kl_run *run, const uint32_t *ids, uint32_t n,
                               struct kl_sample *samples, struct kl_error *err);

/* One sample. Errors: KL_ERR_NOT_FOUND. */
enum kl_status kl_samples_get(struct kl_run *run, uint32_t id, struct kl_sample *sample,
                              struct kl_error *err);

/* How many samples that should be one output are predicted as one. */
struct kl_confusion {
    uint32_t target, predicted;
    uint64_t n;
};

/* Of the samples that match (but for name), by target, then by prediction; pairs without samples
 * are left out: *confusions (*n) is the caller's to free. Errors: KL_ERR_MEMORY and those of
 * reading. */
enum kl_status kl_samples_confusions(struct kl_run *run, const struct kl_sample_filter *filter,
                                     struct kl_confusion **confusions, uint32_t *n,
                                     struct kl_error *err);

/* How many samples of a split there are, and of how many the prediction is right. */
struct kl_accuracy {
    uint32_t dataset;
    enum kl_split split;
    uint64_t n_samples, n_right;
};

/* Fills accuracies (room for KL_N_SPLITS per data set) with one entry per split that has samples:
 * *n of them. Errors: those of reading. */
enum kl_status kl_samples_accuracies(struct kl_run *run, struct kl_accuracy *accuracies,
                                     uint32_t *n, struct kl_error *err);

#endif
