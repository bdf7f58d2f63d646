/* How eight halves that follow each other are spread to the places that eight bits name, and how
 * those at such places are brought together: the byte shuffle of each of the 256 cases, for kernels
 * with such an instruction. A byte of 0x80 gives 0. */
#ifndef KL_CORE_SCAN_EXPAND_H
#define KL_CORE_SCAN_EXPAND_H

#include <stdint.h>

extern uint8_t kl_expand_shuffles[256][16], kl_pack_shuffles[256][16];

#endif
