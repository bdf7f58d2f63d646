/* What a run that Adam trained keeps. Internal to core/explain/dual/. */
#ifndef KL_CORE_EXPLAIN_DUAL_ADAM_PRIVATE_H
#define KL_CORE_EXPLAIN_DUAL_ADAM_PRIVATE_H

#include <pthread.h>

#include "core/explain/dual/adam.h"

/* C_s[output] of every step of the last layer. */
struct kl_adam_output {
    struct kl_adam_output *next;
    uint32_t output;
    unsigned n_users;    /* not given back while it has some */
    float *coefficients; /* (n_steps, inputs + 1) */
};

/* The last layer's correction is linear in its input: these times it (and 1) are its parts. */
struct kl_adam_sums {
    double *by_class; /* of images: (n_classes, outputs, inputs + 1), */
    double *by_bin;   /* and (ranges of steps, data sets, outputs, inputs + 1) */
    double *all;      /* (outputs, inputs + 1) */
    double *left;     /* (outputs, inputs + 1) of the initial weights */
};

/* Contributions that somebody waits for; not by kl_pool_share, as a sweep's pieces depend on each
 * other. */
struct kl_adam_request {
    struct kl_adam_request *next;
    uint32_t layer, n;   /* n gradients */
    const float *matrix; /* M (core/explain/places/places.h), n is 1; or NULL, and */
    const float *x;
    const float *const *gradients;
    float *const *scores;
    int is_done;
    struct kl_error error; /* status KL_OK if it went well */
};

struct kl_adam {
    pthread_mutex_t queue; /* of the requests, and all about them */
    pthread_cond_t is_free;
    int is_sweeping;
    struct kl_adam_request *requests;
    pthread_mutex_t telling;
    struct kl_adam_progress progress;
    pthread_mutex_t sweeping;       /* held by the sweep under way: one at a time for a run */
    pthread_mutex_t summing;        /* held while the sums are made */
    pthread_mutex_t making;         /* held while outputs are made */
    pthread_mutex_t list;           /* of outputs */
    size_t room;                    /* KL_ADAM_ROOM */
    struct kl_adam_output *outputs; /* the one used last first */
    size_t n_bytes;                 /* of these */
    struct kl_adam_sums sums;       /* all NULL: not made yet */
};

/* row . (x, 1): what a row of weights, with its bias, makes of a layer's input. */
static inline double kl_adam_apply(const double *row, const float *x, uint32_t inputs)
{
    double sum = row[inputs];

    for (uint32_t i = 0; i < inputs; i++)
        sum += row[i] * (double)x[i];
    return sum;
}

/* What kl_adam_tell tells: of several sweeps, the one that said something last. */
void kl_adam_say(struct kl_adam *adam, struct kl_adam_progress progress);

/* Makes the sums, or waits until they are made. Errors: KL_ERR_MEMORY and those of reading. */
enum kl_status kl_adam_find_sums(struct kl_pool *pool, const struct kl_history *history,
                                 const struct kl_adam_sums **sums, struct kl_error *err);

#endif
