/* The table of settings, and what they may be together. */
#include "core/training/settings.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/data/text/corpus.h"

static const char *model_name(uint32_t i)
{
    const struct kl_model *model = kl_model_at(i);

    return model ? model->name : NULL;
}

static const char *optimiser_name(uint32_t i)
{
    const struct kl_optimiser *optimiser = kl_optimiser_at(i);

    return optimiser ? optimiser->name : NULL;
}

/* The name of a choice from a list that ends with NULL. */
#define NAMES(function, ...)                                                                       \
    static const char *function(uint32_t i)                                                        \
    {                                                                                              \
        static const char *const names[] = {__VA_ARGS__};                                          \
                                                                                                   \
        return i < sizeof names / sizeof names[0] ? names[i] : NULL;                               \
    }

NAMES(initialisation_name, "xavier", "he")
NAMES(lr_schedule_name, "constant", "cosine", "step")
NAMES(dtype_name, "uint8", "float16", "float32")
NAMES(heads_name, "shared", "separate")
NAMES(data_schedule_name, "joint", "sequential")

static const char *token_kind_name(uint32_t i)
{
    return i <= KL_TOKENS_WHITESPACE ? kl_token_kind_name((enum kl_token_kind)i) : NULL;
}

#define FIELD(field) offsetof(struct kl_training, field)
#define INTEGER_MAX 100000000
#define SEED_MAX 9007199254740991.0 /* 2^53 - 1 */

/* clang-format off */
static const struct kl_setting table[] = {
    {"name", "name", KL_SETTING_TEXT, FIELD(name), "TEXT", 0, 0, 0, NULL, KL_OF_ALL, "",
     "the run's name (default: the preset's, or the data set's when other options change the preset)"},
    {"architecture", "architecture", KL_SETTING_CHOICE, FIELD(architecture), NULL, 0, 0, 0, model_name, KL_OF_ALL, "mlp",
     "what the network is; default: mlp for images, lstm for text"},
    {"hidden", "hidden", KL_SETTING_WIDTHS, FIELD(model), "N[,N...]", 1, KL_WIDTH_MAX, 0, NULL, KL_OF_ALL, "none",
     "widths of the hidden layers, or cells of each LSTM layer; 'none' for a single linear layer"},
    {"embedding", "embedding", KL_SETTING_INTEGER, FIELD(model.embedding), "N", 0, KL_WIDTH_MAX, 0, NULL, KL_OF_TEXT, "0",
     "width of the vector that stands for a token"},
    {"initialisation", "init", KL_SETTING_CHOICE, FIELD(initialisation), NULL, 0, 0, 0, initialisation_name, KL_OF_IMAGES, "xavier",
     "initial weights: normal, with Xavier's or He's deviation; an LSTM's are uniform"},
    {"seed", "seed", KL_SETTING_SEED, FIELD(seed), "N", 0, SEED_MAX, 0, NULL, KL_OF_ALL, "1",
     "random seed (default 1)"},
    {"steps", "steps", KL_SETTING_INTEGER, FIELD(n_steps), "N", 1, INTEGER_MAX, 0, NULL, KL_OF_ALL, "1000",
     "minibatch updates"},
    {"batch_size", "batch", KL_SETTING_INTEGER, FIELD(batch_size), "N", 1, 65536, 0, NULL, KL_OF_ALL, "64",
     "patterns per step; streams of text"},
    {"unroll", "unroll", KL_SETTING_INTEGER, FIELD(unroll), "N", 1, 1 << 20, 0, NULL, KL_OF_TEXT, "1",
     "tokens of each stream a step"},
    {"dropout", "dropout", KL_SETTING_REAL, FIELD(dropout), "P", 0, 1, KL_OPEN_HIGH, NULL, KL_OF_TEXT, "0",
     "share of the output layer's keys set to 0 in training"},
    {"optimiser", "optimiser", KL_SETTING_CHOICE, FIELD(optimiser), NULL, 0, 0, 0, optimiser_name, KL_OF_TEXT, "sgd",
     "sgd: exact dual form; adam: attention only, no contributions"},
    {"learning_rate", "lr", KL_SETTING_REAL, FIELD(learning_rate), "X", 0, 1000, KL_OPEN_LOW, NULL, KL_OF_ALL, "0.01",
     "learning rate (with adam by default 0.001)"},
    {"lr_schedule", "lr-schedule", KL_SETTING_CHOICE, FIELD(lr_schedule), NULL, 0, 0, 0, lr_schedule_name, KL_OF_ALL, "constant",
     "constant, cosine (to 0 at the end) or step"},
    {"lr_period", "lr-period", KL_SETTING_INTEGER, FIELD(lr_period), "N", 0, INTEGER_MAX, 0, NULL, KL_OF_ALL, "0",
     "steps between drops of the step schedule"},
    {"lr_gamma", "lr-gamma", KL_SETTING_REAL, FIELD(lr_gamma), "X", 0, 1, KL_OPEN_LOW, NULL, KL_OF_ALL, "0.1",
     "factor of each drop"},
    {"momentum", "momentum", KL_SETTING_REAL, FIELD(momentum), "X", 0, 1, KL_OPEN_HIGH, NULL, KL_OF_ALL, "0",
     "0 up to 1; Adam has its own"},
    {"weight_decay", "weight-decay", KL_SETTING_REAL, FIELD(weight_decay), "X", 0, 1, 0, NULL, KL_OF_ALL, "0",
     "L2 penalty, on biases too"},
    {"clip_norm", "clip", KL_SETTING_REAL, FIELD(clip_norm), "X", 0, HUGE_VAL, KL_OPEN_HIGH, NULL, KL_OF_ALL, "0",
     "largest norm of the gradient; 0 for no clipping"},
    {"dtype", "dtype", KL_SETTING_CHOICE, FIELD(dtype), NULL, KL_F16, 0, 0, dtype_name, KL_OF_ALL, "float16",
     "number format of the history: float16 (default) or float32"},
    {"evaluation_steps", "evaluation-steps", KL_SETTING_INTEGER, FIELD(evaluation_steps), "N", 1, INTEGER_MAX, 0, NULL, KL_OF_ALL, "100",
     "steps between evaluations on the test split (default: a 20th of all)"},
    {"snapshot_steps", "snapshot-steps", KL_SETTING_INTEGER, FIELD(snapshot_steps), "N", 0, INTEGER_MAX, 0, NULL, KL_OF_ALL, "0",
     "steps between snapshots of the weights, which show how an answer was learned (default: a 100th, of text a 25th; 0: none)"},
    {"checkpoint_steps", "checkpoint-steps", KL_SETTING_INTEGER, FIELD(checkpoint_steps), "N", 1, INTEGER_MAX, 0, NULL, KL_OF_ALL, "100",
     "steps between commits of the history (default 100)"},
    {"data_schedule", "schedule", KL_SETTING_CHOICE, FIELD(data_schedule), NULL, 0, 0, 0, data_schedule_name, KL_OF_ALL, "joint",
     "joint (default): data sets shuffled together; sequential: one after the other, in the order they are named"},
    {"switches", "switch", KL_SETTING_STEPS, FIELD(switches), "N[,N...]", 1, INTEGER_MAX, 0, NULL, KL_OF_ALL, "",
     "the last step with each data set but the last"},
    {"heads", "heads", KL_SETTING_CHOICE, FIELD(heads), NULL, 0, 0, 0, heads_name, KL_OF_IMAGES, "shared",
     "shared (default): label c of every data set is output c; separate: every data set has outputs of its own"},
    {"validation", "validation", KL_SETTING_INTEGER, FIELD(selection.validation), "N", 0, INTEGER_MAX, 0, NULL, KL_OF_IMAGES, "0",
     "take the last N training samples of each data set out as a validation split (presets of the paper: 10000)"},
    {"limit", "limit", KL_SETTING_INTEGER, FIELD(selection.limit), "N", 0, INTEGER_MAX, 0, NULL, KL_OF_IMAGES, "0",
     "train on the first N samples of each data set"},
    {"label_noise", "label-noise", KL_SETTING_REAL, FIELD(selection.label_noise), "P", 0, 1, 0, NULL, KL_OF_IMAGES, "0",
     "flip this share of the training labels, and remember which"},
    {"noise_seed", "noise-seed", KL_SETTING_SEED, FIELD(selection.noise_seed), "N", 0, SEED_MAX, 0, NULL, KL_OF_IMAGES, "1",
     "random seed of the flips (default 1)"},
    {"image_size", "image-size", KL_SETTING_SIZE, FIELD(selection.image_size), "N|WxH", 1, KL_IMAGE_SIDE_MAX, 0, NULL, KL_OF_IMAGES, "",
     "resize the images of folders (default: their own size if they share one up to 64x64, otherwise 32x32)"},
    {"tokens", "tokens", KL_SETTING_CHOICE, FIELD(selection.text.kind), NULL, 0, 0, 0, token_kind_name, KL_OF_TEXT, "characters",
     "characters, words, or whitespace: what white space separates in a file that is cut already, such as WikiText's. Says that the "
     "data is text; the settings are quick-text's (text-words', for words and whitespace) unless a preset is named"},
    {"min_count", "min-count", KL_SETTING_INTEGER, FIELD(selection.text.min_count), "N", 0, INTEGER_MAX, 0, NULL, KL_OF_TEXT, "1",
     "rarer words are <unk>"},
    {"test_share", "test-share", KL_SETTING_REAL, FIELD(selection.text.test_share), "P", 0, 1, KL_OPEN_HIGH, NULL, KL_OF_TEXT, "0.05",
     "the last share of the text is the test split (default 0.05)"},
    {"test_files", "test-files", KL_SETTING_TEXT, FIELD(selection.text.test_files), "PATTERN", 0, 0, 0, NULL, KL_OF_TEXT, "",
     "files so named are it instead; without it, a folder with files that have train and test (and valid) as words of their names "
     "is split so"},
    {"gate_errors", "gate-errors", KL_SETTING_FLAG, FIELD(records_gates), NULL, 0, 1, 0, NULL, KL_OF_TEXT, "0",
     "record the error signals of the LSTM's gates, too: contributions through them, for 8 bytes per cell and pattern"},
    {"error_entries", "error-entries", KL_SETTING_INTEGER, FIELD(error_entries), "N", 0, KL_VOCABULARY_MAX, 0, NULL, KL_OF_TEXT, "0",
     "of the output layer's error signals record the target's and the N - 1 largest; 0: all, which alone is exact (default: all of "
     "up to 1024 tokens, otherwise 64)"},
};
/* clang-format on */

const struct kl_setting *kl_setting_at(uint32_t i)
{
    return i < sizeof table / sizeof table[0] ? &table[i] : NULL;
}

const struct kl_setting *kl_setting_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (!strcmp(table[i].name, name))
            return &table[i];
    return NULL;
}

int kl_setting_applies(const struct kl_setting *setting, const struct kl_training *training)
{
    return (setting->applies & KL_OF(kl_training_model(training)->kind)) != 0;
}

/* Every setting within its bounds, by reading its own text again; and those of other kinds of data
 * as if nobody had set them. */
static enum kl_status check_each(const struct kl_training *training, struct kl_error *err)
{
    struct kl_training copy = *training;
    char text[KL_VALUE_BYTES], fallback[KL_VALUE_BYTES];
    enum kl_status status = KL_OK;

    for (size_t i = 0; !status && i < sizeof table / sizeof table[0]; i++) {
        const struct kl_setting *setting = &table[i];

        if (setting->type == KL_SETTING_TEXT) /* any */
            continue;
        kl_setting_format(setting, training, text);
        status = kl_setting_parse(setting, text, &copy, err);
        if (status || kl_setting_applies(setting, training))
            continue;
        status = kl_setting_parse(setting, setting->fallback, &copy, err);
        kl_setting_format(setting, &copy, fallback);
        if (!status && strcmp(text, fallback) != 0)
            status = kl_fail_on(
                err, KL_ERR_USAGE, setting->name, "%s is for %s", setting->name,
                setting->applies & KL_OF_TEXT ? "text: say how to cut it with tokens" : "images");
    }
    return status;
}

enum kl_status kl_training_check(const struct kl_training *training, struct kl_error *err)
{
    const struct kl_model *model = kl_training_model(training);
    const struct kl_optimiser *optimiser = kl_training_optimiser(training);
    const struct {
        int wrong;
        const char *setting, *message;
    } checks[] = {
        {!model, "architecture", "architecture is not known"},
        {!optimiser, "optimiser", "optimiser is not known"},
        {(uint64_t)training->batch_size * training->unroll > 1 << 20, "unroll",
         "unroll times batch_size is at most 1048576"},
        {model && model->carried_size && training->model.n_hidden < 1, "hidden",
         "hidden names the sizes of the LSTM layers, one at least"},
        {model && model->kind == KL_DATA_TEXT && training->model.embedding < 1, "embedding",
         "embedding is 1 to 65536"},
        {training->error_entries == 1, "error_entries",
         "error_entries is at least 2, or 0 for all"},
        {training->records_gates && optimiser && !optimiser->has_dual, "gate_errors",
         "gate_errors needs sgd as optimiser: with Adam nothing could be said with them"},
        {training->lr_schedule == KL_LR_STEP && training->lr_period < 1, "lr_period",
         "lr_period is at least 1 step"},
    };

    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
        if (checks[i].wrong)
            return kl_fail_on(err, KL_ERR_USAGE, checks[i].setting, "%s", checks[i].message);
    return check_each(training, err);
}

enum kl_status kl_training_check_schedule(const struct kl_training *training, uint32_t n_datasets,
                                          struct kl_error *err)
{
    uint32_t before = 0;

    if (training->data_schedule == KL_DATA_JOINT && training->n_switches)
        return kl_fail_on(err, KL_ERR_USAGE, "switches",
                          "switches belongs to data_schedule sequential");
    if (training->data_schedule == KL_DATA_JOINT)
        return KL_OK;
    if (n_datasets < 2)
        return kl_fail_on(err, KL_ERR_USAGE, "data_schedule",
                          "data_schedule sequential needs two data sets or more");
    if (training->n_switches != n_datasets - 1)
        return kl_fail_on(err, KL_ERR_USAGE, "switches",
                          "switches names the last step with each data set but the last: %u for %u "
                          "data sets, not %u",
                          n_datasets - 1, n_datasets, training->n_switches);
    for (uint32_t i = 0; i < training->n_switches; i++) {
        if (training->switches[i] <= before || training->switches[i] >= training->n_steps)
            return kl_fail_on(err, KL_ERR_USAGE, "switches",
                              "switches is a list of rising steps from 1 to %u, one before the "
                              "last",
                              training->n_steps - 1);
        before = training->switches[i];
    }
    return KL_OK;
}
