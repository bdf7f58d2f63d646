#include "cli/train_options.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PASSES 20
#define LEAST_STEPS 100
#define DEFAULT_EVALUATIONS 20
#define DEFAULT_SNAPSHOTS 100
#define DEFAULT_TEXT_SNAPSHOTS 25 /* of networks that are larger */
#define ADAM_RATE 1e-3            /* as its authors propose, where nobody names another, */
#define ADAMW_DECAY 0.01          /* likewise, as PyTorch has it */
#define ADAM_RATE_MAX 0.02        /* and the preset's is SGD's */

static enum kl_status add_data(void *target, const char *value, struct kl_error *err)
{
    struct kl_train_request *request = target;

    if (request->n_data == KL_DATASETS_MAX)
        return kl_fail(err, KL_ERR_USAGE, "--data may be given %d times at most", KL_DATASETS_MAX);
    request->data[request->n_data++] = value;
    return KL_OK;
}

static enum kl_status parse(int argc, char **argv, struct kl_train_request *request,
                            int *n_operands, struct kl_error *err)
{
    const struct kl_option table[] = {
        {.type = KL_OPTION_TEXT,
         .name = "preset",
         .value = "NAME",
         .target = &request->preset,
         .choice = kl_preset_name,
         .help = "quick (default): Fashion-MNIST, 784-256-256-10, 128,000 patterns; quick-joint, "
                 "quick-continual: MNIST and Fashion-MNIST, together or one after the other; "
                 "paper-mnist, paper-fashion, paper-joint, paper-continual, "
                 "paper-continual-reversed, paper-continual-long: 784-800-800-10, 640,000 to "
                 "1,280,000 patterns; quick-text, text-words: characters or words of Moby Dick "
                 "(quick-text-adam: with Adam); "
                 "paper-characters, paper-words: the paper's, large. Any option below overrides "
                 "what the preset says."},
        {.type = KL_OPTION_CALL,
         .name = "data",
         .value = "NAME[=PATH]",
         .target = request,
         .call = add_data,
         .help = "fashion-mnist, mnist, strokes (needs no files), or any name with a folder: IDX "
                 "files, CIFAR-10's binary files, or images in one sub-folder per "
                 "class; of text moby-dick, sotu, or any name with a text file (UTF-8), or a "
                 "folder of them, each a document. Without a path, the cache that './bootstrap "
                 "data' fills and /usr/share/datasets are searched. Given several times, the run "
                 "has several data sets of images."},
        {.type = KL_OPTION_TEXT,
         .name = "output",
         .value = "FILE",
         .target = &request->output,
         .help = "the run file to write (default: the run's name with .keylight)"},
        {.type = KL_OPTION_FLAG,
         .name = "force",
         .target = &request->force,
         .help = "replace FILE, if it exists, when the training is done, and what one that was cut "
                 "off left of it at once"},
        {.type = KL_OPTION_TEXT,
         .name = "corrections",
         .value = "FILE",
         .target = &request->corrections,
         .help = "labels that were looked at and found wrong, as 'keylight marks' writes them"},
        {.type = KL_OPTION_TEXT,
         .name = "resume",
         .value = "FILE",
         .target = &request->resume,
         .help = "go on with a training that was cut off"},
        {.type = KL_OPTION_FLAG,
         .name = "quiet",
         .target = &request->quiet,
         .help = "print nothing while training"},
        {.type = KL_OPTION_HEADING, .help = "The training:"},
        {.type = KL_OPTION_SETTINGS, .target = &request->settings, .low = KL_OF_ALL},
        {.type = KL_OPTION_HEADING, .help = "Images:"},
        {.type = KL_OPTION_SETTINGS, .target = &request->settings, .low = KL_OF_IMAGES},
        {.type = KL_OPTION_HEADING, .help = "Text:"},
        {.type = KL_OPTION_SETTINGS, .target = &request->settings, .low = KL_OF_TEXT},
        {.type = KL_OPTION_END}};
    const struct kl_options options = {
        .examples = "Fashion-MNIST, in seconds\nkeylight train --preset quick\n"
                    "two data sets, one after the other\nkeylight train --data mnist "
                    "--data fashion-mnist --schedule sequential --switch 1000 "
                    "--output two.keylight\n"
                    "your own images, one sub-folder a class\nkeylight train --data pets=~/pets "
                    "--hidden 128,64 --output pets.keylight\n"
                    "characters of your own text\nkeylight train --data book=book.txt --tokens "
                    "characters --output book.keylight\n"
                    "on with what was cut off\nkeylight train --resume pets.keylight\n",
        .command = "train",
        .usage = "train [--preset NAME] [--data NAME[=PATH]]... [--output FILE] [OPTION...]\n"
                 "train --resume FILE [--force]",
        .about = "Trains a multilayer perceptron on images, or an LSTM on text, and records "
                 "everything its layers saw in one file.",
        .options = table};

    return kl_options_parse(&options, argc, argv, n_operands, &request->is_help, err);
}

/* The preset comes first, wherever it stands, so that every other option overrides it: a first
 * reading finds it, a second one follows over its settings. */
static enum kl_status find_preset(int argc, char **argv, struct kl_train_request *request,
                                  struct kl_error *err)
{
    char **copy = malloc(((size_t)argc + 1) * sizeof *copy); /* operands are moved */
    struct kl_training scratch;
    int n_operands = 0;
    enum kl_status status;

    if (!copy)
        return kl_fail(err, KL_ERR_MEMORY, "not enough memory to read the options");
    memcpy(copy, argv, ((size_t)argc + 1) * sizeof *copy);
    kl_settings_default(&scratch);
    request->settings.training = &scratch;
    status = parse(argc, copy, request, &n_operands, err);
    if (!status && !request->is_help && n_operands)
        status = kl_fail(err, KL_ERR_USAGE,
                         "train takes no operand '%.60s': a run file is named with --output or "
                         "--resume",
                         copy[1]);
    if (!status && !request->preset && kl_setting_given(&request->settings, "tokens"))
        request->preset =
            scratch.selection.text.kind == KL_TOKENS_CHARACTERS ? "quick-text" : "text-words";
    if (!status && !request->preset)
        request->preset = "quick";
    free(copy);
    return status;
}

static enum kl_status check_resume(const struct kl_train_request *request, int has_preset,
                                   struct kl_error *err)
{
    if (!request->resume)
        return KL_OK;
    if (request->settings.given || request->n_data || request->output || request->corrections ||
        has_preset)
        return kl_fail(err, KL_ERR_USAGE,
                       "--resume goes on with the settings in its file and takes no others");
    return KL_OK;
}

static int is_given(const struct kl_train_request *request, const char *name)
{
    return kl_setting_given(&request->settings, name);
}

/* What is a part of the steps, where nobody says otherwise. */
static void follow_steps(struct kl_train_request *request)
{
    struct kl_training *training = &request->training;
    int is_text = kl_training_model(training)->kind == KL_DATA_TEXT;
    uint32_t n_snapshots = is_text ? DEFAULT_TEXT_SNAPSHOTS : DEFAULT_SNAPSHOTS;

    if (!is_given(request, "evaluation_steps"))
        training->evaluation_steps =
            (training->n_steps + DEFAULT_EVALUATIONS - 1) / DEFAULT_EVALUATIONS;
    if (!is_given(request, "snapshot_steps"))
        training->snapshot_steps = (training->n_steps + n_snapshots - 1) / n_snapshots;
}

static void fill_defaults(struct kl_train_request *request, const char *const *preset_data)
{
    request->is_preset_data = request->n_data == 0;
    if (request->n_data == 0)
        while (*preset_data)
            request->data[request->n_data++] = *preset_data++;
    follow_steps(request);
}

int kl_train_fit_steps(struct kl_train_request *request, uint64_t n_patterns)
{
    struct kl_training *training = &request->training;
    uint64_t steps =
        (PASSES * n_patterns + kl_training_patterns(training) - 1) / kl_training_patterns(training);

    if (is_given(request, "steps") || request->is_preset_data || training->n_switches)
        return 0;
    steps = steps < LEAST_STEPS ? LEAST_STEPS : steps;
    if (steps >= training->n_steps)
        return 0;
    if (training->lr_period && !is_given(request, "lr_period"))
        training->lr_period = (uint32_t)(steps / 3);
    training->n_steps = (uint32_t)steps;
    follow_steps(request);
    return 1;
}

/* Refuses settings of another kind of data than the preset's; and gives Adam the rate that suits it
 * where nobody names one. */
static enum kl_status fit_kind(struct kl_train_request *request, struct kl_error *err)
{
    struct kl_training *training = &request->training;
    int is_adaptive = kl_training_optimiser(training)->is_adaptive;
    static const char *const of_adam[] = {"beta_1", "beta_2", "epsilon"};
    const struct kl_setting *setting;

    for (uint32_t i = 0; (setting = kl_setting_at(i)); i++) {
        if (!(request->settings.given >> i & 1) || kl_setting_applies(setting, training))
            continue;
        if (setting->applies == KL_OF_TEXT && is_given(request, "tokens"))
            return kl_fail(err, KL_ERR_USAGE,
                           "preset %s is of images: leave --tokens or --preset out",
                           request->preset);
        return kl_fail(err, KL_ERR_USAGE, "--%s is for %s", setting->flag,
                       setting->applies == KL_OF_TEXT ? "text: say how to cut it with --tokens"
                                                      : "images");
    }
    if (is_adaptive && !is_given(request, "learning_rate") &&
        training->learning_rate > ADAM_RATE_MAX)
        training->learning_rate = ADAM_RATE;
    if (is_adaptive && ((is_given(request, "momentum") && training->momentum > 0) ||
                        is_given(request, "nesterov") || is_given(request, "dampening")))
        return kl_fail(err, KL_ERR_USAGE,
                       "--momentum, --nesterov and --dampening are SGD's: Adam has --beta1 and "
                       "--beta2 instead");
    for (size_t i = 0; !is_adaptive && i < sizeof of_adam / sizeof of_adam[0]; i++)
        if (is_given(request, of_adam[i]))
            return kl_fail(err, KL_ERR_USAGE, "--%s is Adam's: add --optimiser adam or adamw",
                           kl_setting_find(of_adam[i])->flag);
    if (is_adaptive)
        training->momentum = 0;
    if (kl_training_optimiser(training)->is_decoupled && !is_given(request, "weight_decay"))
        training->weight_decay = ADAMW_DECAY;
    return KL_OK;
}

/* A preset's schedule gives way to what the command line says of it; where that does not fit, the
 * preset is named. */
static enum kl_status fit_preset_schedule(struct kl_train_request *request, struct kl_error *err)
{
    struct kl_training *training = &request->training;

    if (is_given(request, "switches") || training->n_switches == 0)
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
                       request->preset, training->n_switches + 1);
    if (training->switches[training->n_switches - 1] >= training->n_steps)
        return kl_fail(err, KL_ERR_USAGE,
                       "preset %s switches data sets after step %u: give a --switch below %u, too",
                       request->preset, training->switches[training->n_switches - 1],
                       training->n_steps);
    return KL_OK;
}

enum kl_status kl_train_parse(int argc, char **argv, struct kl_train_request *request,
                              struct kl_error *err)
{
    const char *const *preset_data = NULL;
    const struct kl_setting *setting;
    const char *preset;
    uint64_t all_but_name = ~UINT64_C(0);
    int n_operands, has_preset;
    enum kl_status status;

    *request = (struct kl_train_request){0};
    if (argc == 1)
        return kl_fail(err, KL_ERR_USAGE,
                       "train what on? --data strokes needs no files; --data NAME=FOLDER takes "
                       "images by class, --tokens words --data NAME=FILE a text, --preset quick "
                       "Fashion-MNIST; 'keylight train --help' tells more");
    status = find_preset(argc, argv, request, err);
    if (status || request->is_help)
        return status;
    preset = request->preset;
    *request = (struct kl_train_request){0};
    status = kl_training_preset(preset, &request->training, &preset_data, err);
    request->settings.training = &request->training;
    if (!status)
        status = parse(argc, argv, request, &n_operands, err);
    has_preset = request->preset != NULL;
    request->preset = preset;
    if (!status)
        status = kl_check_path("output", request->output, err);
    if (!status)
        status = kl_check_path("resume", request->resume, err);
    if (!status)
        status = check_resume(request, has_preset, err);
    if (status || request->resume)
        return status;
    for (uint32_t i = 0; (setting = kl_setting_at(i)); i++)
        if (!strcmp(setting->name, "name"))
            all_but_name &= ~(UINT64_C(1) << i);
    request->is_preset_as_it_is = !(request->settings.given & all_but_name) && !request->n_data;
    fill_defaults(request, preset_data);
    status = fit_kind(request, err);
    return status ? status : fit_preset_schedule(request, err);
}
