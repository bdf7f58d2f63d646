/* What a click in the page costs. Not thread-safe. */
#ifndef KL_BENCH_CLICK_H
#define KL_BENCH_CLICK_H

#include "bench/asker.h"
#include "bench/bench.h"

/* The requests of a click, against the scans that they need; query: as many numbers as the widest
 * layer has inputs or outputs; out: as many as there are patterns. */
void bench_click(const struct bench *bench, const struct asker *asker, float *query, float *out);

#endif
