/* One sweep over the history of a layer that Adam trained: every step's coefficients C_s, from the
 * last step to the first (core/models/adam_dual.h).
 *
 * The second moments are rebuilt forward from the recorded gradients, kept at the first step of
 * every segment of some sqrt(S) steps, and made again within a segment when the sweep comes back to
 * it; so a sweep reads the history two or three times and needs room for 2 sqrt(S) matrices of the
 * layer's shape, or, where that is too much, takes the layer's outputs in parts.
 *
 * Where several processes hold the history, each makes the gradients of the steps that it has, and
 * hears the others', a segment at a time: all go through all steps, with the same coefficients to
 * the bit, and patterns is told of one's own alone. Collective. */
#ifndef KL_CORE_EXPLAIN_DUAL_SWEEP_H
#define KL_CORE_EXPLAIN_DUAL_SWEEP_H

#include "core/explain/history.h"

/* Some outputs (rows of the layer's weights) and what one task has of them. width is the layer's
 * inputs and one more, for the bias, whose key is 1; of a layer without bias its coefficients
 * are 0. */
struct kl_sweep_rows {
    unsigned task;            /* below the n_tasks of begin */
    uint32_t first, n, width; /* outputs first .. first + n - 1 */
};

/* Patterns of one step: all places of so many showings, one showing after the other. */
struct kl_sweep_patterns {
    uint64_t first; /* showing, */
    uint64_t at;    /* counted from the first one of its segment */
    uint32_t n_showings;
    uint32_t n, step;    /* patterns; step from 1 */
    const float *keys;   /* (n, width - 1) */
    const float *errors; /* error signals of the task's outputs: row i starts at i * stride */
    size_t stride;
    const float *coefficients; /* C_s of the rows: (rows->n, width) */
};

struct kl_sweep {
    struct kl_pool *pool;
    const struct kl_history *history;
    uint32_t layer;     /* from 0 */
    uint32_t first, n;  /* the outputs wanted */
    size_t room;        /* bytes for what is kept of some outputs; 0: 512 MB */
    int wants_patterns; /* or patterns is not called, and the keys are read once less */
    void *self;
    /* Before the first step of some of the outputs: so many tasks, segments of so many
     * showings, the last one of at most as many. May be NULL, as all of these. */
    enum kl_status (*begin)(void *self, unsigned n_tasks, uint64_t n_showings,
                            struct kl_error *err);
    /* Patterns of a step, by several tasks at a time. */
    void (*patterns)(void *self, const struct kl_sweep_rows *rows,
                     const struct kl_sweep_patterns *patterns);
    /* A whole step, likewise: C_s and G_s (rows->n, width). */
    void (*step)(void *self, const struct kl_sweep_rows *rows, uint32_t step,
                 const float *coefficients, const float *gradient);
    /* After all tasks have done showings first .. first + n - 1. */
    void (*segment)(void *self, uint64_t first, uint64_t n);
    /* After the first step: P (rows->n, width), or NULL: it is share everywhere. */
    void (*end)(void *self, const struct kl_sweep_rows *rows, const float *p, double share);
};

/* Whether weight decay is part of a layer's gradients, so that P is a matrix. */
int kl_sweep_is_penalised(const struct kl_history *history, uint32_t layer);

/* Showings of a step that patterns is told of at a time, at most. */
uint32_t kl_sweep_slice(const struct kl_history *history, uint32_t layer);

/* Says in history->adam how far it is. Errors: KL_ERR_MEMORY, KL_ERR_PEERS and those of reading. */
enum kl_status kl_sweep(const struct kl_sweep *sweep, struct kl_error *err);

#endif
