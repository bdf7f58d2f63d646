/* Numbers as text. An answer has thousands, and printf takes longer for them than a query may. */
#ifndef KL_API_NUMBER_H
#define KL_API_NUMBER_H

#include <stddef.h>

#define KL_NUMBER_BYTES 24 /* enough for each with a comma and the end of the string */

/* Prints a number with seven significant digits as JSON has it, in the form of printf's %.7g, or
 * null for what JSON cannot say: returns the length. The last digit may be off by one where the
 * eighth and all that follow are within 1e-8 of a half. */
size_t kl_print_number(double value, char *out);

#endif
