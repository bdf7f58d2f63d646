#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "core/clock.h"
#include "core/text.h"
#include "core/training.h"
#include "db/writer.h"

#define DEFAULT_EVALUATIONS 20
#define DEFAULT_CHECKPOINT_STEPS 100

static const char help[] =
    "usage: keylight train [--preset NAME] [--data NAME[=FOLDER]] [--output FILE] [OPTION...]\n"
    "       keylight train --resume FILE\n"
    "\n"
    "Trains a multilayer perceptron and records everything its layers saw in one file.\n"
    "\n"
    "  --preset NAME          quick (default): Fashion-MNIST, 784-256-256-10, 128,000 patterns;\n"
    "                         paper-mnist, paper-fashion: 784-800-800-10, 640,000 patterns.\n"
    "                         Any option below overrides what the preset says.\n"
    "  --data NAME[=FOLDER]   fashion-mnist, mnist, strokes (needs no files), or any name with a\n"
    "                         folder of IDX files. Without a folder, the cache that './bootstrap\n"
    "                         data' fills and /usr/share/datasets are searched.\n"
    "  --output FILE          the run file to write (default: the run's name with .keylight)\n"
    "  --force                replace FILE if it exists\n"
    "  --resume FILE          go on with a training that was cut off\n"
    "  --name TEXT            the run's name (default: the preset's, or the data set's when other\n"
    "                         options change the preset)\n"
    "\n"
    "  --hidden N[,N...]      widths of the hidden layers; 'none' for a single linear layer\n"
    "  --init xavier|he       initial weights: normal, Xavier's or He's deviation\n"
    "  --seed N               random seed (default 1)\n"
    "  --steps N              minibatch updates\n"
    "  --batch N              patterns per step\n"
    "  --lr X                 learning rate\n"
    "  --lr-schedule NAME     constant, cosine (to 0 at the end) or step\n"
    "  --lr-period N          steps between drops of --lr-schedule step\n"
    "  --lr-gamma X           factor of each drop\n"
    "  --momentum X           0 up to 1\n"
    "  --weight-decay X       L2 penalty, on biases too\n"
    "  --clip X               largest norm of the gradient; 0 for no clipping\n"
    "  --dtype NAME           float16 (default) or float32 history\n"
    "  --evaluation-steps N   steps between evaluations on the test split (default: a 20th)\n"
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
    {"quiet", no_argument, NULL, OPT_QUIET},
    KL_COMMON_OPTIONS,
    {NULL, 0, NULL, 0},
};

struct request {
    struct kl_training training;
    const char *data, *output, *resume;
    int force, quiet, has_settings, is_named, is_preset_as_it_is;
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

    training->n_layers = 1;
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
        if (training->n_layers >= KL_LAYERS_MAX)
            return kl_fail(err, KL_ERR_USAGE, "--hidden has at most %d widths", KL_LAYERS_MAX - 1);
        training->widths[training->n_layers++] = (uint32_t)width;
        if (!*end)
            return KL_OK;
        rest = end + 1;
    }
}

static enum kl_status set_choice(int option, struct kl_training *training, struct kl_error *err)
{
    if (option == OPT_INIT && kl_initialisation_parse(optarg, &training->initialisation))
        return kl_fail(err, KL_ERR_USAGE, "--init is xavier or he, not '%.40s'", optarg);
    if (option == OPT_LR_SCHEDULE && kl_lr_schedule_parse(optarg, &training->lr_schedule))
        return kl_fail(err, KL_ERR_USAGE, "--lr-schedule is constant, cosine or step, not '%.40s'",
                       optarg);
    if (option == OPT_DTYPE && kl_dtype_parse(optarg, &training->dtype))
        return kl_fail(err, KL_ERR_USAGE, "--dtype is float16 or float32, not '%.40s'", optarg);
    return KL_OK;
}

static enum kl_status set_name(struct kl_training *training, struct kl_error *err)
{
    if (!*optarg || strlen(optarg) >= sizeof training->name)
        return kl_fail(err, KL_ERR_USAGE, "--name is 1 to %d bytes long", KL_NAME_MAX - 1);
    snprintf(training->name, sizeof training->name, "%s", optarg);
    if (kl_text_make_utf8(training->name))
        return kl_fail(err, KL_ERR_USAGE, "--name is text in UTF-8");
    return KL_OK;
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
    default:
        return set_choice(option, training, err);
    }
}

/* The preset comes first, wherever it stands, so that every other option overrides it. */
static enum kl_status find_preset(int argc, char **argv, const char **preset, struct kl_error *err)
{
    int option;

    *preset = "quick";
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
    }
    if (optind < argc)
        return kl_fail(err, KL_ERR_USAGE,
                       "keylight train takes no operand '%.60s': a run file is named with "
                       "--output or --resume",
                       argv[optind]);
    return KL_OK;
}

static enum kl_status parse(int argc, char **argv, struct request *request, struct kl_error *err)
{
    enum kl_status status = KL_OK;
    int option, n_data = 0;

    optind = 0;
    while (!status && (option = kl_next_option(argc, argv, options, help, err)) != -1) {
        switch (option) {
        case OPT_DATA:
            if (n_data++)
                return kl_fail(err, KL_ERR_USAGE,
                               "--data may be given once: a run has one data set");
            request->data = optarg;
            request->has_settings = 1;
            request->is_preset_as_it_is = 0;
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
            request->is_named |= option == OPT_NAME;
            request->is_preset_as_it_is &= option == OPT_NAME;
            status = set(option, &request->training, err);
        }
    }
    if (!status && request->resume && (request->has_settings || request->force))
        return kl_fail(err, KL_ERR_USAGE,
                       "--resume goes on with the settings in its file and takes no others");
    return status;
}

static enum kl_status prepare(struct request *request, struct kl_collection *data,
                              struct kl_training_state *state, struct kl_writer **writer,
                              char *output, size_t output_bytes, struct kl_error *err)
{
    struct kl_training *training = &request->training;
    enum kl_status status;

    if (training->evaluation_steps == 0)
        training->evaluation_steps =
            (training->n_steps + DEFAULT_EVALUATIONS - 1) / DEFAULT_EVALUATIONS;
    if (training->n_steps == 0)
        training->evaluation_steps = 1; /* --steps 0 is told as such below */
    status = kl_training_check(training, err);
    if (!status)
        status = kl_dataset_load(request->data, &data->datasets[0], err);
    if (status)
        return status;
    data->n_datasets = 1;
    training->widths[0] = (uint32_t)kl_dataset_image_size(data->datasets[0]);
    training->widths[training->n_layers] = kl_collection_n_classes(data);
    if (!request->is_named && !request->is_preset_as_it_is)
        snprintf(training->name, sizeof training->name, "%s", data->datasets[0]->name);
    status = kl_training_start(training, state, err);
    if (status)
        return status;
    if (request->output)
        snprintf(output, output_bytes, "%s", request->output);
    else
        snprintf(output, output_bytes, "%s.keylight", training->name);
    if (request->force)
        status = kl_writer_remove(output, err);
    return status ? status : kl_writer_create(output, training, data, state, writer, err);
}

static void print_result(const char *output, const struct kl_training *training, double seconds)
{
    struct stat info;
    double bytes = stat(output, &info) == 0 ? (double)info.st_size : 0;

    printf("%s: %u steps, %llu patterns, %.1f MB, %.1f s\n", output, training->n_steps,
           (unsigned long long)training->n_steps * training->batch_size, bytes / 1e6, seconds);
    printf("Explore it with: keylight serve %s\n", output);
}

static enum kl_status train(struct request *request, struct kl_error *err)
{
    struct kl_collection data = {0};
    struct kl_training_state state = {NULL, NULL, 0};
    struct kl_writer *writer = NULL;
    struct kl_recorder recorder;
    struct kl_progress progress;
    struct kl_meter meter = {0};
    char output[4096];
    enum kl_status status;

    if (request->resume) {
        snprintf(output, sizeof output, "%s", request->resume);
        status = kl_writer_resume(output, &writer, &request->training, &data, &state, err);
    } else {
        status = prepare(request, &data, &state, &writer, output, sizeof output, err);
    }
    if (!status) {
        kl_meter_start(&meter, request->training.n_steps, state.steps_done, request->quiet);
        recorder = kl_writer_recorder(writer);
        progress = kl_meter_progress(&meter);
        status = kl_train(&request->training, &data, &state, &recorder, &progress, err);
        kl_meter_end(&meter);
    }
    kl_writer_close(writer);
    if (status == KL_ERR_INPUT && writer && !request->resume) {
        struct kl_error ignored; /* the training's own failure is what there is to say */

        (void)kl_writer_remove(output, &ignored);
    }
    if (status == KL_ERR_INTERRUPTED) {
        struct kl_error cause = *err;

        kl_fail(err, status, "%.200s: go on with 'keylight train --resume %.250s'", cause.message,
                output);
    }
    if (!status)
        print_result(output, &request->training, kl_now_ms() / 1e3 - meter.started);
    kl_training_state_clear(&state);
    kl_collection_clear(&data);
    return status;
}

enum kl_status kl_cli_train(int argc, char **argv, struct kl_error *err)
{
    struct request request = {.is_preset_as_it_is = 1};
    const char *preset;
    enum kl_status status = find_preset(argc, argv, &preset, err);

    if (status || !preset)
        return status;
    status = kl_training_preset(preset, &request.training, &request.data, err);
    request.training.checkpoint_steps = DEFAULT_CHECKPOINT_STEPS;
    if (!status)
        status = parse(argc, argv, &request, err);
    return status ? status : train(&request, err);
}
