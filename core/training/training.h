/* Training: what determines a run, and the loop that makes it. */
#ifndef KL_CORE_TRAINING_TRAINING_H
#define KL_CORE_TRAINING_TRAINING_H

#include "core/data/collection.h"
#include "core/models/evaluation.h"
#include "core/scan/kernels.h"
#include "core/models/network.h"
#include "core/training/recorder.h"
#include "core/data/selection.h"

enum kl_lr_schedule {
    KL_LR_CONSTANT,
    KL_LR_COSINE, /* eta (1 + cos(pi (s - 1) / S)) / 2 */
    KL_LR_STEP,   /* eta gamma^floor((s - 1) / period) */
};

enum kl_optimiser {
    KL_SGD,  /* with momentum: core/models/sgd.h; the dual form is exact */
    KL_ADAM, /* core/models/adam.h; there is no dual form, only attention */
};

/* Which data sets the steps draw from. */
enum kl_data_schedule {
    KL_DATA_JOINT,      /* from all, shuffled together */
    KL_DATA_SEQUENTIAL, /* from one after the other, in order */
};

/* Everything that determines a run besides its data. */
struct kl_training {
    char name[KL_NAME_MAX];
    uint32_t n_hidden, hidden[KL_LAYERS_MAX - 1]; /* widths between input and output */
    struct kl_shape shape;                        /* see kl_training_fit */
    uint64_t seed;
    uint32_t n_steps, batch_size; /* batch_size: samples a step, or streams of text */
    uint32_t unroll;              /* KL_LSTM: tokens of each stream a step; 1 for images */
    uint32_t embedding;           /* KL_LSTM: width of what stands for a token */
    double dropout;               /* KL_LSTM: of the last layer's keys, in training */
    enum kl_optimiser optimiser;
    uint64_t vocabulary; /* KL_LSTM: kl_corpus_hash of the text; see kl_training_fit */
    enum kl_initialisation initialisation;
    double learning_rate;
    enum kl_lr_schedule lr_schedule;
    uint32_t lr_period; /* steps, KL_LR_STEP only */
    double lr_gamma;
    double momentum, weight_decay, clip_norm; /* clip_norm 0: no clipping */
    enum kl_dtype dtype;                      /* of the history: KL_F16 or KL_F32 */
    uint32_t evaluation_steps;                /* the test split is evaluated every so many steps */
    uint32_t checkpoint_steps;                /* the history is committed every so many steps */
    int records_gates;       /* KL_LSTM: whether the gates' error signals are recorded */
    uint32_t error_entries;  /* KL_LSTM: numbers kept of the last layer's error signals; 0: all */
    uint32_t snapshot_steps; /* the weights are kept every so many steps; 0: never */
    enum kl_data_schedule data_schedule;
    uint32_t n_switches;                    /* KL_DATA_SEQUENTIAL: one less than data sets */
    uint32_t switches[KL_DATASETS_MAX - 1]; /* the last step with each data set but the last */
    struct kl_selection selection;
};

/* Patterns of a step. */
static inline uint32_t kl_training_patterns(const struct kl_training *training)
{
    return training->batch_size * training->unroll;
}

/* What is recorded of every pattern. Adam's error signals are not: nothing can be said with them.
 */
void kl_training_layout(const struct kl_training *training, struct kl_layout *layout);

/* Names as the command line and the history file have them; static strings. */
const char *kl_lr_schedule_name(enum kl_lr_schedule schedule);
const char *kl_data_schedule_name(enum kl_data_schedule schedule);
const char *kl_initialisation_name(enum kl_initialisation initialisation);
const char *kl_dtype_name(enum kl_dtype dtype);
const char *kl_optimiser_name(enum kl_optimiser optimiser);

/* The reverse; 0 when found, -1 when there is no such name. */
int kl_lr_schedule_parse(const char *name, enum kl_lr_schedule *schedule);
int kl_data_schedule_parse(const char *name, enum kl_data_schedule *schedule);
int kl_initialisation_parse(const char *name, enum kl_initialisation *initialisation);
int kl_dtype_parse(const char *name, enum kl_dtype *dtype);
int kl_optimiser_parse(const char *name, enum kl_optimiser *optimiser);

/* Fills the settings of a preset ("quick", "paper-mnist", "paper-continual" and so on):
 * hidden widths (the data decide the others), rule, steps, schedule; and the
 * names of its data sets, ended by NULL. Errors: KL_ERR_USAGE. */
enum kl_status kl_training_preset(const char *preset, struct kl_training *training,
                                  const char *const **datasets, struct kl_error *err);

/* Sets the shape of the network from the hidden widths and what the data need at both ends. Errors:
 * KL_ERR_USAGE (sizes). */
enum kl_status kl_training_fit(struct kl_training *training, const struct kl_collection *data,
                               struct kl_error *err);

/* Refuses settings that cannot be trained. Errors: KL_ERR_USAGE, naming the flag. */
enum kl_status kl_training_check(const struct kl_training *training, struct kl_error *err);

/* Refuses a sequential schedule whose switches do not fit so many data sets. Errors:
 * KL_ERR_USAGE. */
enum kl_status kl_training_check_schedule(const struct kl_training *training, uint32_t n_datasets,
                                          struct kl_error *err);

/* Whether the weights after a step (0: the initial ones) are kept: every snapshot_steps steps, and
 * before the first of these at the powers of two, because much happens early; the initial and the
 * final ones are kept anyway and never as snapshots. */
int kl_training_is_snapshot(const struct kl_training *training, uint32_t step);

/* The learning rate of a step, from 1. */
double kl_training_learning_rate(const struct kl_training *training, uint32_t step);

/* A hash of the settings and of the final weights, sixteen hexadecimal digits with a NUL. */
void kl_training_fingerprint(const struct kl_training *training, const struct kl_network *final,
                             char fingerprint[17]);

/* Where a training stands: all that a resumed one needs. */
struct kl_training_state {
    struct kl_network *network, *velocity; /* owned by whoever made the state */
    struct kl_network *squares;            /* KL_ADAM's second moments (velocity: the first) */
    float *carried;                        /* (n_carried) an LSTM's: core/models/lstm.h */
    size_t n_carried;
    uint32_t steps_done;
};

/* Room for a state of a training's shape, of zeros. Errors: KL_ERR_MEMORY, KL_ERR_USAGE. */
enum kl_status kl_training_state_create(const struct kl_training *training,
                                        struct kl_training_state *state, struct kl_error *err);

/* The state before the first step. Ended with kl_training_state_clear. */
enum kl_status kl_training_start(const struct kl_training *training,
                                 struct kl_training_state *state, struct kl_error *err);
void kl_training_state_clear(struct kl_training_state *state);

/* Told after every step; returning nonzero ends the training. What came after the last checkpoint
 * is then dropped, so that checkpoints, and with them the file, are the same as without the stop.
 */
struct kl_progress {
    int (*step)(void *self, uint32_t step, double loss);
    void (*evaluation)(void *self, uint32_t step, const struct kl_dataset *dataset,
                       const struct kl_evaluation *evaluation);
    void *self;
};

/* Trains from state to the last step. Samples come in shuffled passes over all training samples (or
 * over those of one data set after the other); the order of pass e depends on (seed, e, phase)
 * alone, and a minibatch may span two passes, so that every step has batch_size patterns and
 * pattern t of the run is sample t of the endless sequence. Text is read in order instead, in
 * batch_size streams side by side, unroll tokens of each a step. recorder may be NULL (nothing is
 * recorded). Data sets need their pixels. Errors: KL_ERR_INPUT (diverged), KL_ERR_INTERRUPTED,
 * KL_ERR_MEMORY, and whatever the recorder says. */
enum kl_status kl_train(const struct kl_training *training, const struct kl_collection *data,
                        struct kl_training_state *state, const struct kl_recorder *recorder,
                        const struct kl_progress *progress, struct kl_error *err);

#endif
