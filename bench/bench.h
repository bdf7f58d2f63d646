/* What make bench is made of, a file each; main.c says in which order. */
#ifndef KL_BENCH_BENCH_H
#define KL_BENCH_BENCH_H

#include "bench/measure.h"
#include "db/run.h"

#define ROUNDS 21 /* of what takes milliseconds */

/* The run that everything is asked of. */
struct bench {
    const char *keylight, *python, *peers_script; /* programs */
    const char *path;                             /* of the run */
    struct kl_pool *pool;                         /* of all processors */
    struct kl_keeper *keeper;                     /* of what is loaded */
    struct kl_run *streamed;                      /* reads the file at every query */
    struct kl_run *resident;                      /* the same, loaded */
};

/* From the file to its first answer, page cache cold and warm. */
void bench_opening(const struct bench *bench);

/* A whole training with and without recording, and beside a file of that size: to files at path,
 * which are removed again. */
void bench_training(struct kl_pool *pool, const char *dataset, const char *path);

/* Memory of the process while nothing is resident. */
void bench_streaming_memory(const struct bench *bench);

/* Passes over the keys. */
void bench_scans(const struct bench *bench);

/* The best patterns from keys in 8 bits, against the scan. */
void bench_best(const struct bench *bench);

/* Milliseconds that all processors take to read a layer's keys once, from 0: what memory allows. */
double bench_read_ms(const struct bench *bench, uint32_t layer);

/* Whole requests over HTTP, one client and eight. */
void bench_requests(const struct bench *bench);

/* The same of a run that Adam trained, loaded. */
void bench_adam(const struct bench *bench, struct kl_run *run);

/* What a pattern takes among 100,000 and among 10 million. */
void bench_growth(const struct bench *bench);

/* The report of 10,000 samples. */
void bench_report(const struct bench *bench);

/* One to three processes that share the run, and one of a tenth of its steps at small. */
void bench_processes(const struct bench *bench, const char *small);

/* What others take for the same scan, with the keys as float32 in a file at keys_path, which is
 * removed again. Before BLAS is told to keep to one thread. */
void bench_peers(const struct bench *bench, const char *keys_path);

#endif
