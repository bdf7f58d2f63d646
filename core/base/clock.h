/* Time that never goes back. */
#ifndef KL_CORE_BASE_CLOCK_H
#define KL_CORE_BASE_CLOCK_H

/* Milliseconds since some moment in the past. Thread-safe. */
double kl_now_ms(void);

#endif
