#include "cli/train_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options.h"
#include "core/base/utf8.h"

#define DEFAULT_CHECKPOINT_STEPS 100
#define DEFAULT_EVALUATIONS 20
#define DEFAULT_SNAPSHOTS 100
#define DEFAULT_TEXT_SNAPSHOTS 25 /* of networks that are larger */
#define DEFAULT_NOISE_SEED 1
#define ADAM_RATE 1e-3     /* as its authors propose, where nobody names another, */
#define ADAM_RATE_MAX 0.05 /* and the preset's is SGD's */

static const char help[] =
    "usage: keylight train [--preset NAME] [--data NAME[=FOLDER]]... [--output FILE] [OPTION...]\n"
    "       keylight train --resume FILE\n"
    "\n"
    "Trains a multilayer perceptron on images, or an LSTM on text, and records everything its\n"
    "layers saw in one file.\n"
    "\n"
    "  --preset NAME          quick (default): Fashion-MNIST, 784-256-256-10, 128,000 patterns;\n"
    "                         quick-joint, quick-continual: MNIST and Fashion-MNIST, together or\n"
    "                         one after the other; paper-mnist, paper-fashion, paper-joint,\n"
    "                         paper-continual, paper-continual-reversed, paper-continual-long:\n"
    "                         784-800-800-10, 640,000 to 1,280,000 patterns; quick-text,\n"
    "                         text-words: characters or words of Moby Dick; paper-characters,\n"
    "                         paper-words: the paper's, large. Any option below overrides what\n"
    "                         the preset says.\n"
    "  --data NAME[=FOLDER]   fashion-mnist, mnist, strokes (needs no files), or any name with a\n"
    "                         folder: IDX files, CIFAR-10's binary files, or PNG and JPEG images\n"
    "                         in one sub-folder per class. Without a folder, the cache that\n"
    "                         './bootstrap data' fills and /usr/share/datasets are searched.\n"
    "                         Given several times, the run has several data sets.\n"
    "  --image-size N|WxH     resize the images of such folders (default: their own size if they\n"
    "                         share one up to 64x64, otherwise 32x32)\n"
    "  --schedule NAME        joint (default): data sets shuffled together; sequential: one after\n"
    "                         the other, in the order of --data\n"
    "  --switch N[,N...]      the last step with each data set but the last\n"
    "  --heads NAME           shared (default): label c of every data set is output c; separate:\n"
    "                         every data set has outputs of its own\n"
    "  --validation N         take the last N training samples of each data set out as a\n"
    "                         validation split (presets of the paper: 10000)\n"
    "  --limit N              train on the first N samples of each data set\n"
    "  --label-noise P        flip this share of the training labels, and remember which\n"
    "  --noise-seed N         random seed of the flips (default 1)\n"
    "  --output FILE          the run file to write (default: the run's name with .keylight)\n"
    "  --force                replace FILE if it exists\n"
    "  --resume FILE          go on with a training that was cut off\n"
    "  --name TEXT            the run's name (default: the preset's, or the data set's when other\n"
    "                         options change the preset)\n"
    "\n"
    "Text:\n"
    "  --data NAME[=PATH]     moby-dick, sotu, or any name with a text file (UTF-8), or a folder "
    "of\n"
    "                         them, each a document\n"
    "  --tokens NAME          characters, words, or spaced: what white space separates in a file\n"
    "                         that is cut already, such as WikiText's. Says that the data is "
    "text;\n"
    "                         the settings are quick-text's (text-words', for words and spaced)\n"
    "                         unless --preset names others\n"
    "  --min-count N          rarer words are <unk>\n"
    "  --test-share P         the last share of the text is the test split (default 0.05)\n"
    "  --test-files PATTERN   files so named are it instead; without it, a folder with files that\n"
    "                         have train and test (and valid) as words of their names is split so\n"
    "  --embedding N          width of the vector that stands for a token\n"
    "  --unroll N             tokens of each of the --batch streams a step\n"
    "  --dropout P            share of the output layer's keys set to 0 in training\n"
    "  --optimiser sgd|adam   sgd: exact dual form; adam: attention only, no contributions\n"
    "  --gate-errors          record the error signals of the LSTM's gates, too: contributions\n"
    "                         through them, for 8 bytes per cell and pattern\n"
    "  --error-entries N      of the output layer's error signals record the target's and the N - "
    "1\n"
    "                         largest; 0: all, which alone is exact (default: all of up to 1024\n"
    "                         tokens, otherwise 64)\n"
    "\n"
    "  --hidden N[,N...]      widths of the hidden layers; 'none' for a single linear layer; or\n"
    "                         cells of each LSTM layer\n"
    "  --init xavier|he       initial weights: normal, Xavier's or He's deviation\n"
    "  --seed N               random seed (default 1)\n"
    "  --steps N              minibatch updates\n"
    "  --batch N              patterns per step; streams of text\n"
    "  --lr X                 learning rate (with adam by default 0.001)\n"
    "  --lr-schedule NAME     constant, cosine (to 0 at the end) or step\n"
    "  --lr-period N          steps between drops of --lr-schedule step\n"
    "  --lr-gamma X           factor of each drop\n"
    "  --momentum X           0 up to 1; Adam has its own\n"
    "  --weight-decay X       L2 penalty, on biases too\n"
    "  --clip X               largest norm of the gradient; 0 for no clipping\n"
    "  --dtype NAME           float16 (default) or float32 history\n"
    "  --evaluation-steps N   steps between evaluations on the test split (default: a 20th)\n"
    "  --snapshot-steps N     steps between snapshots of the weights, which show how an answer "
    "was\n"
    "                         learned (default: a 100th, of text a 25th; 0: none)\n"
    "  --checkpoint-steps N   steps between commits of the history (default 100)\n"
    "  --quiet                print nothing while training\n"
    "  --help, --version\n";

enum option_value {
    OPT_PRESET = 1000,
    OPT_DATA,
    OPT_OUTPUT,
    OPT_FORCE,
    OPT_RESUME,
    OPT_NAME,
    OPT_HIDDEN,
    OPT_INIT,
    OPT_SEED,
    OPT_STEPS,
    OPT_BATCH,
    OPT_LR,
    OPT_LR_SCHEDULE,
    OPT_LR_PERIOD,
    OPT_LR_GAMMA,
    OPT_MOMENTUM,
    OPT_WEIGHT_DECAY,
    OPT_CLIP,
    OPT_DTYPE,
    OPT_EVALUATION_STEPS,
    OPT_CHECKPOINT_STEPS,
    OPT_SNAPSHOT_STEPS,
    OPT_SCHEDULE,
    OPT_SWITCH,
    OPT_HEADS,
    OPT_IMAGE_SIZE,
    OPT_VALIDATION,
    OPT_LIMIT,
    OPT_LABEL_NOISE,
    OPT_NOISE_SEED,
    OPT_TOKENS,
    OPT_MIN_COUNT,
    OPT_TEST_SHARE,
    OPT_TEST_FILES,
    OPT_EMBEDDING,
    OPT_UNROLL,
    OPT_DROPOUT,
    OPT_OPTIMISER,
    OPT_GATE_ERRORS,
    OPT_ERROR_ENTRIES,
    OPT_QUIET,
};

static const struct option options[] = {
    {"preset", required_argument, NULL, OPT_PRESET},
    {"data", required_argument, NULL, OPT_DATA},
    {"output", required_argument, NULL, OPT_OUTPUT},
    {"force", no_argument, NULL, OPT_FORCE},
    {"resume", required_argument, NULL, OPT_RESUME},
    {"name", required_argument, NULL, OPT_NAME},
    {"hidden", required_argument, NULL, OPT_HIDDEN},
    {"init", required_argument, NULL, OPT_INIT},
    {"seed", required_argument, NULL, OPT_SEED},
    {"steps", required_argument, NULL, OPT_STEPS},
    {"batch", required_argument, NULL, OPT_BATCH},
    {"lr", required_argument, NULL, OPT_LR},
    {"lr-schedule", required_argument, NULL, OPT_LR_SCHEDULE},
    {"lr-period", required_argument, NULL, OPT_LR_PERIOD},
    {"lr-gamma", required_argument, NULL, OPT_LR_GAMMA},
    {"momentum", required_argument, NULL, OPT_MOMENTUM},
    {"weight-decay", required_argument, NULL, OPT_WEIGHT_DECAY},
    {"clip", required_argument, NULL, OPT_CLIP},
    {"dtype", required_argument, NULL, OPT_DTYPE},
    {"evaluation-steps", required_argument, NULL, OPT_EVALUATION_STEPS},
    {"checkpoint-steps", required_argument, NULL, OPT_CHECKPOINT_STEPS},
    {"snapshot-steps", required_argument, NULL, OPT_SNAPSHOT_STEPS},
    {"schedule", required_argument, NULL, OPT_SCHEDULE},
    {"switch", required_argument, NULL, OPT_SWITCH},
    {"heads", required_argument, NULL, OPT_HEADS},
    {"image-size", required_argument, NULL, OPT_IMAGE_SIZE},
    {"validation", required_argument, NULL, OPT_VALIDATION},
    {"limit", required_argument, NULL, OPT_LIMIT},
    {"label-noise", required_argument, NULL, OPT_LABEL_NOISE},
    {"noise-seed", required_argument, NULL, OPT_NOISE_SEED},
    {"tokens", required_argument, NULL, OPT_TOKENS},
    {"min-count", required_argument, NULL, OPT_MIN_COUNT},
    {"test-share", required_argument, NULL, OPT_TEST_SHARE},
    {"test-files", required_argument, NULL, OPT_TEST_FILES},
    {"embedding", required_argument, NULL, OPT_EMBEDDING},
    {"unroll", required_argument, NULL, OPT_UNROLL},
    {"dropout", required_argument, NULL, OPT_DROPOUT},
    {"optimiser", required_argument, NULL, OPT_OPTIMISER},
    {"gate-errors", no_argument, NULL, OPT_GATE_ERRORS},
    {"error-entries", required_argument, NULL, OPT_ERROR_ENTRIES},
    {"quiet", no_argument, NULL, OPT_QUIET},
    KL_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

static enum kl_status set_integer(const char *option, uint32_t *field, struct kl_error *err)
{
    uint64_t value = 0;
    enum kl_status status = kl_option_integer(option, optarg, 0, UINT32_MAX, &value, err);

    if (!status)
        *field = (uint32_t)value;
    return status;
}

static enum kl_status set_hidden(struct kl_training *training, struct kl_error *err)
{
    const char *rest = optarg;

    training->n_hidden = 0;
    if (!strcmp(rest, "none"))
        return KL_OK;
    for (;;) {
        char *end;
        unsigned long width = strtoul(rest, &end, 10);

        if (*rest < '0' || *rest > '9' || width < 1 || width > KL_WIDTH_MAX ||
            (*end && *end != ','))
            return kl_fail(err, KL_ERR_USAGE,
                           "--hidden is a list of widths from 1 to %d such as 256,256, or 'none', "
                           "not '%.40s'",
                           KL_WIDTH_MAX, optarg);
        if (training->n_hidden >= KL_LAYERS_MAX - 1)
            return kl_fail(err, KL_ERR_USAGE, "--hidden has at most %d widths", KL_LAYERS_MAX - 1);
        training->hidden[training->n_hidden++] = (uint32_t)width;
        if (!*end)
            return KL_OK;
        rest = end + 1;
    }
}

static enum kl_status set_switches(struct kl_training *training, struct kl_error *err)
{
    const char *rest = optarg;

    training->n_switches = 0;
    for (;;) {
        char *end;
        unsigned long step = strtoul(rest, &end, 10);

        if (*rest < '0' || *rest > '9' || step > UINT32_MAX || (*end && *end != ',') ||
            training->n_switches == KL_DATASETS_MAX - 1)
            return kl_fail(err, KL_ERR_USAGE,
                           "--switch is a step, or a list of up to %d such as 3000,6000, not "
                           "'%.40s'",
                           KL_DATASETS_MAX - 1, optarg);
        training->switches[training->n_switches++] = (uint32_t)step;
        if (!*end)
            return KL_OK;
        rest = end + 1;
    }
}

/* "32" or "32x24". */
static enum kl_status set_image_size(struct kl_image_size *size, struct kl_error *err)
{
    char *end;
    unsigned long width = strtoul(optarg, &end, 10), height = width;

    if (*end == 'x' && end[1] >= '0' && end[1] <= '9')
        height = strtoul(end + 1, &end, 10);
    if (*optarg < '0' || *optarg > '9' || *end || width < 1 || height < 1 ||
        width > KL_IMAGE_SIDE_MAX || height > KL_IMAGE_SIDE_MAX ||
        width * height > KL_WIDTH_MAX / 3)
        return kl_fail(err, KL_ERR_USAGE,
                       "--image-size is a side such as 32, or WIDTHxHEIGHT, of at most %d pixels "
                       "in all, not '%.40s'",
                       KL_WIDTH_MAX / 3, optarg);
    *size = (struct kl_image_size){(uint32_t)width, (uint32_t)height};
    return KL_OK;
}

static enum kl_status set_choice(int option, struct kl_training *training, struct kl_error *err)
{
    if (option == OPT_INIT && kl_initialisation_parse(optarg, &training->initialisation))
        return kl_fail(err, KL_ERR_USAGE, "--init is xavier or he, not '%.40s'", optarg);
    if (option == OPT_LR_SCHEDULE && kl_lr_schedule_parse(optarg, &training->lr_schedule))
        return kl_fail(err, KL_ERR_USAGE, "--lr-schedule is constant, cosine or step, not '%.40s'",
                       optarg);
    if (option == OPT_SCHEDULE && kl_data_schedule_parse(optarg, &training->data_schedule))
        return kl_fail(err, KL_ERR_USAGE,
                       "--schedule is joint or sequential, not '%.40s' (learning rates have "
                       "--lr-schedule)",
                       optarg);
    if (option == OPT_TOKENS && kl_token_kind_parse(optarg, &training->selection.text.kind))
        return kl_fail(err, KL_ERR_USAGE, "--tokens is characters, words or spaced, not '%.40s'",
                       optarg);
    if (option == OPT_OPTIMISER && kl_optimiser_parse(optarg, &training->optimiser))
        return kl_fail(err, KL_ERR_USAGE, "--optimiser is sgd or adam, not '%.40s'", optarg);
    if (option == OPT_DTYPE && kl_dtype_parse(optarg, &training->dtype))
        return kl_fail(err, KL_ERR_USAGE, "--dtype is float16 or float32, not '%.40s'", optarg);
    return KL_OK;
}

static enum kl_status set_name(struct kl_training *training, struct kl_error *err)
{
    if (!*optarg || strlen(optarg) >= sizeof training->name)
        return kl_fail(err, KL_ERR_USAGE, "--name is 1 to %d bytes long", KL_NAME_MAX - 1);
    snprintf(training->name, sizeof training->name, "%s", optarg);
    if (kl_utf8_repair(training->name))
        return kl_fail(err, KL_ERR_USAGE, "--name is text in UTF-8");
    return KL_OK;
}

/* One setting that text has. */
static enum kl_status set_text(int option, struct kl_training *training, struct kl_error *err)
{
    switch (option) {
    case OPT_MIN_COUNT:
        return set_integer("min-count", &training->selection.text.min_count, err);
    case OPT_TEST_SHARE:
        return kl_option_real("test-share", optarg, &training->selection.text.test_share, err);
    case OPT_TEST_FILES:
        training->selection.text.test_files = optarg;
        return KL_OK;
    case OPT_EMBEDDING:
        return set_integer("embedding", &training->embedding, err);
    case OPT_UNROLL:
        return set_integer("unroll", &training->unroll, err);
    case OPT_DROPOUT:
        return kl_option_real("dropout", optarg, &training->dropout, err);
    case OPT_GATE_ERRORS:
        training->records_gates = 1;
        return KL_OK;
    case OPT_ERROR_ENTRIES:
        return set_integer("error-entries", &training->error_entries, err);
    default:
        return set_choice(option, training, err);
    }
}

/* One setting of the training. */
static enum kl_status set(int option, struct kl_training *training, struct kl_error *err)
{
    switch (option) {
    case OPT_NAME:
        return set_name(training, err);
    case OPT_HIDDEN:
        return set_hidden(training, err);
    case OPT_SEED:
        return kl_option_integer("seed", optarg, 0, (UINT64_C(1) << 53) - 1, &training->seed, err);
    case OPT_STEPS:
        return set_integer("steps", &training->n_steps, err);
    case OPT_BATCH:
        return set_integer("batch", &training->batch_size, err);
    case OPT_LR:
        return kl_option_real("lr", optarg, &training->learning_rate, err);
    case OPT_LR_PERIOD:
        return set_integer("lr-period", &training->lr_period, err);
    case OPT_LR_GAMMA:
        return kl_option_real("lr-gamma", optarg, &training->lr_gamma, err);
    case OPT_MOMENTUM:
        return kl_option_real("momentum", optarg, &training->momentum, err);
    case OPT_WEIGHT_DECAY:
        return kl_option_real("weight-decay", optarg, &training->weight_decay, err);
    case OPT_CLIP:
        return kl_option_real("clip", optarg, &training->clip_norm, err);
    case OPT_EVALUATION_STEPS:
        return set_integer("evaluation-steps", &training->evaluation_steps, err);
    case OPT_CHECKPOINT_STEPS:
        return set_integer("checkpoint-steps", &training->checkpoint_steps, err);
    case OPT_SNAPSHOT_STEPS:
        return set_integer("snapshot-steps", &training->snapshot_steps, err);
    case OPT_SWITCH:
        return set_switches(training, err);
    case OPT_VALIDATION:
        return set_integer("validation", &training->selection.validation, err);
    case OPT_LIMIT:
        return set_integer("limit", &training->selection.limit, err);
    case OPT_LABEL_NOISE:
        return kl_option_real("label-noise", optarg, &training->selection.label_noise, err);
    case OPT_NOISE_SEED:
        return kl_option_integer("noise-seed", optarg, 0, (UINT64_C(1) << 53) - 1,
                                 &training->selection.noise_seed, err);
    default:
        return set_text(option, training, err);
    }
}

/* The preset comes first, wherever it stands, so that every other option overrides it. */
static enum kl_status find_preset(int argc, char **argv, const char **preset, struct kl_error *err)
{
    const char *without = "quick"; /* a preset is named */
    int option;

    *preset = NULL;
    optind = 0;
    while ((option = kl_next_option(argc, argv, options, help, err)) != -1) {
        if (option == '?')
            return KL_ERR_USAGE;
        if (option == -2) {
            *preset = NULL;
            return KL_OK;
        }
        if (option == OPT_PRESET)
            *preset = optarg;
        if (option == OPT_TOKENS)
            without = strcmp(optarg, "characters") ? "text-words" : "quick-text";
    }
    *preset = *preset ? *preset : without;
    if (optind < argc)
        return kl_fail(err, KL_ERR_USAGE,
                       "keylight train takes no operand '%.60s': a run file is named with "
                       "--output or --resume",
                       argv[optind]);
    return KL_OK;
}

static enum kl_status parse(int argc, char **argv, struct kl_train_request *request,
                            struct kl_error *err)
{
    enum kl_status status = KL_OK;
    int option;

    optind = 0;
    while (!status && (option = kl_next_option(argc, argv, options, help, err)) != -1) {
        switch (option) {
        case OPT_DATA:
            if (request->n_data == KL_DATASETS_MAX)
                return kl_fail(err, KL_ERR_USAGE, "--data may be given %d times at most",
                               KL_DATASETS_MAX);
            request->data[request->n_data++] = optarg;
            request->has_settings = 1;
            request->is_preset_as_it_is = 0;
            break;
        case OPT_HEADS:
            request->has_heads = request->has_settings = 1;
            request->is_preset_as_it_is = 0;
            if (kl_heads_parse(optarg, &request->heads))
                status = kl_fail(err, KL_ERR_USAGE, "--heads is shared or separate, not '%.40s'",
                                 optarg);
            break;
        case OPT_IMAGE_SIZE:
            request->has_settings = 1;
            request->is_preset_as_it_is = 0;
            status = set_image_size(&request->image_size, err);
            break;
        case OPT_OUTPUT:
            if (strlen(optarg) >= 4096)
                return kl_fail(err, KL_ERR_USAGE, "the path of --output is too long");
            request->output = optarg;
            request->has_settings = 1;
            break;
        case OPT_RESUME:
            if (strlen(optarg) >= 4096)
                return kl_fail(err, KL_ERR_USAGE, "the path of --resume is too long");
            request->resume = optarg;
            break;
        case OPT_FORCE:
            request->force = 1;
            break;
        case OPT_QUIET:
            request->quiet = 1;
            break;
        case OPT_PRESET:
            request->has_settings = 1;
            break;
        default:
            request->has_settings = 1;
            request->has_lr |= option == OPT_LR;
            request->has_momentum |= option == OPT_MOMENTUM;
            request->has_tokens |= option == OPT_TOKENS;
            request->has_text_flag |= option >= OPT_TOKENS && option < OPT_QUIET;
            request->has_noise_seed |= option == OPT_NOISE_SEED;
            request->is_named |= option == OPT_NAME;
            request->has_error_entries |= option == OPT_ERROR_ENTRIES;
            request->has_snapshot_steps |= option == OPT_SNAPSHOT_STEPS;
            request->has_switch |= option == OPT_SWITCH;
            request->is_preset_as_it_is &= option == OPT_NAME;
            status = set(option, &request->training, err);
        }
    }
    if (!status && request->resume && (request->has_settings || request->force))
        return kl_fail(err, KL_ERR_USAGE,
                       "--resume goes on with the settings in its file and takes no others");
    return status;
}

static void fill_defaults(struct kl_train_request *request, const char *const *preset_data)
{
    struct kl_training *training = &request->training;

    if (request->n_data == 0)
        while (*preset_data)
            request->data[request->n_data++] = *preset_data++;
    if (training->evaluation_steps == 0)
        training->evaluation_steps =
            (training->n_steps + DEFAULT_EVALUATIONS - 1) / DEFAULT_EVALUATIONS;
    if (training->n_steps == 0)
        training->evaluation_steps = 1; /* --steps 0 is told as such by the check */
    if (!request->has_snapshot_steps) {
        uint32_t n =
            training->shape.architecture == KL_LSTM ? DEFAULT_TEXT_SNAPSHOTS : DEFAULT_SNAPSHOTS;

        training->snapshot_steps = (training->n_steps + n - 1) / n;
    }
}

/* Refuses flags of images in a training on text, and of text in one on images; and gives Adam the
 * rate that suits it where nobody names one. */
static enum kl_status fit_kind(struct kl_train_request *request, const char *preset,
                               struct kl_error *err)
{
    struct kl_training *training = &request->training;
    int is_text = training->shape.architecture == KL_LSTM;

    if (!is_text && request->has_tokens)
        return kl_fail(err, KL_ERR_USAGE, "preset %s is of images: leave --tokens or --preset out",
                       preset);
    if (!is_text && request->has_text_flag)
        return kl_fail(
            err, KL_ERR_USAGE,
            "--min-count, --test-share, --test-files, --embedding, --unroll, --dropout, "
            "--optimiser, --gate-errors and --error-entries are for text: say how to cut "
            "it with --tokens");
    if (is_text && (request->has_heads || request->image_size.width || request->has_noise_seed))
        return kl_fail(err, KL_ERR_USAGE, "--heads, --image-size and --noise-seed are for images");
    if (training->optimiser == KL_ADAM && !request->has_lr &&
        training->learning_rate > ADAM_RATE_MAX)
        training->learning_rate = ADAM_RATE;
    if (training->optimiser == KL_ADAM && request->has_momentum && training->momentum > 0)
        return kl_fail(err, KL_ERR_USAGE, "--momentum is SGD's: Adam has moments of its own");
    if (training->optimiser == KL_ADAM)
        training->momentum = 0;
    return KL_OK;
}

/* A preset's schedule gives way to what the command line says of it; where that does not fit, the
 * preset is named. */
static enum kl_status fit_preset_schedule(struct kl_train_request *request, const char *preset,
                                          struct kl_error *err)
{
    struct kl_training *training = &request->training;

    if (request->has_switch || training->n_switches == 0)
        return KL_OK;
    if (training->data_schedule == KL_DATA_JOINT) {
        training->n_switches = 0;
        return KL_OK;
    }
    if (training->n_steps <= training->n_switches)
        return KL_OK; /* told as such by the checks of the training */
    if (request->n_data != training->n_switches + 1)
        return kl_fail(err, KL_ERR_USAGE,
                       "preset %s trains on %u data sets one after the other: give as many --data, "
                       "or a --switch of your own, or --schedule joint",
                       preset, training->n_switches + 1);
    if (training->switches[training->n_switches - 1] >= training->n_steps)
        return kl_fail(err, KL_ERR_USAGE,
                       "preset %s switches data sets after step %u: give a --switch below %u, too",
                       preset, training->switches[training->n_switches - 1], training->n_steps);
    return KL_OK;
}

enum kl_status kl_train_parse(int argc, char **argv, struct kl_train_request *request,
                              struct kl_error *err)
{
    const char *const *preset_data = NULL;
    const char *preset;
    enum kl_status status = find_preset(argc, argv, &preset, err);

    *request = (struct kl_train_request){.is_preset_as_it_is = 1, .is_help = !preset};
    if (status || !preset)
        return status;
    status = kl_training_preset(preset, &request->training, &preset_data, err);
    request->training.checkpoint_steps = DEFAULT_CHECKPOINT_STEPS;
    request->training.selection.noise_seed = DEFAULT_NOISE_SEED;
    if (!status)
        status = parse(argc, argv, request, err);
    if (!status)
        fill_defaults(request, preset_data);
    if (!status && !request->resume)
        status = fit_kind(request, preset, err);
    return status || request->resume ? status : fit_preset_schedule(request, preset, err);
}
