/* What the machine allows and what keylight reaches, in one run: make bench. See
 * docs/performance.md. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/bench.h"
#include "core/base/blas.h"
#include "core/scan/kernels.h"
#include "core/data/loading.h"

#define RUN "bench/paper-mnist.keylight"
#define ADAM_RUN "bench/paper-mnist-adam.keylight"
#define SMALL_RUN "bench/small.keylight"
#define TRAINED "bench/training.keylight"
#define KEYS "bench/keys.float32"

static struct kl_run *open_run(const struct bench *bench, const char *path)
{
    struct kl_run *run = NULL;
    struct kl_error err;

    must(kl_run_open(path, kl_pool_n_workers(bench->pool), &run, &err), &err);
    return run;
}

/* MNIST, or where it is not installed, strokes: they have the same shapes. */
static const char *choose_dataset(void)
{
    struct kl_dataset *dataset = NULL;
    struct kl_error err;
    int is_there = !kl_dataset_load("mnist", 0, &(struct kl_selection){0}, &dataset, &err);

    kl_dataset_free(dataset);
    if (!is_there)
        printf("MNIST is not installed (./bootstrap data): strokes instead, of the same shapes\n");
    return is_there ? "mnist" : "strokes";
}

/* Trains the run with the program itself, unless it is there. */
static void make_run(const struct bench *bench, const char *path, const char *dataset,
                     const char *more)
{
    char command[1024];
    struct stat status;
    struct kl_run *run = NULL;
    struct kl_error err;

    if (!stat(path, &status) && !kl_run_open(path, 0, &run, &err)) {
        kl_run_close(run);
        return;
    }
    snprintf(command, sizeof command,
             "'%s' train --output %s --preset paper-mnist --data %s --force%s", bench->keylight,
             path, dataset, more);
    printf("%s\n", command);
    fflush(stdout);
    if (system(command)) {
        fprintf(stderr, "bench: the training failed\n");
        exit(1);
    }
}

static void bench_size(const struct bench *bench)
{
    const struct kl_run *run = bench->streamed;
    const struct kl_shape *shape = &run->history.final->shape;
    double widths = 0, plain;

    for (uint32_t l = 0; l < shape->n_layers; l++)
        widths += shape->outputs[l] + (l > 0 ? shape->inputs[l] : 0);
    section("The file");
    plain = (double)run->history.n_patterns * widths * 2;
    tell_ratio("everything in it", "GB", single((double)run->file_bytes / 1e9),
               (double)run->file_bytes / plain, "patterns x stored widths x 2 bytes",
               (struct bar){0, 1.05});
}

/* Whether a part is wanted: all are, unless some are named. */
static int is_wanted(int argc, char **argv, const char *part)
{
    int is_named = argc == 4;

    for (int i = 4; i < argc; i++)
        is_named |= !strcmp(argv[i], part);
    return is_named;
}

/* Into memory, all of it. */
static void load(const struct bench *bench, struct kl_run *run)
{
    struct kl_error err;
    uint64_t before = kl_keeper_bytes(bench->keeper);

    must(kl_run_keep(run, bench->keeper, NULL, &err), &err);
    kl_keeper_fill(bench->keeper);
    if (kl_keeper_bytes(bench->keeper) == before) {
        fprintf(stderr, "bench: there is no memory for the run\n");
        exit(1);
    }
}

static void bench_beside_adam(const struct bench *bench, const char *dataset)
{
    struct kl_run *run;

    make_run(bench, ADAM_RUN, dataset, " --optimiser adam");
    run = open_run(bench, ADAM_RUN);
    load(bench, run);
    bench_adam(bench, run);
    kl_run_close(run);
}

static void run_parts(struct bench *bench, const char *dataset, int argc, char **argv)
{
    if (is_wanted(argc, argv, "opening"))
        bench_opening(bench);
    bench->streamed = open_run(bench, bench->path);
    note_number("patterns", (double)bench->streamed->history.n_patterns);
    bench_size(bench);
    bench_streaming_memory(bench);
    bench->resident = open_run(bench, bench->path);
    load(bench, bench->resident);
    if (is_wanted(argc, argv, "peers"))
        bench_peers(bench, KEYS);
    kl_blas_single_thread(); /* as keylight has it */
    bench_scans(bench);
    bench_best(bench);
    if (is_wanted(argc, argv, "training"))
        bench_training(bench->pool, dataset, TRAINED);
    if (is_wanted(argc, argv, "processes")) {
        make_run(bench, SMALL_RUN, dataset, " --steps 500");
        bench_processes(bench, SMALL_RUN);
    }
    if (is_wanted(argc, argv, "requests"))
        bench_requests(bench);
    if (is_wanted(argc, argv, "adam"))
        bench_beside_adam(bench, dataset);
    if (is_wanted(argc, argv, "growth"))
        bench_growth(bench);
    if (is_wanted(argc, argv, "report"))
        bench_report(bench);
    kl_run_close(bench->resident);
    kl_run_close(bench->streamed);
}

int main(int argc, char **argv)
{
    struct bench bench = {.path = RUN};
    struct kl_error err;
    const char *dataset;

    kl_blas_suit_processor(argv); /* and the peers' */
    if (argc < 4) {
        fprintf(stderr, "usage: bench KEYLIGHT PYTHON PEERS.PY [opening] [training] [requests] "
                        "[adam] [growth] [report] [peers] [processes]\n");
        return 2;
    }
    bench.keylight = argv[1];
    bench.python = argv[2];
    bench.peers_script = argv[3];
    signal(SIGPIPE, SIG_IGN);
    must(kl_kernels_select(&err), &err);
    must(kl_pool_create(0, &bench.pool, &err), &err);
    must(kl_keeper_create(bench.pool, UINT64_MAX, KL_KEEPER_TIMES, &bench.keeper, &err), &err);
    dataset = choose_dataset();
    printf("%u processors, kernel %s\n", kl_pool_n_workers(bench.pool), kl_kernels()->name);
    note_number("processors", kl_pool_n_workers(bench.pool));
    note_text("kernel", kl_kernels()->name);
    note_text("dataset", dataset);
    make_run(&bench, bench.path, dataset, "");
    run_parts(&bench, dataset, argc, argv);
    kl_keeper_free(bench.keeper);
    kl_pool_free(bench.pool);
    conclude("bench/bench.json");
    return 0;
}
