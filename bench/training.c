#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/data/loading.h"
#include "core/training/loop.h"
#include "core/training/settings.h"
#include "db/writer.h"

struct job {
    struct kl_pool *pool;
    struct kl_training training;
    struct kl_collection data;
    const char *path; /* of the file that is written meanwhile, or NULL */
    off_t n_bytes;    /* of the history there; or written by somebody who has none to make */
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void train(struct job *job, int is_recorded)
{
    struct kl_training_state state;
    struct kl_writer *writer = NULL;
    struct kl_recorder recorder = {0};
    struct kl_error err;

    must(kl_training_start(&job->training, &state, &err), &err);
    if (is_recorded) {
        must(kl_writer_create(job->path, 1, &job->training, &job->data, &state, &writer, &err),
             &err);
        recorder = kl_writer_recorder(writer);
    }
    must(kl_train(job->pool, &job->training, &job->data, &state, is_recorded ? &recorder : NULL,
                  NULL, &err),
         &err);
    kl_writer_close(writer);
    kl_training_state_clear(&state);
}

static void train_alone(void *argument)
{
    train(argument, 0);
}

static void train_recorded(void *argument)
{
    struct job *job = argument;
    struct stat file;

    train(job, 1);
    if (stat(job->path, &file) || unlink(job->path))
        fail("bench: the history");
    job->n_bytes = file.st_size;
}

static void *write_bytes(void *argument)
{
    const struct job *job = argument;
    static const char bytes[1 << 20];
    int file = open(job->path, O_CREAT | O_TRUNC | O_WRONLY, 0600);

    for (off_t n = 0; n < job->n_bytes; n += (off_t)sizeof bytes)
        if (write(file, bytes, sizeof bytes) != (ssize_t)sizeof bytes)
            fail("bench: a file");
    if (close(file))
        fail("bench: a file");
    return NULL;
}

/* While as many bytes as a history has are written that nobody computes: what a file takes here. */
static void train_beside_file(void *argument)
{
    struct job *job = argument;
    pthread_t writer;

    if (pthread_create(&writer, NULL, write_bytes, job))
        fail("bench: a thread");
    train(job, 0);
    pthread_join(writer, NULL);
    if (unlink(job->path))
        fail("bench: a file");
}

void bench_training(struct kl_pool *pool, const char *dataset, const char *path)
{
    struct job job = {.pool = pool, .data = {1, {NULL}, KL_HEADS_SHARED}, .path = path};
    /* Before whatever writes, something that does not: memory that a file leaves is soon had again,
     * other memory may take longer. */
    struct timed timed[] = {{.run = train_alone, .job = &job},
                            {.run = train_recorded, .job = &job},
                            {.run = train_alone, .job = &job},
                            {.run = train_beside_file, .job = &job, .over = 2}};
    struct kl_training *training = &job.training;
    const char *const *datasets;
    struct kl_error err;
    char title[96];

    must(kl_training_preset("paper-mnist", training, &datasets, &err), &err);
    must(kl_dataset_load(dataset, 0, &(struct kl_selection){0}, &job.data.datasets[0], &err), &err);
    must(kl_training_fit(training, &job.data, &err), &err);
    training->evaluation_steps = training->n_steps / 20; /* as keylight train has them */
    training->checkpoint_steps = 100;
    training->snapshot_steps = training->n_steps / 100;
    snprintf(title, sizeof title, "Training 784-800-800-10: the paper-mnist preset, %u steps of %u",
             training->n_steps, training->batch_size);
    section(title);
    measure(timed, 4, FEW_ROUNDS);
    tell("without its history", "ms", timed[0].spread);
    tell_ratio("  with its history recorded", "ms", timed[1].spread, timed[1].ratio, "without",
               (struct bar){0, 1.17});
    tell_ratio("  while a file of that size is written (the limit)", "ms", timed[3].spread,
               timed[3].ratio, "without", (struct bar){0, 0});
    kl_collection_clear(&job.data);
}
