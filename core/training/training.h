/* What determines a run besides its data, and where a training stands.
 *
 * The fields that people set are in one table, core/training/settings_table.h, from which the
 * command line, the run file, the API and the fingerprint have them, too. */
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
/* First what people set, most of it a field of the setting's own. */
#define SETTING(declaration, ...) declaration
#include "core/training/settings_table.h"
#undef SETTING
    struct kl_model_settings model; /* sizes of layers */
    struct kl_selection selection;
    uint32_t n_switches;   /* KL_DATA_SEQUENTIAL: one less than data sets */
    struct kl_shape shape; /* see kl_training_fit */
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

/* What is recorded of every pattern. */
void kl_training_layout(const struct kl_training *training, struct kl_layout *layout);

/* Sets the shape of the network from the settings and what the data need at both ends. Errors:
 * KL_ERR_USAGE (sizes). */
enum kl_status kl_training_fit(struct kl_training *training, const struct kl_collection *data,
                               struct kl_error *err);

/* Whether the training, of a shape that fits, has room: its states, those of the recorder, and its
 * minibatches, against kl_memory_free. Errors: KL_ERR_MEMORY. */
enum kl_status kl_training_check_memory(const struct kl_training *training, struct kl_error *err);

/* Whether the weights after a step (0: the initial ones) are kept: every snapshot_steps steps, and
 * before the first of these at the powers of two, because much happens early; the initial and the
 * final ones are kept anyway and never as snapshots. */
int kl_training_is_snapshot(const struct kl_training *training, uint32_t step);

/* The learning rate of a step, from 1. */
double kl_training_learning_rate(const struct kl_training *training, uint32_t step);

/* All that the settings say of a step's update, from 1; nothing is clipped yet. */
struct kl_step_rule kl_training_rule(const struct kl_training *training, uint32_t step);

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
