/* What settings may be, each and together. */
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

NAMES(activation_name, "relu", "silu", "gelu")
NAMES(initialisation_name, "xavier", "he")
NAMES(lr_schedule_name, "constant", "cosine", "step")
NAMES(dtype_name, "uint8", "float16", "float32")
NAMES(heads_name, "shared", "separate")
NAMES(data_schedule_name, "joint", "sequential")
NAMES(background_name, "auto", "white", "black")

static const char *token_kind_name(uint32_t i)
{
    return i <= KL_TOKENS_WHITESPACE ? kl_token_kind_name((enum kl_token_kind)i) : NULL;
}

#define INTEGER_MAX 100000000
#define SEED_MAX 9007199254740991.0 /* 2^53 - 1 */

static const struct kl_setting table[] = {
#define SETTING(declaration, field, name, flag, type, ...)                                         \
    {name, flag, KL_SETTING_##type, offsetof(struct kl_training, field), __VA_ARGS__},
#include "core/training/settings_table.h"
#undef SETTING
};

_Static_assert(sizeof table / sizeof table[0] <= 64,
               "which settings were given is a set of 64 bits");

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
        {training->beta_1 * training->beta_1 >= training->beta_2, "beta_2",
         "beta_2 has to be above the square of beta_1, or Adam need not converge"},
        {training->nesterov && (training->momentum <= 0 || training->dampening > 0), "nesterov",
         "nesterov goes with a momentum above 0 and without dampening"},
        {training->dampening > 0 && training->momentum <= 0, "dampening",
         "dampening is of a momentum above 0"},
        {training->records_gates && training->attention_only, "gate_errors",
         "gate_errors records what attention_only leaves out: take one of them"},
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
