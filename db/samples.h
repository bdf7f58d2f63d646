/* Looking samples up by what is known of them. */
#ifndef KL_DB_SAMPLES_H
#define KL_DB_SAMPLES_H

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
};

/* Fills samples with up to limit matching ones of ids >= from, by rising id; *n of them; *next is
 * the id to go on from, or -1 when these were the last; *total counts all that match the filter.
 * Errors: those of reading. */
enum kl_status kl_samples_list(struct kl_run *run, const struct kl_sample_filter *filter,
                               uint32_t from, uint32_t limit, struct kl_sample *samples,
                               uint32_t *n, int64_t *next, uint64_t *total, struct kl_error *err);

/* One sample. Errors: KL_ERR_NOT_FOUND. */
enum kl_status kl_samples_get(struct kl_run *run, uint32_t id, struct kl_sample *sample,
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
