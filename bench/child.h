/* A program that is started, written to and read from. */
#ifndef KL_BENCH_CHILD_H
#define KL_BENCH_CHILD_H

#include <stdio.h>
#include <sys/types.h>

struct child {
    pid_t pid;
    FILE *to, *from; /* its standard input and output */
};

/* Starts the program arguments[0] (the list ends with NULL); ends this program if that fails. */
struct child child_start(const char *const *arguments);

/* Closes its input, sends it SIGTERM, and waits for its end. */
void child_end(struct child *child);

#endif
