#include <stdio.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/data/loading.h"
#include "core/training/loop.h"
#include "core/training/settings.h"
#include "db/writer.h"

#define PAIRS FEW_ROUNDS

struct job {
    struct kl_pool *pool;
    struct kl_training training;
    struct kl_collection data;
    const char *path; /* of the history, or NULL */
};

static void train(void *argument)
{
    const struct job *job = argument;
    struct kl_training_state state;
    struct kl_writer *writer = NULL;
    struct kl_recorder recorder = {0};
    struct kl_error err;

    must(kl_training_start(&job->training, &state, &err), &err);
    if (job->path) {
        must(kl_writer_create(job->path, 1, &job->training, &job->data, &state, &writer, &err),
             &err);
        recorder = kl_writer_recorder(writer);
    }
    must(kl_train(job->pool, &job->training, &job->data, &state, job->path ? &recorder : NULL, NULL,
                  &err),
         &err);
    kl_writer_close(writer);
    kl_training_state_clear(&state);
}

void bench_training(struct kl_pool *pool, const char *dataset, const char *path)
{
    struct job plain = {.pool = pool, .data = {1, {NULL}, KL_HEADS_SHARED}}, recorded;
    struct timed timed[] = {{.run = train, .job = &plain}, {.run = train, .job = &recorded}};
    const char *const *datasets;
    struct kl_error err;
    char title[96];

    must(kl_training_preset("paper-mnist", &plain.training, &datasets, &err), &err);
    must(kl_dataset_load(dataset, 0, &(struct kl_selection){0}, &plain.data.datasets[0], &err),
         &err);
    must(kl_training_fit(&plain.training, &plain.data, &err), &err);
    plain.training.evaluation_steps = plain.training.n_steps / 20; /* as keylight train has them */
    plain.training.checkpoint_steps = 100;
    plain.training.snapshot_steps = plain.training.n_steps / 100;
    recorded = plain;
    recorded.path = path;
    snprintf(title, sizeof title, "Training 784-800-800-10: the paper-mnist preset, %u steps of %u",
             plain.training.n_steps, plain.training.batch_size);
    section(title);
    measure(timed, 2, PAIRS);
    tell("without its history", "ms", timed[0].spread);
    tell_ratio("  with its history recorded", "ms", timed[1].spread, timed[1].ratio, "without",
               (struct bar){0, 1.17});
    kl_collection_clear(&plain.data);
    unlink(path);
}
