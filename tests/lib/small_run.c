#include "tests/lib/small_run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/memory.h"
#include "core/base/random.h"
#include "core/training/loop.h"
#include "core/training/settings.h"
#include "db/writer.h"

#define SIZE 12

/* Not Check's assertions: the fuzzers use this, too. */
static void must(enum kl_status status, const struct kl_error *err)
{
    if (status) {
        fprintf(stderr, "small run: %s\n", err->message);
        abort();
    }
}

static void fill_split(struct kl_image_set *set, uint32_t count, struct kl_random *random)
{
    struct kl_error err;

    set->count = count;
    must(kl_alloc(&set->pixels, count, SIZE, "pixels", &err), &err);
    must(kl_alloc(&set->labels, count, 1, "labels", &err), &err);
    for (uint32_t i = 0; i < count; i++) {
        set->labels[i] = (uint8_t)(i % 3);
        for (int j = 0; j < SIZE; j++)
            set->pixels[i * SIZE + (uint32_t)j] =
                (uint8_t)(kl_random_below(random, 120) + (j % 3 == (int)(i % 3) ? 130 : 0));
    }
}

static void set_settings(struct kl_training *training, enum kl_dtype dtype)
{
    static const char *const settings[][2] = {
        {"name", "small"},         {"hidden", "9,8"},         {"seed", "4"},
        {"steps", "40"},           {"batch_size", "10"},      {"learning_rate", "0.2"},
        {"lr_schedule", "cosine"}, {"momentum", "0.8"},       {"weight_decay", "1e-3"},
        {"clip_norm", "0.7"},      {"evaluation_steps", "7"}, {"checkpoint_steps", "6"},
        {"snapshot_steps", "5"}};
    struct kl_error err;

    kl_settings_default(training);
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++)
        must(kl_setting_parse(kl_setting_find(settings[i][0]), settings[i][1], training, &err),
             &err);
    training->dtype = dtype;
}

void small_run_create(struct small_run *run, enum kl_dtype dtype)
{
    struct kl_dataset *dataset = NULL;
    struct kl_random random;
    struct kl_error err;

    memset(run, 0, sizeof *run);
    must(kl_alloc(&dataset, 1, sizeof *dataset, "a data set", &err), &err);
    kl_random_seed(&random, 5, 5);
    snprintf(dataset->name, sizeof dataset->name, "small");
    dataset->width = 3;
    dataset->height = 4;
    dataset->channels = 1;
    dataset->n_classes = 3;
    for (int c = 0; c < 3; c++) {
        char name[16];

        snprintf(name, sizeof name, "class \"%d\"", c);
        must(kl_dataset_name_class(dataset, (uint32_t)c, name, &err), &err);
    }
    fill_split(&dataset->splits[KL_SPLIT_TRAIN], 24, &random);
    fill_split(&dataset->splits[KL_SPLIT_TEST], 6, &random);
    kl_dataset_measure(dataset);
    run->data.n_datasets = 1;
    run->data.datasets[0] = dataset;
    set_settings(&run->training, dtype);
    must(kl_training_fit(&run->training, &run->data, &err), &err);
    must(kl_training_start(&run->training, &run->state, &err), &err);
}

void small_run_clear(struct small_run *run)
{
    kl_training_state_clear(&run->state);
    kl_collection_clear(&run->data);
}

static int stop_at(void *self, uint32_t step, double loss)
{
    (void)loss;
    return *(const uint32_t *)self == step;
}

void small_run_write(struct small_run *run, const char *path, uint32_t stop_after)
{
    struct kl_writer *writer = NULL;
    struct kl_recorder recorder;
    struct kl_progress progress = {stop_at, NULL, &stop_after};
    struct kl_error err = {0};
    enum kl_status status;

    must(kl_writer_create(path, 0, &run->training, &run->data, &run->state, &writer, &err), &err);
    recorder = kl_writer_recorder(writer);
    status = kl_train(NULL, &run->training, &run->data, &run->state, &recorder, &progress, &err);
    if (status != (stop_after ? KL_ERR_INTERRUPTED : KL_OK))
        must(status ? status : KL_ERR_INPUT, &err);
    kl_writer_close(writer);
}
