#include "core/expand.h"

uint8_t kl_expand_shuffles[256][16];

/* Before main, so that no kernel has to ask. */
__attribute__((constructor)) static void fill_shuffles(void)
{
    for (unsigned bits = 0; bits < 256; bits++) {
        unsigned next = 0;

        for (unsigned k = 0; k < 8; k++) {
            int is_set = bits >> k & 1;

            kl_expand_shuffles[bits][2 * k] = (uint8_t)(is_set ? 2 * next : 0x80);
            kl_expand_shuffles[bits][2 * k + 1] = (uint8_t)(is_set ? 2 * next + 1 : 0x80);
            next += (unsigned)is_set;
        }
    }
}
