/* Measurements in turns, and what is told of them: a table, and the same as JSON. Not thread-safe.
 */
#ifndef KL_BENCH_MEASURE_H
#define KL_BENCH_MEASURE_H

#include <stddef.h>

#include "core/base/error.h"

/* Of several repetitions; milliseconds, unless a row names another unit. */
struct spread {
    double min, median, max;
};

struct timed {
    void (*run)(void *job);
    void *job;
    unsigned rest_ms; /* before it runs, for what the one before has not yet put to sleep */
    size_t over;      /* which one of the others, from 0, it is compared with */
    /* Filled by measure: */
    struct spread spread;
    double ratio; /* its time over the other's in the same round, the median of all rounds */
};

/* Ends the program with the message unless status is KL_OK. */
void must(enum kl_status status, const struct kl_error *err);

/* Runs all in turns, rounds times: what else happens on the machine meets all of them alike.
 * Before, each runs once uncounted, unless there are so few rounds that each must take long. */
#define FEW_ROUNDS 3
void measure(struct timed *timed, size_t n, unsigned rounds);

/* Sorts the values and says what they span. */
struct spread spread_of(double *values, size_t n);
struct spread single(double value);

/* Heads the rows that follow. */
void section(const char *title);

/* Adds a row to the table. */
void tell(const char *what, const char *unit, struct spread spread);

/* What a ratio should be; 0: no such bound. */
struct bar {
    double at_least, at_most;
};

/* The same with a ratio over something. */
void tell_ratio(const char *what, const char *unit, struct spread spread, double ratio,
                const char *over, struct bar bar);

/* Says why something was not measured. */
void tell_missing(const char *what, const char *why);

/* Adds a fact about the machine or the program to the JSON. */
void note_text(const char *name, const char *value);
void note_number(const char *name, double value);

/* Says how many bars hold and which do not, and writes everything to path. */
void conclude(const char *path);

#endif
