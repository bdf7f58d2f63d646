/* The training history as attention needs it. db fills it from the history file. */
#ifndef KL_CORE_EXPLAIN_HISTORY_H
#define KL_CORE_EXPLAIN_HISTORY_H

#include "core/scan/blocks.h"
#include "core/scan/quantised.h"
#include "core/data/collection.h"
#include "core/models/coefficients.h"
#include "core/models/model.h"
#include "core/peers/peers.h"
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

/* How the steps made a layer, of what its parameter group says. */
struct kl_layer_steps {
    const struct kl_step_rule *rules; /* (n_steps) */
    /* Of SGD: c_s, (n_steps), and what is left of the initial weights (core/models/coefficients.h);
     * of Adam NULL, and what is left by core/explain/dual/adam.h. */
    const double *coefficients;
    double alpha;
    float bias; /* what the bias adds to attention: 1, or 0 where the layer has none, or one that
                   has no dual form and is part of the initial guess as it ended */
};

/* Samples that only the framework could run that trained the network; db reads them. */
struct kl_queries {
    void *self;
    /* Whether a sample is among them. */
    int (*has)(void *self, uint32_t sample);
    /* The ids of all, rising: *samples (*n) is the caller's to free. There may be more later.
     * Errors: KL_ERR_MEMORY. */
    enum kl_status (*list)(void *self, uint32_t **samples, uint32_t *n, struct kl_error *err);
    /* Another number whenever some were added or taken away. */
    uint64_t (*generation)(void *self);
    /* logits (outputs of the last layer) of a sample. Errors: those of read. */
    enum kl_status (*logits)(void *self, uint32_t sample, float *logits, struct kl_error *err);
    /* Fills row 0 of keys and logits of a sample of the run. Errors: KL_ERR_NOT_FOUND (it is not
     * among them), KL_ERR_IO, KL_ERR_DAMAGED. Thread-safe. */
    enum kl_status (*read)(void *self, uint32_t sample, struct kl_activations *activations,
                           struct kl_error *err);
    /* Fills row 0 of errors with the gradients of one logit, or of the loss of one target. Errors:
     * likewise. */
    enum kl_status (*back)(void *self, uint32_t sample, int is_logit, uint32_t output,
                           struct kl_activations *activations, struct kl_error *err);
};

struct kl_history {
    const struct kl_collection *data;
    const struct kl_network *initial, *final;
    /* Those who hold the history together, each some of its steps: of the others' steps there are
     * no patterns here, but what is summed over patterns, or best of them, is so over all. */
    struct kl_peers *peers;
    uint64_t n_patterns; /* of this process, numbered from 0; */
    uint64_t n_all;      /* of all that hold it */
    /* Patterns of the training that nobody has, as a shard of the history is missing: sums over
     * patterns lack them. */
    uint64_t n_missing;
    uint32_t n_steps;
    const uint64_t *starts;      /* (n_steps + 1) the first pattern of each step; n_patterns */
    const uint64_t *numbers;     /* (n_steps + 1) likewise, as all processes number theirs; n_all */
    uint32_t patterns_per_step;  /* of every step, or 0: they differ; */
    uint32_t most_per_step;      /* of the longest */
    const uint32_t *samples;     /* (n_patterns) training sample ids */
    const uint32_t *repetitions; /* (samples of the run) how many patterns each one is, of all, */
    const uint32_t *repetitions_here; /* and how many of this process */
    const uint32_t *classes; /* (samples of the run) class number: see kl_collection_classes */
    uint32_t n_classes;      /* of all data sets */
    const uint32_t *class_datasets; /* (n_classes) the data set of each */
    /* Whether the last layer's error signals are recorded, so that there are contributions, or only
     * attention. */
    int has_dual;
    struct kl_layer_steps layers[KL_LAYERS_MAX];
    struct kl_adam *adam;             /* of Adam, or NULL: core/explain/dual/adam.h */
    int is_decoupled;                 /* whether weights decay beside the gradient's step */
    const struct kl_queries *queries; /* of a network that cannot be run here; or NULL */
    double left_out; /* share of the last layer's error signals (squared length) not recorded */
    struct kl_snapshots snapshots;
    struct kl_norms *norms; /* see core/explain/norms.h */
    /* core/explain/views/class_order.h; of these patterns: a history of others needs another. */
    struct kl_class_order_store *class_order_store;
    struct kl_sample_order_store
        *sample_order_store;                /* likewise, core/explain/views/sample_order.h */
    struct kl_decorrelation *decorrelation; /* core/explain/influence/decorrelation.h */
    struct kl_scratch *scratch;             /* of n_patterns: see core/base/scratch.h */
    /* By layer, from 0. Where the keys are the samples themselves (kl_shape_reads_samples), rows
     * are samples by id, of all splits; otherwise patterns. */
    const struct kl_block_source *keys[KL_LAYERS_MAX];
    const struct kl_block_source *errors[KL_LAYERS_MAX]; /* NULL: not recorded */
    /* Keys that are patterns, in 8 bits, and what kl_keeper_take made of them; NULL: there are
     * none. */
    struct kl_quantised_keys {
        struct kl_quantised *keys;
        const struct kl_block_source *kept;
    } quantised[KL_LAYERS_MAX];
};

/* Whether a sample of the run can be asked about. */
static inline int kl_history_can_ask(const struct kl_history *history, uint32_t sample)
{
    return !history->queries || history->queries->has(history->queries->self, sample);
}

/* Whether samples are positions in a text, and classes the tokens that follow. */
static inline int kl_history_is_text(const struct kl_history *history)
{
    return kl_collection_kind(history->data) == KL_DATA_TEXT;
}

/* The step, from 1, that a pattern belongs to as starts (n_steps + 1) tells. */
static inline uint32_t kl_history_step_in(const struct kl_history *history, const uint64_t *starts,
                                          uint64_t pattern)
{
    uint32_t low = 0, high = history->n_steps; /* starts[low] <= pattern < starts[high] */

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (starts[middle] <= pattern)
            low = middle;
        else
            high = middle;
    }
    return low + 1;
}

/* The step of a pattern, from 1. */
static inline uint32_t kl_history_step(const struct kl_history *history, uint64_t pattern)
{
    return history->patterns_per_step ? (uint32_t)(pattern / history->patterns_per_step) + 1
                                      : kl_history_step_in(history, history->starts, pattern);
}

/* The first pattern of a step, from 1, and how many it has. */
static inline uint64_t kl_history_start(const struct kl_history *history, uint32_t step)
{
    return history->starts[step - 1];
}

static inline uint32_t kl_history_count(const struct kl_history *history, uint32_t step)
{
    return (uint32_t)(history->starts[step] - history->starts[step - 1]);
}

/* The step, from 1, of the pattern of a number among those of all processes. */
static inline uint32_t kl_history_step_of(const struct kl_history *history, uint64_t number)
{
    return history->numbers == history->starts
               ? kl_history_step(history, number)
               : kl_history_step_in(history, history->numbers, number);
}

/* The number of a pattern among those of all processes. */
static inline uint64_t kl_history_number(const struct kl_history *history, uint64_t pattern)
{
    uint32_t step;

    if (history->numbers == history->starts)
        return pattern;
    step = kl_history_step(history, pattern);
    return history->numbers[step - 1] + (pattern - history->starts[step - 1]);
}

/* The same the other way: whether this process has the pattern of a number, and which it is. */
static inline int kl_history_find(const struct kl_history *history, uint64_t number,
                                  uint64_t *pattern)
{
    uint32_t step;

    *pattern = number;
    if (history->numbers == history->starts)
        return 1;
    step = kl_history_step_of(history, number);
    *pattern = history->starts[step - 1] + (number - history->numbers[step - 1]);
    return history->starts[step] > history->starts[step - 1];
}

/* How much of the training's patterns there is: 1 but where shards are missing. */
static inline double kl_history_share(const struct kl_history *history)
{
    return (double)history->n_all / (double)(history->n_all + history->n_missing);
}

/* Why there are no contributions, where there are none, and what helps: clauses. */
static inline const char *kl_history_why_not(const struct kl_history *history)
{
    return history->n_missing ? "shards of this run are missing, and what Adam made of its "
                                "gradients takes all of them"
                              : "no error signals are recorded";
}

static inline const char *kl_history_what_helps(const struct kl_history *history)
{
    return history->n_missing ? "bring the shards back" : "train it again without attention_only";
}

/* Of SGD: c_s of a pattern's step at a layer, from 0. */
static inline double kl_history_coefficient(const struct kl_history *history, uint32_t layer,
                                            uint64_t pattern)
{
    return history->layers[layer].coefficients[kl_history_step(history, pattern) - 1];
}

#endif
