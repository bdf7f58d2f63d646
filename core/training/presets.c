/* Trainings that have a name. */
#include "core/training/training.h"

#include <stdio.h>
#include <string.h>

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

/* What presets of text share. */
struct text_recipe {
    enum kl_token_kind tokens;
    uint32_t min_count, hidden, embedding, batch_size, unroll;
    double learning_rate, momentum, clip_norm, dropout;
    enum kl_lr_schedule lr_schedule;
    enum kl_optimiser optimiser;
};

static const struct text_recipe quick_text = {.tokens = KL_TOKENS_CHARACTERS,
                                              .min_count = 1,
                                              .hidden = 256,
                                              .embedding = 64,
                                              .batch_size = 32,
                                              .unroll = 64,
                                              .learning_rate = 2,
                                              .momentum = 0.9,
                                              .clip_norm = 0.5,
                                              .lr_schedule = KL_LR_COSINE};
static const struct text_recipe text_words = {.tokens = KL_TOKENS_WORDS,
                                              .min_count = 3,
                                              .hidden = 200,
                                              .embedding = 100,
                                              .batch_size = 32,
                                              .unroll = 35,
                                              .learning_rate = 4,
                                              .momentum = 0.9,
                                              .clip_norm = 0.5,
                                              .dropout = 0.3,
                                              .lr_schedule = KL_LR_COSINE};
/* Irie et al. 2022 again: characters of a small book, words of WikiText-2. */
static const struct text_recipe paper_characters = {.tokens = KL_TOKENS_CHARACTERS,
                                                    .min_count = 1,
                                                    .hidden = 1024,
                                                    .embedding = 64,
                                                    .batch_size = 64,
                                                    .unroll = 100,
                                                    .learning_rate = 1e-3,
                                                    .clip_norm = 1,
                                                    .optimiser = KL_ADAM};
static const struct text_recipe paper_words = {.tokens = KL_TOKENS_WHITESPACE,
                                               .min_count = 1,
                                               .hidden = 200,
                                               .embedding = 200,
                                               .batch_size = 128,
                                               .unroll = 100,
                                               .learning_rate = 3e-3,
                                               .clip_norm = 0.3,
                                               .dropout = 0.5,
                                               .optimiser = KL_ADAM};

struct preset {
    const char *name;
    const struct recipe *recipe;    /* of images, */
    const struct text_recipe *text; /* or of text */
    const char *datasets[3];        /* ended by NULL */
    uint32_t n_steps;
    uint32_t switch_step; /* 0: joint */
};

#define MNIST "mnist"
#define FASHION "fashion-mnist"

static const struct preset presets[] = {
    {"quick", &quick, NULL, {FASHION, NULL}, 2000, 0},
    {"quick-joint", &quick, NULL, {MNIST, FASHION, NULL}, 2000, 0},
    {"quick-continual", &quick_continual, NULL, {MNIST, FASHION, NULL}, 2000, 1000},
    {"paper-mnist", &paper, NULL, {MNIST, NULL}, 5000, 0},
    {"paper-fashion", &paper, NULL, {FASHION, NULL}, 5000, 0},
    {"paper-joint", &paper, NULL, {MNIST, FASHION, NULL}, 5000, 0},
    {"paper-continual", &paper, NULL, {MNIST, FASHION, NULL}, 6000, 3000},
    {"paper-continual-reversed", &paper, NULL, {FASHION, MNIST, NULL}, 6000, 3000},
    {"paper-continual-long", &paper, NULL, {MNIST, FASHION, NULL}, 10000, 3000},
    {"quick-text", NULL, &quick_text, {"moby-dick", NULL}, 1000, 0},
    {"text-words", NULL, &text_words, {"moby-dick", NULL}, 1200, 0},
    {"paper-characters", NULL, &paper_characters, {"moby-dick", NULL}, 5000, 0},
    {"paper-words", NULL, &paper_words, {"wikitext-2", NULL}, 10000, 0},
};

static void fill_images(const struct preset *preset, struct kl_training *training)
{
    const struct recipe *recipe = preset->recipe;

    training->unroll = 1;
    training->n_hidden = 2;
    memcpy(training->hidden, recipe->hidden, sizeof recipe->hidden);
    training->batch_size = recipe->batch_size;
    training->initialisation = KL_INIT_XAVIER;
    training->learning_rate = recipe->learning_rate;
    training->lr_schedule = recipe->lr_schedule;
    training->momentum = recipe->momentum;
    training->weight_decay = recipe->weight_decay;
    training->clip_norm = recipe->clip_norm;
    training->selection.validation = recipe->validation;
    if (preset->switch_step) {
        training->data_schedule = KL_DATA_SEQUENTIAL;
        training->n_switches = 1;
        training->switches[0] = preset->switch_step;
    }
}

static void fill_text(const struct text_recipe *recipe, struct kl_training *training)
{
    training->shape.architecture = KL_LSTM;
    training->n_hidden = 1;
    training->hidden[0] = recipe->hidden;
    training->embedding = recipe->embedding;
    training->batch_size = recipe->batch_size;
    training->unroll = recipe->unroll;
    training->learning_rate = recipe->learning_rate;
    training->momentum = recipe->momentum;
    training->clip_norm = recipe->clip_norm;
    training->dropout = recipe->dropout;
    training->lr_schedule = recipe->lr_schedule;
    training->optimiser = recipe->optimiser;
    training->selection.text.kind = recipe->tokens;
    training->selection.text.min_count = recipe->min_count;
}

static void fill(const struct preset *preset, struct kl_training *training)
{
    memset(training, 0, sizeof *training);
    snprintf(training->name, sizeof training->name, "%s", preset->name);
    training->seed = 1;
    training->n_steps = preset->n_steps;
    training->lr_period = preset->n_steps / 3;
    training->lr_gamma = 0.1;
    training->dtype = KL_F16;
    training->selection.text.test_share = KL_TEST_SHARE;
    if (preset->text)
        fill_text(preset->text, training);
    else
        fill_images(preset, training);
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
