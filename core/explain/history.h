/* The training history as attention needs it. db fills it from the history file. */
#ifndef KL_CORE_EXPLAIN_HISTORY_H
#define KL_CORE_EXPLAIN_HISTORY_H

#include "core/scan/blocks.h"
#include "core/data/collection.h"
#include "core/models/coefficients.h"
#include "core/models/model.h"
#include "core/base/scratch.h"

/* The weights along the way, between the initial and the final ones; db reads them. */
struct kl_snapshots {
    void *self;
    uint32_t n;
    const uint32_t *steps; /* (n), rising */
    /* Reads one, numbered from 0, into a network of the run's widths. Within a pool's task, each
     * worker for itself. Errors: KL_ERR_IO, KL_ERR_DAMAGED. */
    enum kl_status (*read)(void *self, unsigned worker, uint32_t number, struct kl_network *network,
                           struct kl_error *err);
};

struct kl_adam;

struct kl_history {
    const struct kl_collection *data;
    const struct kl_network *initial, *final;
    uint64_t n_patterns;
    uint32_t patterns_per_step, n_steps;
    const uint32_t *samples;     /* (n_patterns) training sample ids */
    const uint32_t *repetitions; /* (samples of the run) how many patterns each one is */
    const uint32_t *classes;     /* (samples of the run) class number: see kl_collection_classes */
    uint32_t n_classes;          /* of all data sets */
    const uint32_t *class_datasets; /* (n_classes) the data set of each */
    /* Whether error signals are recorded, so that there are contributions, or only attention: then
     * coefficients, adam and errors are NULL. */
    int has_dual;
    /* Of SGD: c_s, (n_steps), and what is left of the initial weights: core/models/coefficients.h
     */
    const double *coefficients;
    double alpha;
    /* Of Adam, or NULL: core/explain/dual/adam.h; its steps, (n_steps); and whether weights decay
     * beside the gradient's step. */
    struct kl_adam *adam;
    const struct kl_step_rule *rules;
    int is_decoupled;
    double left_out; /* share of the last layer's error signals (squared length) not recorded */
    struct kl_snapshots snapshots;
    struct kl_norms *norms;     /* see core/explain/norms.h */
    struct kl_scratch *scratch; /* of n_patterns: see core/base/scratch.h */
    /* By layer, from 0. Where the keys are the samples themselves (kl_shape_reads_samples), rows
     * are samples by id, of all splits; otherwise patterns. */
    const struct kl_block_source *keys[KL_LAYERS_MAX];
    const struct kl_block_source *errors[KL_LAYERS_MAX]; /* NULL: not recorded */
};

/* Whether samples are positions in a text, and classes the tokens that follow. */
static inline int kl_history_is_text(const struct kl_history *history)
{
    return kl_collection_kind(history->data) == KL_DATA_TEXT;
}

/* The step of a pattern, from 1. */
static inline uint32_t kl_history_step(const struct kl_history *history, uint64_t pattern)
{
    return (uint32_t)(pattern / history->patterns_per_step) + 1;
}

#endif
