/* Numbers as people write them. */
#ifndef KL_CORE_BASE_NUMBER_H
#define KL_CORE_BASE_NUMBER_H

#include <stdint.h>

/* A decimal number of at most nine digits and nothing else: 0, or -1 for what is none. */
int kl_parse_number(const char *text, uint32_t *number);

#endif
