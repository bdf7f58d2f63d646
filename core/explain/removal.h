/* What the network would say without some of its memory: patterns are taken out of the dual form,
 * in all layers at once; of a language model in the last one. This removes them from the stored
 * trajectory; it is not a retraining, in which the other patterns would have had other error
 * signals. */
#ifndef KL_CORE_EXPLAIN_REMOVAL_H
#define KL_CORE_EXPLAIN_REMOVAL_H

#include "core/explain/history.h"

#define KL_REMOVAL_TERMS_MAX 64 /* classes, data sets, and ranges of steps, each */
#define KL_REMOVAL_SAMPLES_MAX                                                                     \
    1000 /* picked by hand; as many again may come from the spotlight                              \
          */

/* What to remove: the union of all that is named. */
struct kl_removal {
    uint32_t top; /* the first so many of the spotlight */
    int all;
    uint32_t n_classes, classes[KL_REMOVAL_TERMS_MAX]; /* numbers over all data sets */
    uint32_t n_datasets, datasets[KL_REMOVAL_TERMS_MAX];
    uint32_t n_ranges, first_steps[KL_REMOVAL_TERMS_MAX], last_steps[KL_REMOVAL_TERMS_MAX];
    uint32_t n_samples, samples[2 * KL_REMOVAL_SAMPLES_MAX]; /* ids */
};

/* Marks what the removal names but for top: removed[t] = 1 for those patterns, (n_patterns), the
 * others stay what they are. Errors: KL_ERR_MEMORY. */
enum kl_status kl_removal_mark(const struct kl_history *history, const struct kl_removal *removal,
                               uint8_t *removed, struct kl_error *err);

/* The logits for x, the input of layer first, from 0, without the patterns marked in it and in the
 * layers after it: x (inputs[first]), logits (n_logits) doubles. Layers follow each other with the
 * activation between them. Nothing removed gives the network's own; everything removed gives those
 * of a network of initial guesses, alpha (W_0 x + b_0) in every layer. Errors: KL_ERR_MEMORY and
 * those of reading. */
enum kl_status kl_logits_without(struct kl_pool *pool, const struct kl_history *history,
                                 uint32_t first, const float *x, const uint8_t *removed,
                                 double *logits, struct kl_error *err);

#endif
