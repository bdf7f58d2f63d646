/* What determines a run besides its data, and where a training stands.
 *
 * The fields that people set are described in one table, core/training/settings.h, from which the
 * command line, the run file, the API and the fingerprint have them. */
#ifndef KL_CORE_TRAINING_TRAINING_H
#define KL_CORE_TRAINING_TRAINING_H

#include "core/base/dtype.h"
#include "core/data/collection.h"
#include "core/data/selection.h"
#include "core/models/model.h"
#include "core/models/optimiser.h"
#include "core/training/recorder.h"

enum kl_lr_schedule {
    KL_LR_CONSTANT,
    KL_LR_COSINE, /* eta (1 + cos(pi (s - 1) / S)) / 2 */
    KL_LR_STEP,   /* eta gamma^floor((s - 1) / period) */
};

/* Which data sets the steps draw from. */
enum kl_data_schedule {
    KL_DATA_JOINT,      /* from all, shuffled together */
    KL_DATA_SEQUENTIAL, /* from one after the other, in order */
};

struct kl_training {
    char name[KL_NAME_MAX];
    uint32_t architecture; /* number of core/models/model.h's list */
    struct kl_model_settings model;
    struct kl_shape shape;   /* see kl_training_fit */
    uint32_t initialisation; /* enum kl_initialisation */
    uint64_t seed;
    uint32_t n_steps, batch_size; /* batch_size: samples a step, or streams of text */
    uint32_t unroll;              /* tokens of each stream a step; 1 for images */
    double dropout;               /* of the last layer's keys, in training */
    uint32_t optimiser;           /* number of core/models/optimiser.h's list */
    double learning_rate;
    uint32_t lr_schedule; /* enum kl_lr_schedule */
    uint32_t lr_period;   /* steps, KL_LR_STEP only */
    double lr_gamma;
    double momentum, weight_decay, clip_norm; /* clip_norm 0: no clipping */
    uint32_t dtype;                           /* enum kl_dtype, of the history: KL_F16, KL_F32 */
    uint32_t evaluation_steps;                /* the test split is evaluated every so many steps */
    uint32_t checkpoint_steps;                /* the history is committed every so many steps */
    uint32_t snapshot_steps;                  /* the weights are kept every so many; 0: never */
    uint32_t records_gates; /* whether inner error signals are, where that is on demand */
    uint32_t error_entries; /* numbers kept of the last layer's error signals; 0: all */
    uint32_t heads;         /* enum kl_heads */
    uint32_t data_schedule; /* enum kl_data_schedule */
    uint32_t n_switches;    /* KL_DATA_SEQUENTIAL: one less than data sets */
    uint32_t switches[KL_DATASETS_MAX - 1]; /* the last step with each data set but the last */
    struct kl_selection selection;
};

/* The architecture and the optimiser. */
static inline const struct kl_model *kl_training_model(const struct kl_training *training)
{
    return kl_model_at(training->architecture);
}

static inline const struct kl_optimiser *kl_training_optimiser(const struct kl_training *training)
{
    return kl_optimiser_at(training->optimiser);
}

/* Patterns of a step. */
static inline uint32_t kl_training_patterns(const struct kl_training *training)
{
    return training->batch_size * training->unroll;
}

/* What is recorded of every pattern: of optimisers without a dual form no error signals, with which
 * nothing could be said. */
void kl_training_layout(const struct kl_training *training, struct kl_layout *layout);

/* Sets the shape of the network from the settings and what the data need at both ends. Errors:
 * KL_ERR_USAGE (sizes). */
enum kl_status kl_training_fit(struct kl_training *training, const struct kl_collection *data,
                               struct kl_error *err);

/* Whether the weights after a step (0: the initial ones) are kept: every snapshot_steps steps, and
 * before the first of these at the powers of two, because much happens early; the initial and the
 * final ones are kept anyway and never as snapshots. */
int kl_training_is_snapshot(const struct kl_training *training, uint32_t step);

/* The learning rate of a step, from 1. */
double kl_training_learning_rate(const struct kl_training *training, uint32_t step);

/* Where a training stands: all that a resumed one needs. */
struct kl_training_state {
    struct kl_network *network;                 /* owned by whoever made the state, as all here */
    struct kl_network *moments[KL_MOMENTS_MAX]; /* as many as the optimiser keeps, NULL behind */
    float *carried;                             /* (n_carried) a sequence model's; or NULL */
    size_t n_carried;
    uint32_t steps_done;
};

/* Room for a state of a training's shape, of zeros. Errors: KL_ERR_MEMORY. */
enum kl_status kl_training_state_create(const struct kl_training *training,
                                        struct kl_training_state *state, struct kl_error *err);

/* The state before the first step. Ended with kl_training_state_clear. */
enum kl_status kl_training_start(const struct kl_training *training,
                                 struct kl_training_state *state, struct kl_error *err);
void kl_training_state_clear(struct kl_training_state *state);

#endif
