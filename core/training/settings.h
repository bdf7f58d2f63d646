/* The settings of a training, in one table: what they are called, what they may be, and what they
 * mean. From it come the command line's flags and their help, the rows of the run file, the JSON of
 * a run and the text that the fingerprint is made of; a new setting is one entry more of
 * core/training/settings_table.h. */
#ifndef KL_CORE_TRAINING_SETTINGS_H
#define KL_CORE_TRAINING_SETTINGS_H

#include "core/training/training.h"

enum kl_setting_type {
    KL_SETTING_TEXT,    /* char[], of at least KL_NAME_MAX */
    KL_SETTING_INTEGER, /* uint32_t */
    KL_SETTING_SEED,    /* uint64_t below 2^53, which readers of JSON keep exactly */
    KL_SETTING_REAL,    /* double */
    KL_SETTING_CHOICE,  /* uint32_t, the number of a name */
    KL_SETTING_FLAG,    /* uint32_t, 0 or 1 */
    KL_SETTING_WIDTHS,  /* model.hidden */
    KL_SETTING_STEPS,   /* switches */
    KL_SETTING_SIZE,    /* struct kl_image_size */
};

/* Sets of kinds of data. */
#define KL_OF(kind) (1U << (kind))
#define KL_OF_IMAGES KL_OF(KL_DATA_IMAGES)
#define KL_OF_TEXT KL_OF(KL_DATA_TEXT)
#define KL_OF_ALL (KL_OF_IMAGES | KL_OF_TEXT)

#define KL_VALUE_BYTES 512 /* room for any setting as text */

struct kl_setting {
    const char *name; /* in run files and answers: "learning_rate" */
    const char *flag; /* on the command line: "lr" */
    enum kl_setting_type type;
    size_t offset;     /* of its field in struct kl_training */
    const char *value; /* what stands for it in help: "X", "N[,N...]"; NULL: its choices, or none */
    double low, high;  /* bounds of numbers; the first number of a choice */
    unsigned open;     /* of KL_OPEN_*: bounds that are themselves excluded */
    const char *(*choice)(uint32_t i); /* names of a choice, NULL behind the last */
    unsigned applies;                  /* kinds of data that have it */
    const char *fallback;              /* its value where nobody says one, as text */
    const char *help;                  /* one sentence or two, for the command line */
};
enum { KL_OPEN_LOW = 1, KL_OPEN_HIGH = 2 };

/* Number i of the table, NULL behind its end; and the one of that name, or NULL. */
const struct kl_setting *kl_setting_at(uint32_t i);
const struct kl_setting *kl_setting_find(const char *name);

/* Gives every setting its fallback. */
void kl_settings_default(struct kl_training *training);

/* Sets one from its text, within its bounds. Errors: KL_ERR_USAGE, naming the setting. */
enum kl_status kl_setting_parse(const struct kl_setting *setting, const char *text,
                                struct kl_training *training, struct kl_error *err);

/* The reverse: exactly what parse takes back. */
void kl_setting_format(const struct kl_setting *setting, const struct kl_training *training,
                       char text[KL_VALUE_BYTES]);

/* What it may be, as a sentence goes on: "is above 0 and at most 1000". */
void kl_setting_rule(const struct kl_setting *setting, char text[KL_VALUE_BYTES]);

/* Its value as a number: of KL_SETTING_INTEGER, _SEED, _REAL, _CHOICE and _FLAG. */
double kl_setting_number(const struct kl_setting *setting, const struct kl_training *training);

/* Whether the kind of data that a training's model reads has the setting. */
int kl_setting_applies(const struct kl_setting *setting, const struct kl_training *training);

/* Refuses settings that cannot be trained: out of their bounds, of other kinds of data than the
 * model's, or against each other. Errors: KL_ERR_USAGE, naming the setting. */
enum kl_status kl_training_check(const struct kl_training *training, struct kl_error *err);

/* Refuses a sequential schedule whose switches do not fit so many data sets. Errors: KL_ERR_USAGE.
 */
enum kl_status kl_training_check_schedule(const struct kl_training *training, uint32_t n_datasets,
                                          struct kl_error *err);

/* Fills the settings of a preset ("quick", "paper-mnist", "paper-continual" and so on), and the
 * names of its data sets, ended by NULL. Errors: KL_ERR_USAGE. */
enum kl_status kl_training_preset(const char *preset, struct kl_training *training,
                                  const char *const **datasets, struct kl_error *err);

/* Number i of the presets' names, NULL behind the last. */
const char *kl_preset_name(uint32_t i);

#endif
