/* A run file in the working folder, for tests of what is in it. */
#ifndef KL_TESTS_LIB_RUN_FILE_H
#define KL_TESTS_LIB_RUN_FILE_H

#include "db/run.h"
#include "tests/lib/small_run.h"

/* Its path; one per process. */
extern char path[64];

/* Removes the file and what SQLite keeps beside it. */
void remove_path(void);

/* The path, with no file there. */
const char *fresh_path(void);

/* Writes a small run, trained to its end. */
void write_run(enum kl_dtype dtype);

/* The same, trained with an optimiser ("adam") and its weight decay ("0.1"). */
void write_run_with(enum kl_dtype dtype, const char *optimiser, const char *weight_decay);

/* Runs SQL on the file, and makes the checksums right for what it holds then; or leaves them. */
void execute(const char *sql);
void execute_unsigned(const char *sql);

struct opened {
    struct kl_pool *pool;
    struct kl_run *run;
    struct kl_keeper *keeper; /* once it is read from memory */
};

/* Opens the file with two workers; close_run removes it, too. */
struct opened open_run(void);
void close_run(struct opened *opened);

/* From now on all of it is read from memory. */
void load_run(struct opened *opened);

#endif
