/* The process that waits for one of a job's, and tells what is lost with it. Internal to cli/job.
 */
#ifndef KL_CLI_JOB_WATCH_H
#define KL_CLI_JOB_WATCH_H

#include <stdint.h>

/* Splits the process in two: returns in the child, which does the work; the other one hands signals
 * on, waits for its end, and ends as it did, with a sentence on stderr if it was killed. Where no
 * process can be made, there is nobody who waits. Before there are threads. */
void kl_watch(uint32_t own, uint32_t n);

/* What the sentence says was held, besides what was said before: "shards 2, 3 of m.keylight". */
void kl_watch_note(const char *holds);

#endif
