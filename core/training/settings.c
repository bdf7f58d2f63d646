/* The settings of a training: names, checks, learning rate, fingerprint. */
#include "core/training/training.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/base/hash.h"

static const char *const lr_schedule_names[] = {"constant", "cosine", "step"};
static const char *const data_schedule_names[] = {"joint", "sequential"};
static const char *const initialisation_names[] = {"xavier", "he"};
static const char *const dtype_names[] = {"uint8", "float16", "float32"};

static const char *const optimiser_names[] = {"sgd", "adam"};

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

const char *kl_optimiser_name(enum kl_optimiser optimiser)
{
    return optimiser_names[optimiser];
}

int kl_optimiser_parse(const char *name, enum kl_optimiser *optimiser)
{
    int found = find_name(optimiser_names, 2, name);

    if (found >= 0)
        *optimiser = (enum kl_optimiser)found;
    return found < 0 ? -1 : 0;
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

static enum kl_status fit_text(struct kl_training *training, const struct kl_dataset *text,
                               struct kl_error *err)
{
    uint32_t n = text->splits[KL_SPLIT_TRAIN].count;

    for (uint32_t l = 1; l < training->n_hidden; l++)
        if (training->hidden[l] != training->hidden[0])
            return kl_fail(err, KL_ERR_USAGE, "LSTM layers are all of one size: --hidden 200,200");
    if (n / training->batch_size < training->unroll)
        return kl_fail(err, KL_ERR_USAGE,
                       "%s has %u training tokens, too few for %u streams of %u: use a smaller "
                       "--batch or --unroll",
                       text->name, n, training->batch_size, training->unroll);
    training->vocabulary = kl_corpus_hash(text->corpus);
    if (training->error_entries >= text->n_classes)
        training->error_entries = 0;
    return kl_shape_lstm(text->n_classes, training->embedding, training->hidden[0],
                         training->n_hidden, &training->shape, err);
}

enum kl_status kl_training_fit(struct kl_training *training, const struct kl_collection *data,
                               struct kl_error *err)
{
    const struct kl_dataset *first = data->datasets[0];
    uint32_t widths[KL_LAYERS_MAX + 1] = {(uint32_t)kl_dataset_image_size(first)};

    if (training->shape.architecture == KL_LSTM)
        return fit_text(training, first, err);
    memcpy(widths + 1, training->hidden, training->n_hidden * sizeof(uint32_t));
    widths[training->n_hidden + 1] = kl_collection_n_outputs(data);
    return kl_shape_mlp(training->n_hidden + 1, widths, &training->shape, err);
}

void kl_training_layout(const struct kl_training *training, struct kl_layout *layout)
{
    const struct kl_shape *shape = &training->shape;
    uint32_t last = shape->n_layers - 1;

    memset(layout, 0, sizeof *layout);
    layout->n_layers = shape->n_layers;
    layout->entries = training->optimiser == KL_ADAM ? 0 : training->error_entries;
    for (uint32_t l = 0; l <= last; l++) {
        int is_gate = shape->architecture == KL_LSTM && l < last;

        layout->keys[l] = kl_shape_reads_samples(shape, l) ? 0 : shape->inputs[l];
        if (training->optimiser == KL_SGD && (!is_gate || training->records_gates))
            layout->errors[l] = shape->outputs[l];
    }
    if (layout->entries)
        layout->errors[last] = layout->entries;
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
        {training->unroll < 1 || (uint64_t)training->batch_size * training->unroll > 1 << 20,
         "--unroll is at least 1, and --batch times --unroll at most 1048576"},
        {training->shape.architecture == KL_MLP && training->unroll != 1,
         "--unroll is for text: say how to cut it with --tokens"},
        {training->shape.architecture == KL_LSTM && training->n_hidden < 1,
         "--hidden names the sizes of the LSTM layers, one at least"},
        {training->shape.architecture == KL_LSTM &&
             (training->embedding < 1 || training->embedding > KL_WIDTH_MAX),
         "--embedding is 1 to 65536"},
        {!(training->dropout >= 0) || training->dropout >= 1,
         "--dropout is a share of at least 0 and below 1"},
        {training->shape.architecture == KL_MLP &&
             (training->dropout > 0 || training->optimiser != KL_SGD || training->records_gates ||
              training->error_entries || training->embedding),
         "--dropout, --optimiser adam, --gate-errors, --error-entries and --embedding are for "
         "text: "
         "say how to cut it with --tokens"},
        {training->shape.architecture == KL_LSTM && training->initialisation != KL_INIT_XAVIER,
         "--init is for images: an LSTM begins with uniform weights"},
        {!(training->selection.text.test_share >= 0) || training->selection.text.test_share >= 1,
         "--test-share is at least 0 and below 1"},
        {training->error_entries == 1, "--error-entries is at least 2, or 0 for all"},
        {training->records_gates && training->optimiser == KL_ADAM,
         "--gate-errors needs --optimiser sgd: with Adam nothing could be said with them"},
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
    for (uint32_t l = 0; l <= training->shape.n_layers; l++) {
        length = snprintf(text, sizeof text, "%s%u", l ? "-" : "",
                          l ? training->shape.outputs[l - 1] : training->shape.inputs[0]);
        hash = kl_hash(hash, text, (size_t)length);
    }
    if (training->shape.architecture == KL_LSTM) {
        length = snprintf(text, sizeof text,
                          " lstm unroll=%u embedding=%u dropout=%.17g optimiser=%s gates=%d "
                          "entries=%u vocabulary=%016" PRIx64,
                          training->unroll, training->embedding, training->dropout,
                          kl_optimiser_name(training->optimiser), training->records_gates,
                          training->error_entries, training->vocabulary);
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
