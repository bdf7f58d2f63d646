/* A run that another program trained and recorded, on a terminal. */
#ifndef KL_CLI_OUTPUT_RECORDED_RUN_H
#define KL_CLI_OUTPUT_RECORDED_RUN_H

#include "db/run.h"

/* Its layers, training, data and what can be asked about; not its training curve. */
void kl_print_recorded_run(const struct kl_run *run);

#endif
