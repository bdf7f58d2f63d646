/* Trainings that have a name. */
#include <stdio.h>
#include <string.h>

#include "core/training/settings.h"

#define MNIST "mnist"
#define FASHION "fashion-mnist"

/* Recipes are settings as the table reads them, with spaces between. */
#define QUICK                                                                                      \
    "hidden=256,256 batch_size=64 learning_rate=0.05 lr_schedule=cosine momentum=0.9 "             \
    "weight_decay=1e-4 clip_norm=1 "
/* Without a schedule that ends at 0, the second task would hardly be learned. */
#define QUICK_CONTINUAL                                                                            \
    "hidden=256,256 batch_size=64 learning_rate=0.02 momentum=0.9 weight_decay=1e-4 clip_norm=1 "  \
    "data_schedule=sequential "
/* Irie, Csordas, Schmidhuber 2022: the settings of their experiments; characters of a small book,
 * words of WikiText-2. */
#define PAPER                                                                                      \
    "hidden=800,800 batch_size=128 learning_rate=3e-3 momentum=0.9 clip_norm=1 validation=10000 "
#define PAPER_CONTINUAL PAPER "data_schedule=sequential "
#define QUICK_TEXT                                                                                 \
    "architecture=lstm tokens=characters hidden=256 embedding=64 batch_size=32 unroll=64 "         \
    "learning_rate=2 momentum=0.9 clip_norm=0.5 lr_schedule=cosine "
#define QUICK_TEXT_ADAM                                                                            \
    "architecture=lstm tokens=characters hidden=256 embedding=64 batch_size=32 unroll=64 "         \
    "learning_rate=3e-3 clip_norm=1 lr_schedule=cosine optimiser=adam "
#define TEXT_WORDS                                                                                 \
    "architecture=lstm tokens=words min_count=3 hidden=200 embedding=100 batch_size=32 unroll=35 " \
    "learning_rate=4 momentum=0.9 clip_norm=0.5 dropout=0.3 lr_schedule=cosine "
#define PAPER_CHARACTERS                                                                           \
    "architecture=lstm tokens=characters hidden=1024 embedding=64 batch_size=64 unroll=100 "       \
    "learning_rate=1e-3 clip_norm=1 optimiser=adam "
#define PAPER_WORDS                                                                                \
    "architecture=lstm tokens=whitespace hidden=200 embedding=200 batch_size=128 unroll=100 "      \
    "learning_rate=3e-3 clip_norm=0.3 dropout=0.5 optimiser=adam "

static const struct preset {
    const char *name, *recipe;
    const char *datasets[3]; /* ended by NULL */
} presets[] = {
    {"quick", QUICK "steps=2000 lr_period=666", {FASHION, NULL}},
    {"quick-joint", QUICK "steps=2000 lr_period=666", {MNIST, FASHION, NULL}},
    {"quick-continual",
     QUICK_CONTINUAL "steps=2000 lr_period=666 switches=1000",
     {MNIST, FASHION, NULL}},
    {"paper-mnist", PAPER "steps=5000 lr_period=1666", {MNIST, NULL}},
    {"paper-fashion", PAPER "steps=5000 lr_period=1666", {FASHION, NULL}},
    {"paper-joint", PAPER "steps=5000 lr_period=1666", {MNIST, FASHION, NULL}},
    {"paper-continual",
     PAPER_CONTINUAL "steps=6000 lr_period=2000 switches=3000",
     {MNIST, FASHION, NULL}},
    {"paper-continual-reversed",
     PAPER_CONTINUAL "steps=6000 lr_period=2000 switches=3000",
     {FASHION, MNIST, NULL}},
    {"paper-continual-long",
     PAPER_CONTINUAL "steps=10000 lr_period=3333 switches=3000",
     {MNIST, FASHION, NULL}},
    {"quick-text", QUICK_TEXT "steps=1000 lr_period=333", {"moby-dick", NULL}},
    {"quick-text-adam", QUICK_TEXT_ADAM "steps=1000 lr_period=333", {"moby-dick", NULL}},
    {"text-words", TEXT_WORDS "steps=1200 lr_period=400", {"moby-dick", NULL}},
    {"paper-characters", PAPER_CHARACTERS "steps=5000 lr_period=1666", {"moby-dick", NULL}},
    {"paper-words", PAPER_WORDS "steps=10000 lr_period=3333", {"wikitext-2", NULL}},
};
#define N_PRESETS (sizeof presets / sizeof presets[0])

const char *kl_preset_name(uint32_t i)
{
    return i < N_PRESETS ? presets[i].name : NULL;
}

static enum kl_status apply(const struct preset *preset, struct kl_training *training,
                            struct kl_error *err)
{
    char recipe[400], *rest = recipe, *word;
    enum kl_status status = KL_OK;

    kl_settings_default(training);
    snprintf(training->name, sizeof training->name, "%s", preset->name);
    snprintf(recipe, sizeof recipe, "%s", preset->recipe);
    while (!status && (word = strtok_r(rest, " ", &rest))) {
        char *value = strchr(word, '=');

        *value++ = '\0';
        status = kl_setting_parse(kl_setting_find(word), value, training, err);
    }
    return status;
}

enum kl_status kl_training_preset(const char *name, struct kl_training *training,
                                  const char *const **datasets, struct kl_error *err)
{
    char names[400] = "";

    for (size_t i = 0; i < N_PRESETS; i++) {
        const char *separator = i == 0 ? "" : i + 1 < N_PRESETS ? ", " : " or ";

        if (!strcmp(presets[i].name, name)) {
            *datasets = presets[i].datasets;
            return apply(&presets[i], training, err);
        }
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", separator,
                 presets[i].name);
    }
    return kl_fail_on(err, KL_ERR_USAGE, "preset", "there is no preset '%.40s': use %s", name,
                      names);
}
