/* What long work shows while it runs: a bar on a terminal, for a training a line per evaluation
 * otherwise. */
#ifndef KL_CLI_OUTPUT_PROGRESS_H
#define KL_CLI_OUTPUT_PROGRESS_H

#include "core/training/loop.h"

struct kl_meter {
    uint32_t n_steps, first_step;
    int terminal, quiet;
    double started, drawn; /* seconds */
    double loss;           /* smoothed */
};

/* Starts the meter of a training that goes on after steps_done steps. */
void kl_meter_start(struct kl_meter *meter, uint32_t n_steps, uint32_t steps_done, int quiet);

/* The callbacks for kl_train; an interrupt (SIGINT, SIGTERM) from here on stops the training. */
struct kl_progress kl_meter_progress(struct kl_meter *meter);

/* Takes the bar away. */
void kl_meter_end(const struct kl_meter *meter);

/* A bar for work that is counted in pieces; where there is no terminal, a line per tenth of work
 * that takes more than some seconds. */
struct kl_counter {
    const char *unit; /* what the pieces are */
    int terminal;
    uint32_t reported_tenth;
    double started; /* seconds */
};
void kl_counter_start(struct kl_counter *counter, const char *unit);
void kl_counter_show(void *counter, uint32_t done, uint32_t total);
/* The same of bytes, by a counter of MB: a run may have more of them than a counter counts. */
void kl_counter_show_bytes(void *counter, uint64_t done_bytes, uint64_t total_bytes);
void kl_counter_end(const struct kl_counter *counter);

#endif
