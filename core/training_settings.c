/* The settings of a training: names, presets, checks, learning rate, fingerprint. */
#include "core/training.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/hash.h"

static const char *const lr_schedule_names[] = {"constant", "cosine", "step"};
static const char *const data_schedule_names[] = {"joint", "sequential"};
static const char *const initialisation_names[] = {"xavier", "he"};
static const char *const dtype_names[] = {"uint8", "float16", "float32"};

/* What presets share. */
struct recipe {
    uint32_t hidden[2];
    uint32_t batch_size, validation;
    double learning_rate;
    enum kl_lr_schedule lr_schedule;
    double momentum, weight_decay, clip_norm;
};

static const struct recipe quick = {{256, 256}, 64, 0, 0.05, KL_LR_COSINE, 0.9, 1e-4, 1};
/* Without a schedule that ends at 0, the second task would hardly be learned. */
static const struct recipe quick_continual = {{256, 256},     64,  0,    0.02,
                                              KL_LR_CONSTANT, 0.9, 1e-4, 1};
/* Irie, Csordas, Schmidhuber 2022: the settings of their experiments. */
static const struct recipe paper = {{800, 800}, 128, 10000, 3e-3, KL_LR_CONSTANT, 0.9, 0, 1};

struct preset {
    const char *name;
    const struct recipe *recipe;
    const char *datasets[3]; /* ended by NULL */
    uint32_t n_steps;
    uint32_t switch_step; /* 0: joint */
};

#define MNIST "mnist"
#define FASHION "fashion-mnist"

static const struct preset presets[] = {
    {"quick", &quick, {FASHION, NULL}, 2000, 0},
    {"quick-joint", &quick, {MNIST, FASHION, NULL}, 2000, 0},
    {"quick-continual", &quick_continual, {MNIST, FASHION, NULL}, 2000, 1000},
    {"paper-mnist", &paper, {MNIST, NULL}, 5000, 0},
    {"paper-fashion", &paper, {FASHION, NULL}, 5000, 0},
    {"paper-joint", &paper, {MNIST, FASHION, NULL}, 5000, 0},
    {"paper-continual", &paper, {MNIST, FASHION, NULL}, 6000, 3000},
    {"paper-continual-reversed", &paper, {FASHION, MNIST, NULL}, 6000, 3000},
    {"paper-continual-long", &paper, {MNIST, FASHION, NULL}, 10000, 3000},
};

static int find_name(const char *const *names, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (!strcmp(names[i], name))
            return (int)i;
    return -1;
}

const char *kl_lr_schedule_name(enum kl_lr_schedule schedule)
{
    return lr_schedule_names[schedule];
}

const char *kl_data_schedule_name(enum kl_data_schedule schedule)
{
    return data_schedule_names[schedule];
}

const char *kl_initialisation_name(enum kl_initialisation initialisation)
{
    return initialisation_names[initialisation];
}

const char *kl_dtype_name(enum kl_dtype dtype)
{
    return dtype_names[dtype];
}

int kl_lr_schedule_parse(const char *name, enum kl_lr_schedule *schedule)
{
    int found = find_name(lr_schedule_names, 3, name);

    if (found >= 0)
        *schedule = (enum kl_lr_schedule)found;
    return found < 0 ? -1 : 0;
}

int kl_data_schedule_parse(const char *name, enum kl_data_schedule *schedule)
{
    int found = find_name(data_schedule_names, 2, name);

    if (found >= 0)
        *schedule = (enum kl_data_schedule)found;
    return found < 0 ? -1 : 0;
}

int kl_initialisation_parse(const char *name, enum kl_initialisation *initialisation)
{
    int found = find_name(initialisation_names, 2, name);

    if (found >= 0)
        *initialisation = (enum kl_initialisation)found;
    return found < 0 ? -1 : 0;
}

int kl_dtype_parse(const char *name, enum kl_dtype *dtype)
{
    int found = find_name(dtype_names, 3, name);

    if (found >= 0)
        *dtype = (enum kl_dtype)found;
    return found < 0 ? -1 : 0;
}

static void fill(const struct preset *preset, struct kl_training *training)
{
    const struct recipe *recipe = preset->recipe;

    memset(training, 0, sizeof *training);
    snprintf(training->name, sizeof training->name, "%s", preset->name);
    training->n_layers = 3;
    training->widths[1] = recipe->hidden[0];
    training->widths[2] = recipe->hidden[1];
    training->seed = 1;
    training->n_steps = preset->n_steps;
    training->batch_size = recipe->batch_size;
    training->initialisation = KL_INIT_XAVIER;
    training->learning_rate = recipe->learning_rate;
    training->lr_schedule = recipe->lr_schedule;
    training->lr_period = preset->n_steps / 3;
    training->lr_gamma = 0.1;
    training->momentum = recipe->momentum;
    training->weight_decay = recipe->weight_decay;
    training->clip_norm = recipe->clip_norm;
    training->dtype = KL_F16;
    training->selection.validation = recipe->validation;
    if (preset->switch_step) {
        training->data_schedule = KL_DATA_SEQUENTIAL;
        training->n_switches = 1;
        training->switches[0] = preset->switch_step;
    }
}

enum kl_status kl_training_preset(const char *name, struct kl_training *training,
                                  const char *const **datasets, struct kl_error *err)
{
    char names[400] = "";
    size_t n = sizeof presets / sizeof presets[0];

    for (size_t i = 0; i < n; i++) {
        const char *separator = i == 0 ? "" : i + 1 < n ? ", " : " or ";

        if (!strcmp(presets[i].name, name)) {
            fill(&presets[i], training);
            *datasets = presets[i].datasets;
            return KL_OK;
        }
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", separator,
                 presets[i].name);
    }
    return kl_fail(err, KL_ERR_USAGE, "there is no preset '%.40s': use %s", name, names);
}

enum kl_status kl_training_check(const struct kl_training *training, struct kl_error *err)
{
    const struct {
        int wrong;
        const char *message;
    } checks[] = {
        {training->seed >> 53 != 0,
         "--seed is 0 to 9007199254740991, which JSON readers keep exactly"},
        {training->n_steps < 1 || training->n_steps > 100000000, "--steps is 1 to 100000000"},
        {training->batch_size < 1 || training->batch_size > 65536, "--batch is 1 to 65536"},
        {!(training->learning_rate > 0) || training->learning_rate > 1000,
         "--lr is above 0 and at most 1000"},
        {!(training->momentum >= 0) || training->momentum >= 1,
         "--momentum is at least 0 and below 1"},
        {!(training->weight_decay >= 0) || training->weight_decay > 1, "--weight-decay is 0 to 1"},
        {!(training->clip_norm >= 0) || !isfinite(training->clip_norm),
         "--clip is a gradient norm above 0, or 0 for none"},
        {training->lr_schedule == KL_LR_STEP && training->lr_period < 1,
         "--lr-period is at least 1 step"},
        {!(training->lr_gamma > 0) || training->lr_gamma > 1,
         "--lr-gamma is above 0 and at most 1"},
        {training->dtype == KL_U8, "--dtype is float16 or float32"},
        {training->evaluation_steps < 1, "--evaluation-steps is at least 1"},
        {training->checkpoint_steps < 1, "--checkpoint-steps is at least 1"},
        {!(training->selection.label_noise >= 0) || training->selection.label_noise > 1,
         "--label-noise is a share from 0 to 1"},
        {training->selection.noise_seed >> 53 != 0,
         "--noise-seed is 0 to 9007199254740991, which JSON readers keep exactly"},
    };

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (checks[i].wrong)
            return kl_fail(err, KL_ERR_USAGE, "%s", checks[i].message);
    return KL_OK;
}

enum kl_status kl_training_check_schedule(const struct kl_training *training, uint32_t n_datasets,
                                          struct kl_error *err)
{
    uint32_t before = 0;

    if (training->data_schedule == KL_DATA_JOINT && training->n_switches)
        return kl_fail(err, KL_ERR_USAGE, "--switch belongs to --schedule sequential");
    if (training->data_schedule == KL_DATA_JOINT)
        return KL_OK;
    if (n_datasets < 2)
        return kl_fail(err, KL_ERR_USAGE,
                       "--schedule sequential needs two data sets or more: give --data again");
    if (training->n_switches != n_datasets - 1)
        return kl_fail(err, KL_ERR_USAGE,
                       "--switch names the last step with each data set but the last: %u for %u "
                       "data sets, not %u",
                       n_datasets - 1, n_datasets, training->n_switches);
    for (uint32_t i = 0; i < training->n_switches; i++) {
        if (training->switches[i] <= before || training->switches[i] >= training->n_steps)
            return kl_fail(err, KL_ERR_USAGE,
                           "--switch is a list of rising steps from 1 to %u, one before the last",
                           training->n_steps - 1);
        before = training->switches[i];
    }
    return KL_OK;
}

int kl_training_is_snapshot(const struct kl_training *training, uint32_t step)
{
    uint32_t every = training->snapshot_steps;

    if (every == 0 || step == 0 || step >= training->n_steps)
        return 0;
    return step % every == 0 || (step < every && (step & (step - 1)) == 0);
}

double kl_training_learning_rate(const struct kl_training *training, uint32_t step)
{
    double eta = training->learning_rate, done = (double)(step - 1);

    switch (training->lr_schedule) {
    case KL_LR_CONSTANT:
        break;
    case KL_LR_COSINE:
        return eta * (1 + cos(3.14159265358979323846 * done / training->n_steps)) / 2;
    case KL_LR_STEP:
        return eta * pow(training->lr_gamma, floor(done / training->lr_period));
    }
    return eta;
}

void kl_training_fingerprint(const struct kl_training *training, const struct kl_network *final,
                             char fingerprint[17])
{
    char text[1024];
    uint64_t hash = KL_HASH_START;
    int length = snprintf(text, sizeof text,
                          "seed=%" PRIu64 " steps=%u batch=%u init=%s lr=%.17g,%s,%u,%.17g "
                          "momentum=%.17g decay=%.17g clip=%.17g dtype=%s widths=",
                          training->seed, training->n_steps, training->batch_size,
                          kl_initialisation_name(training->initialisation), training->learning_rate,
                          kl_lr_schedule_name(training->lr_schedule), training->lr_period,
                          training->lr_gamma, training->momentum, training->weight_decay,
                          training->clip_norm, kl_dtype_name(training->dtype));

    hash = kl_hash(hash, text, (size_t)length);
    for (uint32_t l = 0; l <= training->n_layers; l++) {
        length = snprintf(text, sizeof text, "%s%u", l ? "-" : "", training->widths[l]);
        hash = kl_hash(hash, text, (size_t)length);
    }
    /* How the data were shown, where that is not the simplest way. */
    if (training->data_schedule != KL_DATA_JOINT)
        hash = kl_hash(hash, " sequential", strlen(" sequential"));
    for (uint32_t i = 0; i < training->n_switches; i++) {
        length = snprintf(text, sizeof text, "%s%u", i ? "," : "=", training->switches[i]);
        hash = kl_hash(hash, text, (size_t)length);
    }
    hash = kl_hash(hash, final->parameters, final->n_parameters * sizeof(float));
    snprintf(fingerprint, 17, "%016" PRIx64, hash);
}
